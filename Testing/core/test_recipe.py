"""Recipes: what is wrong is said with the line; what is right becomes typed values."""

from __future__ import annotations

from pathlib import Path

import pytest

from LMISCore.errors import InputError
from LMISCore.training.recipe import load_recipe, recipe_names

GOOD = "name: trial\ntraining:\n  steps: 10\n  learning_rate: 3e-4\nimage:\n  size: [32, 48]\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_get_their_types(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD))
    assert recipe.training.learning_rate == 3e-4
    assert recipe.image.size == (32, 48)
    assert recipe.training.batch == 8
    assert recipe.as_dict()["image"]["size"] == [32, 48]


def test_single_keys_can_be_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe = load_recipe(path, ["training.steps=7", "network.options.width=8", "data.source=a=b", "text.ignore=true"])
    assert (recipe.training.steps, recipe.network.options, recipe.data.source) == (7, {"width": 8}, "a=b")
    assert recipe.text.ignore is True
    assert recipe.training.learning_rate == 3e-4


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (GOOD + "pears: 1\n", r"trial\.yaml line 7: unknown key pears; did you mean pairs\?"),
        (GOOD.replace("steps: 10", "steps: ten"), r"line 3: training\.steps is 'ten', expected a whole number"),
        (GOOD.replace("steps: 10", "steps: true"), r"line 3: training\.steps is True, expected a whole number"),
        (GOOD.replace("steps: 10", "stepz: 10"), r"line 3: unknown key training\.stepz; did you mean steps\?"),
        (GOOD.replace("  steps: 10", "  steps: 10\n  steps: 11"), r"line 4: training\.steps appears twice"),
        (GOOD.replace("[32, 48]", "[32, wide]"), r"line 6: image\.size .*each a whole number"),
        (GOOD.replace("[32, 48]", "[32]"), r"image\.size is \(32,\), expected two sides"),
        (GOOD + "text: {rewrite: yes}\n", r"line 7: text\.rewrite is True, expected one of none, lvit_axial"),
        (GOOD + "pairs: {shares: {sides: 1}}\n", r"pairs\.shares has sides, expected report"),
        (GOOD + "pairs: {shares: {side: -1}}\n", r"negative"),
        (GOOD + "training: nothing\n", r"line 7: training appears twice"),
        ("image: 3\nname: x\n", r"line 1: image\. must hold keys"),
        (GOOD.replace("name: trial\n", ""), r"the key name is missing"),
        (GOOD + "image.convention: x\n", r"unknown key image\.convention"),
        ("name: [unclosed\n", r"trial\.yaml line \d+ is not YAML"),
        ("just words\n", r"holds no keys"),
        (GOOD + "loss: !!python/object:os.system {}\n", r"line 7: loss cannot be read: could not determine a constr"),
        (GOOD + "network: {options: {[1, 2]: 3}}\n", r"line 7: network\.options cannot be read: found unhashable key"),
        (GOOD + "? [a, b]\n: 1\n", r"line 7: a key of the recipe is no word"),
        (GOOD + "pairs: {shares: {1: 0.5}}\n", r"line 7: pairs\.shares .*expected keys that are text"),
        (GOOD + "loss: &a {rgc: *a}\n", r"line 7: loss(\.rgc)? "),
        (GOOD + "loss: " + "[" * 5000 + "\n", r"trial\.yaml.* is not YAML: .*(nested too deeply|line|expected)"),
        (GOOD + "data: {case_pattern: '('}\n", r"line 7: data\.case_pattern is \(, expected a regular expression"),
        (GOOD + "loss:\n  rgc: -1\n", r"line 8: loss\.rgc is -1\.0, expected 0 or more"),
        (GOOD + "augment:\n  scale: 0\n  mirror: 1.5\n", r"line 9: augment\.mirror is 1\.5, expected from 0 to 1"),
        (GOOD + "augment: {rotate: -3}\n", r"line 7: augment\.rotate is -3\.0, expected from 0 to 180"),
        (GOOD + "augment: {gamma: -0.1}\n", r"line 7: augment\.gamma is -0\.1, expected 0 or more"),
        (GOOD.replace("steps: 10", "patience: 0"), r"line 3: training\.patience is 0, expected at least 1"),
        (GOOD.replace("steps: 10", "clip_norm: -1"), r"line 3: training\.clip_norm is -1\.0, expected 0 or more"),
        (GOOD.replace("steps: 10", "warmup: -1"), r"line 3: training\.warmup is -1, expected 0 or more"),
        (GOOD.replace("steps: 10", "seed: -1"), r"line 3: training\.seed is -1, expected 0 or more"),
        (GOOD.replace("steps: 10", "clip_norm: .nan"), r"line 3: training\.clip_norm is nan, expected a finite number"),
        (GOOD.replace("[32, 48]", "[8, 48]"), r"line 6: image\.size is \(8, 48\), expected two sides"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load_recipe(write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("training.steps", "expected key=value"),
        ("training.steps=ten", r"the command line: training\.steps is 'ten'"),
        ("training.stepz=10", r"the command line: unknown key training\.stepz"),
        ("training.learning_rate=0", r"^the command line: training\.learning_rate is 0\.0, expected above 0"),
        ("image.convention=clahe", "^the command line: .*lung_equalised"),
        ("image.size=[1", r"The value in image\.size=\[1 is not YAML"),
        ("image.size=[8, 8]", r"^the command line: image\.size"),
        ("augment={noise: -1}", r"^the command line: augment\.noise is -1\.0"),
        ("training={steps: ten}", r"^the command line: training\.steps is 'ten'"),
        ("loss=!!python/name:os.system", r"^the command line: loss cannot be read"),
        ("training.patience=0", r"^the command line: training\.patience is 0"),
    ],
)
def test_wrong_overrides_are_said_to_come_from_the_command_line(tmp_path: Path, override: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load_recipe(write(tmp_path, GOOD), [override])


def test_a_value_of_the_file_keeps_its_line_when_another_key_is_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("steps: 10", "steps: 0"))
    with pytest.raises(InputError, match=r"^trial\.yaml line 3: training\.steps is 0, expected at least 1"):
        load_recipe(path, ["training.batch=2"])


def test_a_recipe_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_bytes("name: Lungenentzündung\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"trial\.yaml is not YAML"):
        load_recipe(path)


def test_bundled_recipes_are_valid_and_found_by_name() -> None:
    assert "tirnet-chest-ct" in recipe_names()
    for name in recipe_names():
        assert load_recipe(name).name.startswith(name)


def test_an_unknown_recipe_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tirnet-chest-ct"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="tirnet-chest-ct"):
        load_recipe("no-such-recipe")
