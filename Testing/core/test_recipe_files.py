"""Bases and variants of recipes: what counts when, and what is wrong said with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from LMISCore.errors import InputError
from LMISCore.resources import resource
from LMISCore.training.recipe import load_recipe, recipe_names

BASE = """name: base
network: {name: tirnet, options: {width: 8}}
loss: {rgc: 1}
training:
  steps: 10
  batch: 2
"""
OVER = """name: over
base: base.yaml
loss: {bs: 2}
training: {steps: 20}
variant: small
variants:
  small: {training: {patience: 7}}
  wide: {base: wide.yaml, name: own-name, network: {options: {width: 99}}}
"""
WIDE = "training: {batch: 64, learning_rate: 1e-2}\nimage: {size: [64, 64]}\n"


def write(folder: Path, **texts: str) -> Path:
    for name, text in {"base": BASE, "wide": WIDE, "over": OVER, **texts}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "over.yaml"


def test_sections_are_joined_and_other_values_replaced(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path))
    assert (recipe.training.steps, recipe.training.batch, recipe.training.patience) == (20, 2, 7)
    assert recipe.loss == {"bs": 2}
    assert recipe.network.options == {"width": 8}
    assert recipe.name == "over-small"


def test_a_variants_base_lies_beneath_the_recipe_and_the_variant_above_it(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path), ["variant=wide", "training.steps=30"])
    assert recipe.training.learning_rate == 1e-2
    assert recipe.training.batch == 2
    assert recipe.image.size == (64, 64)
    assert (recipe.network.options, recipe.name, recipe.training.steps) == ({"width": 99}, "own-name", 30)


def test_of_several_bases_the_later_one_counts(tmp_path: Path) -> None:
    path = write(tmp_path, over="name: over\nbase: [base.yaml, wide.yaml]\n")
    assert load_recipe(path).training.batch == 64
    path = write(tmp_path, over="name: over\nbase: [wide.yaml, base.yaml]\n")
    assert load_recipe(path).training.batch == 2


def test_a_recipe_of_ones_own_builds_on_a_bundled_one(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, over="name: mine\nbase: tmca-chest-ct\ntraining: {steps: 5}\n"))
    assert (recipe.name, recipe.network.name, recipe.training.steps) == ("mine", "tmca", 5)


@pytest.mark.parametrize(
    ("texts", "overrides", "match"),
    [
        ({"base": BASE.replace("steps: 10", "stepz: 10")}, [], r"^base\.yaml line 5: unknown key training\.stepz"),
        ({"wide": "training:\n  clip_norm: -1\n"}, ["variant=wide"], r"^wide\.yaml line 2: training\.clip_norm is -1"),
        ({"base": "name: [unclosed\n"}, [], r"^base\.yaml line \d+ is not YAML"),
        ({"over": OVER.replace("base.yaml", "none.yaml")}, [], r"^over\.yaml line 2: there is no recipe none\.yaml"),
        ({"over": OVER.replace("base: base.yaml", "base: {a: b}")}, [], r"line 2: base must be a recipe's name"),
        ({"base": "base: over.yaml\n"}, [], r"^base\.yaml line 1: over\.yaml builds on itself"),
        ({}, ["variant=huge"], r"^the command line: variant is huge, expected one of small, wide"),
        ({"over": OVER.replace("variant: small\n", "")}, [], r"^over\.yaml: variant is not given, expected one of"),
        ({"over": OVER.replace("variant: small", "variant: big")}, [], r"^over\.yaml line 5: variant is big"),
        ({"over": "name: x\nvariant: y\n"}, [], r"^over\.yaml line 2: over\.yaml has no variants"),
        ({"over": OVER.split("variants:")[0] + "variants: 3\n"}, [], r"^over\.yaml line 6: variants must hold names"),
        ({"over": OVER.replace("{training: {patience: 7}}", "3")}, [], r"line 7: the variant small must hold keys"),
        ({"over": OVER + "loss: {bs: 3}\n"}, [], r"loss appears twice"),
        ({"over": OVER + "? [a, b]\n: 1\n"}, [], r"^over\.yaml line 9: a key of the recipe is no word"),
    ],
)
def test_what_is_wrong_is_said_with_its_file_and_line(
    tmp_path: Path, texts: dict[str, str], overrides: list[str], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        load_recipe(write(tmp_path, **texts), overrides)


def variants() -> list[tuple[str, str]]:
    found = []
    for name in recipe_names():
        text = yaml.safe_load((resource("recipes") / f"{name}.yaml").read_text(encoding="utf-8"))
        found += [(name, variant) for variant in text.get("variants", [""])]
    return found


@pytest.mark.parametrize(("name", "variant"), variants())
def test_every_bundled_recipe_is_valid_in_every_variant(name: str, variant: str) -> None:
    recipe = load_recipe(name, [f"variant={variant}"] if variant else [])
    assert recipe.name == (f"{name}-{variant}" if variant else name)
    if variant:
        assert recipe.network.name == variant.removesuffix("-paper")
        assert recipe.data.obtain
    if variant.endswith("-paper"):
        assert recipe.network.options["variant"] == "release"
        assert recipe.text.encoder == "clip-vit-b32"
        assert (recipe.training.weight_decay, recipe.training.clip_norm, recipe.training.ema) <= (1e-5, 0, 0)


def test_each_set_has_each_network_and_the_splits_that_were_published() -> None:
    sets = {"qata-cov19": 5716 + 1429 + 2113, "mosmeddata-plus": 2729, "monuseg": 44}
    for name, pairs in {**sets, "own-data": 0}.items():
        assert {v.removesuffix("-paper") for n, v in variants() if n == name} == {"tirnet", "reclmis", "tmca"}
        assert sum(load_recipe(name).data.pairs.values()) == pairs
