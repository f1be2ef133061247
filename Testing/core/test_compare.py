"""Two results on the same images: paired differences, patients beside them, and what cannot be compared."""

from __future__ import annotations

import csv
import io
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from evaluation_makers import (
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    one_thread,  # noqa: F401
    small_data,  # noqa: F401
)

from LMISCore.errors import InputError
from LMISCore.evaluation.compare import compare
from LMISCore.evaluation.comparison_page import comparison_page, image_differences
from LMISCore.evaluation.conditions import EMPTY, OTHER, RIGHT, SHUFFLED
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.plots import comparison_plot
from LMISCore.evaluation.quality import SurfaceRule

DRAWS = 200


@pytest.fixture(scope="module")
def results(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """An obedient network, and one that marks everything bright whatever it is asked."""
    log = tmp_path_factory.mktemp("results") / "log"
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": DRAWS, "robustness": False, "log": log}
    obedient, blind = (checkpoint(ObedientNetwork(reads), card()) for reads in (True, False))
    return evaluate(obedient, data, "Val", **options), evaluate(blind, data, "Val", **options)


def figures_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in found["figures"]}


def test_differences_are_b_minus_a_and_counted_by_hand(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = compare(*results, draws=DRAWS)
    figures = figures_of(found)
    # Ignoring the sentence costs one false pixel, the bright corner, on the three slices and the dot on the left.
    difference = (3 * (50 / 51 - 1) + (6 / 7 - 1)) / 22
    assert figures["mean Dice"]["n"] == 22
    assert figures["mean Dice"]["difference"]["estimate"] == pytest.approx(difference)
    assert figures["mean recall"]["difference"]["estimate"] == 0
    pooled = [660 / 679, 660 / 683]
    assert [figures["pooled precision"][side] for side in ("a", "b")] == pytest.approx(pooled)
    assert figures["foreground on the named side"]["a"] == 1
    assert figures["foreground on the named side"]["b"] < 0.6
    assert figures["presence AUROC, affected against unaffected lungs"]["difference"]["estimate"] < 0
    assert figures["expected calibration error, presence score"]["b"] == pytest.approx(18 / 45, abs=1e-3)
    assert figures["mean HD95, pixels"]["better"] == "lower"
    assert found["notes"] == []
    same = found["per_patient"]["case_001"]
    assert (same["n"], same["mean_dice"]["difference"]) == (12, 0)
    other = found["per_patient"]["case_002"]["mean_dice"]
    assert other["difference"] == pytest.approx(difference * 22 / 10)
    page = comparison_page(found)
    assert f"| case_001 | 12 | {48 / 49:.3f} | {48 / 49:.3f} | 0.000 |" in page
    assert "| foreground on the named side | 46 | 1.000 |" in page
    assert "A better" in page


def test_the_figures_equal_those_that_each_evaluation_gave(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    a, b = results
    figures = figures_of(compare(a, b, draws=DRAWS))
    for name, keys in {
        "mean Dice": ("conditions", RIGHT, "mean_dice"),
        "pooled IoU": ("conditions", RIGHT, "pooled_iou"),
        "mean precision": ("conditions", RIGHT, "mean_precision"),
        "mean Dice over scans": ("volumes", "mean_dice"),
        "mean HD95, pixels": ("resolutions", "native", "surface", "hd95"),
        "mean surface Dice": ("resolutions", "native", "surface", "surface_dice"),
        "expected calibration error, pixels inside the lungs": ("calibration", "pixels", "native", "error"),
        "expected calibration error, presence score": ("calibration", "presence", "error"),
        "foreground on the named side": ("obedience", "foreground_on_named_side", "all_lungs"),
        "side-cut Dice, affected lungs": ("obedience", "side_cut_dice", "pooled"),
        "affected lungs without answer": ("obedience", "affected_lungs_without_answer", "share"),
        "presence AUROC, affected against unaffected lungs": ("obedience", "presence_auroc"),
        f"mean Dice, {EMPTY}": ("conditions", EMPTY, "mean_dice"),
    }.items():
        for side, result in (("a", a), ("b", b)):
            value: Any = result
            for key in keys:
                value = value[key]
            assert figures[name][side] == pytest.approx(value["estimate"], abs=1e-5), (name, side)


def test_intervals_are_those_of_paired_blocks_of_neighbours(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    a = results[0]
    b = deepcopy(a)
    for row in b["slices"]:
        row["counts"][RIGHT] = row["counts"][OTHER]
    figures = figures_of(compare(a, b, draws=DRAWS))
    # The evaluation itself compares the two conditions on the same draws.
    for name, key in (("mean Dice", "mean_dice"), ("pooled Dice", "pooled_dice")):
        assert figures[name]["difference"] == pytest.approx(a["differences"][OTHER][key])
    assert figures["mean Dice"]["difference"]["low"] < figures["mean Dice"]["difference"]["high"]


def test_a_result_compared_with_itself_differs_nowhere(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = compare(results[0], results[0], draws=20)
    for figure in found["figures"]:
        difference = figure["difference"]
        assert (difference["estimate"], difference["low"], difference["high"]) == (0, 0, 0), figure["name"]
    assert "better |" not in comparison_page(found)


def test_results_on_different_images_are_refused_in_one_sentence(
    results: tuple[dict[str, Any], dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": tmp_path / "log"}
    network = checkpoint(ObedientNetwork(), card())
    other_split = evaluate(network, data, "Test", **options)
    with pytest.raises(InputError, match="23 images of small set, split Val, and B on 23 images of small set, split T"):
        compare(results[0], other_split)
    part = evaluate(network, data, "Val", cases=["case_001*"], **options)
    with pytest.raises(InputError, match=r"on 12 images .*not the same; evaluate both on the same data") as caught:
        compare(results[0], part)
    assert str(caught.value).count(". ") == 0


def test_what_only_one_result_has_is_left_out_and_said(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    a, old = deepcopy(results[0]), deepcopy(results[1])
    for row in old["slices"]:
        for key in ("surface", "bins", "region", "places", "presence", "network_counts"):
            del row[key]
    found = compare(a, old, draws=20)
    assert {"mean Dice", "pooled recall"} <= set(figures_of(found))
    assert not any("HD95" in name or "error" in name or "lungs" in name for name in figures_of(found))
    assert [note.split(" is left out")[0].split(" are left out")[0] for note in found["notes"]] == [
        "HD95 and surface Dice",
        "The calibration of the pixels",
        "Obedience",
    ]
    assert "## Notes" in comparison_page(found)


def test_what_was_measured_differently_is_not_compared(
    results: tuple[dict[str, Any], dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": tmp_path / "log"}
    network = checkpoint(ObedientNetwork(), card(thresholds={"mask": 0.4, "presence": 0.5}))
    mm = evaluate(network, data, "Val", surface=SurfaceRule(1.0, (1.0, 1.0)), **options)
    found = compare(results[0], mm, draws=5)
    assert not any("HD95" in name for name in figures_of(found))
    assert any("some are in mm and some in pixels" in note for note in found["notes"])
    assert "The probability was cut at 0.5 for A and at 0.4 for B." in found["notes"]
    wider = evaluate(network, data, "Val", surface=SurfaceRule(3.0), seed=1, **options)
    found = compare(results[0], wider, draws=5)
    names = set(figures_of(found))
    assert "mean HD95, pixels" in names
    assert not {"mean surface Dice", f"mean Dice, {OTHER}", f"mean Dice, {SHUFFLED}"} & names
    assert f"mean Dice, {EMPTY}" in names
    assert any("different tolerances" in note for note in found["notes"])
    assert any("different seeds" in note for note in found["notes"])


def across(line: Any) -> list[float]:
    """Where a plotted line's points lie along the horizontal axis."""
    return [float(x) for x in line.get_xdata()]


def test_the_table_of_images_and_the_plot_hold_every_image(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = compare(*results, draws=20)
    lines = list(csv.DictReader(io.StringIO(image_differences(found))))
    assert len(lines) == 23
    assert float(lines[20]["difference"]) == pytest.approx(50 / 51 - 1)
    assert lines[22]["dice_a"] == ""
    odd = {"images": [{**found["images"][0], "image": "=1+1.png", "difference": -0.25}]}
    (line,) = csv.DictReader(io.StringIO(image_differences(odd)))
    assert (line["image"], line["difference"]) == ("'=1+1.png", "-0.25")
    left, right = comparison_plot(found).axes
    low, high = left.get_xlim()
    drawn = [x for line in left.get_lines() if line.get_marker() == "o" for x in across(line)]
    assert low < min(drawn) < 0 < max(drawn) < high
    points = [line for line in right.get_lines() if line.get_marker() == "o"]
    assert [len(across(line)) for line in points] == [12, 10]
