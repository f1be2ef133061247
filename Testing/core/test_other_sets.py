"""The two further sets: their recipes, the brain volumes' way into slices, and the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evaluation_makers import (
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    small_data,  # noqa: F401
)

from LMISCore.data.manifest import read_pairs
from LMISCore.errors import InputError
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.training.parts import check_parts
from LMISCore.training.recipe import load_recipe
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry
from Training import other_sets, other_sets_page
from Training.other_sets import SETS, brain_volumes


@pytest.mark.parametrize("name", sorted(name for name, each in SETS.items() if each.trains))
def test_their_recipes_can_be_built(name: str) -> None:
    recipe = load_recipe(other_sets_page.FOLDER / f"{name}.yaml")
    check_parts(recipe)
    assert recipe.network.initial == "bundled"
    assert "pulmonary infection" in recipe.card.findings or recipe.card.findings.keys() == {"white matter lesion"}


def write_brains(folder: Path, patients: tuple[str, ...] = tuple(other_sets.PATIENTS)) -> Path:
    source = folder / "volumes_3d"
    source.mkdir(parents=True)
    rows = [["Image", "Mask", "Description"]]
    for number, patient in enumerate(patients):
        head = np.zeros((6, 8, 10), dtype=np.int16)
        head[1:5, 2:6, 2:8] = 100 + number
        lesion = np.zeros_like(head, dtype=np.uint8)
        lesion[3, 3, 4 + number] = 1
        grid = Geometry((10, 8, 6), (1.0, 1.0, 1.0))
        for kind, array in (("FLAIR", head), ("lesions", lesion)):
            write_volume(source / f"{patient}_{kind}.nii.gz", array, grid)
        rows.append([f"{patient}_FLAIR.nii.gz", f"{patient}_lesions.nii.gz", "Bilateral white matter lesions."])
    with (source / "volumes.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


def test_brain_volumes_become_slices_split_by_patient_without_the_black_ones(tmp_path: Path) -> None:
    manifest = brain_volumes(write_brains(tmp_path / "data"), tmp_path / "work")
    train, val = read_pairs(manifest, "Train"), read_pairs(manifest, "Val")
    assert {pair.patient for pair in train} == {"ms_patient19"} and {pair.patient for pair in val} == {"ms_patient07"}
    assert [pair.order for pair in train] == [1, 2, 3, 4] == [pair.order for pair in val]
    assert {pair.text for pair in [*train, *val]} == {"Bilateral white matter lesions."}
    assert [bool(read_volume(pair.mask).array.any()) for pair in train] == [False, False, True, False]
    assert brain_volumes(tmp_path / "data", tmp_path / "work") == manifest, "a second run begins anew"


def test_a_missing_volume_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no row ms_patient07_FLAIR\.nii\.gz"):
        brain_volumes(write_brains(tmp_path / "data", ("ms_patient19",)), tmp_path / "work")
    with pytest.raises(InputError, match=r"There is no .*volumes\.csv"):
        brain_volumes(tmp_path / "elsewhere", tmp_path / "work")


def test_the_page_shows_what_was_measured(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_sets_page, "FOLDER", tmp_path)
    monkeypatch.setattr(other_sets_page, "PAGE", tmp_path / "page.md")
    result = evaluate(checkpoint(ObedientNetwork(), card()), data, "Val", encoder=WordEncoder(), draws=20,
                      robustness=False)  # fmt: skip
    trained: Any = SimpleNamespace(steps=7, best_step=5)
    figures = other_sets_page.figures_of(result, trained)
    rows = {row[0]: row[1:] for row in figures["rows"]}
    mean = result["conditions"]["right sentence"]["mean_dice"]["estimate"]
    assert rows["mean Dice over pictures"][0].startswith(f"{mean:.3f} [") and rows["mean Dice over pictures"][1] == 22
    assert rows["presence AUROC, affected / unaffected lungs"][1] == "27 / 18"
    assert rows["Dice of the volume case_001"] == [f"{48 / 49:.3f}", 12]
    assert any(name.startswith("mean HD95") for name in rows)
    (tmp_path / "brain_flair.json").write_text(json.dumps(figures), encoding="utf-8")
    other_sets_page.write_page(["brain_flair"])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "## Brain volumes" in page and "step 5 of 7" in page and "(sets/brain_flair.png)" in page
    assert all(f"| {name} | {row[0]} |" in page for name, row in rows.items())
