"""Bases and variants of recipes: what counts when, and what is wrong said with file and line."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from LMISCore.cli.main import main
from LMISCore.errors import InputError
from LMISCore.networks import RecLMIS
from LMISCore.resources import resource
from LMISCore.training.parts import check_parts
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


# What the papers and their released configurations state, epochs written as steps.
OF_TIRNET: dict[str, Any] = {
    "network.name": "tirnet",
    "network.options": {"width": 64, "variant": "release"},
    "text.append_eof": False,
    "loss": {"segmentation": 1.0, "rgc": 1.0, "bs": 0.5},
    "training.optimiser": "adamw",
    "training.learning_rate": 3e-4,
    "training.weight_decay": 1e-5,
    "training.schedule": "cosine",
    "training.final_rate": 1e-6,
    "training.batch": 32,
    "training.seed": 3407,
}
OF_RECLMIS: dict[str, Any] = {
    "network.name": "reclmis",
    "text.append_eof": True,
    "loss": {"segmentation": 5.0, "contrastive": 0.2, "text": 1.0, "image": 1.0, "dice_scale": 0.5},
    "training.optimiser": "adam",
    "training.weight_decay": 0.0,
}
OF_BOTH: dict[str, Any] = {
    "text.encoder": "clip-vit-b32",
    "text.rewrite": "none",
    "image.size": (224, 224),
    "pairs.shares": {"report": 1.0},
    "training.warmup": 0,
    "training.clip_norm": 0.0,
    "training.ema": 0.0,
    "augment.mirror": 0.5,
    "augment.rotate": 20.0,
    "augment.scale": 0.0,
    "augment.noise": 0.0,
}
RELEASE = {"width": 64, "variant": "release"}
PUBLISHED: dict[tuple[str, str], dict[str, Any]] = {
    ("qata-cov19", "tirnet-paper"): OF_TIRNET
    | {"training.steps": 35725, "training.validate_every": 179, "training.patience": 17863},
    ("mosmeddata-plus", "tirnet-paper"): OF_TIRNET
    | {"training.steps": 13644, "training.validate_every": 68, "training.patience": 6822},
    ("qata-cov19", "reclmis-paper"): OF_RECLMIS
    | {
        "network.options": RELEASE,
        "training.learning_rate": 3e-4,
        "training.schedule": "restarts",
        "training.period": 1786,
        "training.final_rate": 1e-4,
        "training.batch": 32,
        "training.steps": 357250,
        "training.validate_every": 179,
        "training.patience": 17863,
    },
    ("mosmeddata-plus", "reclmis-paper"): OF_RECLMIS
    | {
        "network.options": {**RELEASE, "layers": 3, "hide_patches": 0.3, "interest_dropout": 0.5},
        "training.learning_rate": 3e-4,
        "training.schedule": "decay",
        "training.decay": 0.99,
        "training.period": 109,
        "training.final_rate": 3e-5,
        "training.batch": 20,
        "training.steps": 43660,
        "training.validate_every": 109,
        "training.patience": 3275,
    },
    ("monuseg", "reclmis-paper"): OF_RECLMIS
    | {
        "network.options": {**RELEASE, "layers": 3, "interest_dropout": 0.5},
        "training.learning_rate": 1e-3,
        "training.schedule": "restarts",
        "training.period": 10,
        "training.final_rate": 1e-4,
        "training.batch": 24,
        "training.steps": 2000,
        "training.validate_every": 1,
        "training.patience": 50,
    },
}


def test_every_paper_variant_is_compared_with_its_paper() -> None:
    assert set(PUBLISHED) == {(name, variant) for name, variant in variants() if variant.endswith("-paper")}


@pytest.mark.parametrize(("name", "variant"), PUBLISHED)
def test_a_paper_variant_has_the_papers_values_key_by_key(name: str, variant: str) -> None:
    recipe = load_recipe(name, [f"variant={variant}"])
    wanted = OF_BOTH | PUBLISHED[name, variant]
    found = {key: attrgetter(key)(recipe) for key in wanted}
    shares = found["pairs.shares"]
    found["pairs.shares"] = {kind: share for kind, share in shares.items() if share}
    assert found == wanted


@pytest.mark.parametrize("name", sorted({name for name, _ in PUBLISHED}))
def test_the_shares_hidden_by_reclmis_are_the_papers(name: str) -> None:
    options = {"width": 64, **load_recipe(name, ["variant=reclmis-paper"]).network.options}
    with torch.device("meta"):
        built = RecLMIS(**options).options
    assert (built["hide_words"], built["hide_patches"]) == (0.3, 0.3 if name == "mosmeddata-plus" else 0.5)
    assert (built["layers"], built["interest_dropout"]) == ((4, 0.0) if name == "qata-cov19" else (3, 0.5))


SPLITS: dict[str, dict[str, int]] = {
    "qata-cov19": {"Train": 5716, "Val": 1429, "Test": 2113},
    "mosmeddata-plus": {"Train": 2183, "Val": 273, "Test": 273},
    "monuseg": {"Train": 24, "Val": 6, "Test": 14},
    "own-data": {},
}


@pytest.mark.parametrize("name", SPLITS)
def test_each_set_has_each_network_and_the_splits_that_were_published(name: str) -> None:
    assert {v.removesuffix("-paper") for n, v in variants() if n == name} == {"tirnet", "reclmis", "tmca"}
    assert load_recipe(name).data.pairs == SPLITS[name]


@pytest.mark.parametrize(("name", "variant"), variants())
def test_network_and_loss_of_every_bundled_recipe_can_be_built(name: str, variant: str) -> None:
    check_parts(load_recipe(name, [f"variant={variant}"] if variant else []))


@pytest.mark.parametrize(
    ("overrides", "match"),
    [
        (["loss={rcg: 1, sb: 2}"], r"loss\.rcg, loss\.sb are unknown to it, expected some of bs, presence, rgc"),
        (["network.options={width: 2.5}"], r"width is 2\.5, expected a whole number"),
        (["network.options={widht: 8}"], r"cannot be built .*widht"),
        (["network.initial=somewhere"], r"network\.initial is somewhere, but the image encoder of tirnet is its own"),
        (
            ["variant=reclmis", "network.options.auxiliary=false"],
            r"set loss\.contrastive, loss\.text and loss\.image to 0",
        ),
        (["variant=reclmis", "loss.dice_scale=0"], r"dice_scale is 0"),
    ],
)
def test_checking_a_recipe_refuses_parts_that_cannot_be_built(
    overrides: list[str], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=match):
        check_parts(load_recipe("own-data", overrides))
    assert main(["train", "own-data", *overrides, "--check"]) != 0
    assert re.search(match, capsys.readouterr().err.strip())
