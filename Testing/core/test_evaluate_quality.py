"""Outlines, calibration, scans and the network's own resolution, on data whose figures are known beforehand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_makers import (
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    one_thread,  # noqa: F401
    small_data,  # noqa: F401
    small_data_copy,  # noqa: F401
)

from LMISCore.data.slices import TruthSlice
from LMISCore.evaluation.card import card_metrics
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.quality import (
    SurfaceRule,
    measure_native,
    measure_network,
    pack_mask,
    surface_figures,
    unpack_mask,
)
from LMISCore.evaluation.tables import markdown
from LMISCore.metrics.bootstrap import block_weights
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.volume import Geometry, Volume

LOW = 1 / (1 + math.exp(9))
LUNG_PIXELS = 2 * 24 * 10
# The right sentence also marks the picture's bright corner: one outline pixel of 17, so the 95th percentile of its
# distances lies a fifth of the way from 0 to the corner's.
CORNER = 0.2 * math.hypot(18, 6)


def measured(data: Path, folder: Path, **options: Any) -> dict[str, Any]:
    network = checkpoint(ObedientNetwork(), card())
    values: dict[str, Any] = {"encoder": WordEncoder(), "draws": 50, "robustness": False, "device": "cpu"}
    return evaluate(network, data, "Val", log=folder / "log", **{**values, **options})


@pytest.fixture(scope="module")
def result(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measured(data, tmp_path_factory.mktemp("result"))


def test_outlines_are_compared_by_hand_counted_distances(result: dict[str, Any]) -> None:
    rows = result["slices"]
    assert rows[0]["surface"] == [pytest.approx(CORNER, abs=1e-5), pytest.approx(32 / 33, abs=1e-5), "pixels"]
    found = result["resolutions"]["native"]["surface"]
    # The slice without truth has no surface Dice; the corner alone was marked on it, so it has no distance either.
    assert (found["unit"], found["hd95_images"], found["one_mask_empty"]) == ("pixels", 22, 1)
    assert found["surface_dice_images"] == 22
    assert found["per_patient"]["case_001"]["hd95"] == pytest.approx(CORNER, abs=1e-5)
    assert "distances are in pixels" in markdown(result)


def test_a_stated_size_of_a_pixel_makes_them_mm(data: Path, tmp_path: Path) -> None:
    found = measured(data, tmp_path, surface=SurfaceRule(1.0, (2.0, 0.5)))
    hd95, _, unit = found["slices"][0]["surface"]
    assert (hd95, unit) == (pytest.approx(0.2 * math.hypot(36, 3), abs=1e-5), "mm")
    assert found["settings"]["surface_tolerance"] == 1
    assert {"mean HD95, mm", "mean surface Dice at 1 mm"} <= {metric["name"] for metric in card_metrics(found)}
    assert "mean surface Dice at 1 mm" in markdown(found)


def test_distances_can_be_left_out(data: Path, tmp_path: Path) -> None:
    found = measured(data, tmp_path, surface=None)
    assert found["resolutions"]["native"]["surface"] is None
    assert found["slices"][0]["surface"] is None
    assert "HD95" not in markdown(found)
    assert not any("HD95" in metric["name"] for metric in card_metrics(found))


def test_pixels_are_calibrated_inside_the_lungs_where_there_are_lung_masks(
    result: dict[str, Any], own_data: Path, tmp_path: Path
) -> None:
    pixels = result["calibration"]["pixels"]["native"]
    assert (pixels["region"], pixels["slices"], pixels["n"]) == ("inside the lungs", 23, 23 * LUNG_PIXELS)
    assert pixels["error"]["estimate"] == pytest.approx(LOW, rel=1e-3)
    for mask in (own_data / "Val_Folder" / "lungs").iterdir():
        mask.unlink()
    whole = measured(own_data, tmp_path)["calibration"]
    assert (whole["pixels"]["native"]["region"], whole["pixels"]["native"]["n"]) == ("whole picture", 23 * 32 * 32)
    # Now the corner counts, wrongly marked wherever the right is named or nothing is.
    lesions = 12 * 24 + 6 * 49 + 3 * 25 + 3
    high = abs(lesions - (lesions + 19) * (1 - LOW))
    low = LOW * (23 * 32 * 32 - lesions - 19)
    assert whole["pixels"]["native"]["error"]["estimate"] == pytest.approx((high + low) / (23 * 32 * 32), rel=1e-3)
    assert whole["presence"] is None


def test_the_presence_scores_of_affected_and_unaffected_lungs_are_calibrated(result: dict[str, Any]) -> None:
    presence = result["calibration"]["presence"]
    # 27 affected lungs and, for the bright corner, 5 unaffected right ones score 1, 13 unaffected left ones 0.
    assert presence["n"] == 45
    assert presence["bins"]["count"] == [13, *[0] * 13, 32]
    assert presence["bins"]["positive_share"][-1] == pytest.approx(27 / 32)
    assert presence["error"]["estimate"] == pytest.approx(5 / 45, abs=1e-3)
    assert presence["per_patient"]["case_001"]["n"] == 24


def test_the_slices_of_a_scan_are_taken_together(result: dict[str, Any]) -> None:
    volumes = result["volumes"]
    second = 2 * (6 * 49 + 75 + 3)
    assert volumes["n"] == 2
    assert volumes["per_volume"]["case_001"]["pooled_dice"] == pytest.approx(48 / 49)
    assert volumes["per_volume"]["case_002"]["pooled_dice"] == pytest.approx(second / (second + 7))
    assert volumes["mean_dice"]["estimate"] == pytest.approx((48 / 49 + second / (second + 7)) / 2)
    assert "## By scan" in markdown(result)


def test_precision_and_recall_stand_beside_dice(result: dict[str, Any]) -> None:
    right = result["conditions"]["right sentence"]
    precision = [24 / 25] * 12 + [49 / 50] * 6 + [1.0] * 4
    assert right["mean_precision"]["estimate"] == pytest.approx(np.mean(precision))
    assert right["mean_recall"]["estimate"] == 1
    assert right["pooled_precision"]["estimate"] == pytest.approx(660 / 679)
    assert right["per_patient"]["case_001"]["mean_precision"] == pytest.approx(24 / 25)


def test_the_card_says_over_how_many_slices_the_mean_precision_was_taken(result: dict[str, Any]) -> None:
    conditions = {**result["conditions"], "right sentence": {**result["conditions"]["right sentence"], "unmarked": 3}}
    metrics = {metric["name"]: metric for metric in card_metrics({**result, "conditions": conditions})}
    assert (metrics["mean precision"]["n"], metrics["mean recall"]["n"]) == (22 - 3, 22)
    calibration = metrics["expected calibration error, pixels inside the lungs"]
    assert (calibration["n"], calibration["value"]) == (23 * LUNG_PIXELS, pytest.approx(LOW, rel=1e-3))
    assert metrics["expected calibration error, presence score"]["n"] == 45
    assert metrics["mean HD95, pixels"]["policy"] == "1 slice(s) with one mask empty left out"
    assert metrics["mean Dice over scans"]["n"] == 2


def slice_of(truth: np.ndarray, lungs: np.ndarray | None, spacing: tuple[float, float] | None) -> TruthSlice:
    rows, columns = truth.shape
    height, width = spacing or (1.0, 1.0)
    geometry = Geometry((columns, rows, 1), spacing=(width, height, 1.0))
    picture = np.zeros((1, rows, columns), dtype=np.uint8)
    volume = Volume(picture, geometry, "slice", "made for tests", spacing_known=spacing is not None)
    return TruthSlice(volume, picture[0], spacing or (1.0, 1.0), truth, lungs)


def test_at_the_networks_resolution_truth_lungs_and_pixel_size_are_brought_to_it() -> None:
    # Native 8x4 with pixels of 1 mm fills 4x2 of a network's 4x4 picture, one column of padding on each side.
    truth, lungs = np.zeros((8, 4), dtype=bool), np.zeros((8, 4))
    truth[0:2, 0:2] = True
    lungs[0:4, :] = 255
    frame = Frame((8, 4), (4, 4))
    assert (frame.inner, frame.corner) == ((4, 2), (0, 1))
    probability = np.full((4, 4), 0.9, dtype=np.float32)
    probability[:, 1:3] = [[0.25, 0.25], [0.25, 0.25], [0.25, 0.25], [0.25, 0.7]]
    found = measure_network(slice_of(truth, lungs, (1.0, 1.0)), frame, probability, 0.5, SurfaceRule())
    # One true pixel, missed; one marked three rows down and one column across, each of 2 mm.
    assert (found.counts.tp, found.counts.fp, found.counts.fn) == (0, 1, 1)
    assert found.surface is not None
    assert found.surface.hd95 == pytest.approx(math.hypot(6, 2))
    assert found.unit == "mm"
    # Half of the covered pixels are lung, all with 0.25, one of them true.
    assert found.bins[:, 3].tolist() == [4, 1, 1]
    assert found.bins[0].sum() == 4


def test_slices_in_pixels_are_left_out_beside_slices_in_mm() -> None:
    truth, answer = np.zeros((6, 6), dtype=bool), np.zeros((6, 6), dtype=bool)
    truth[2, 2] = answer[2, 4] = True
    items = [slice_of(truth, None, spacing) for spacing in ((0.5, 0.5), None)]
    answers = [measure_native(item, answer.astype(np.float32), answer, SurfaceRule()) for item in items]
    weights = block_weights(np.array([0, 1]), 20, np.random.default_rng(0))
    found = surface_figures(answers, ["p", "p"], weights)
    assert found is not None
    assert (found["unit"], found["hd95_images"], found["hd95"]["estimate"]) == ("mm", 1, pytest.approx(1.0))
    alone = surface_figures(answers[1:], ["p"], weights[:, :1])
    assert alone is not None
    assert (alone["unit"], alone["hd95"]["estimate"]) == ("pixels", pytest.approx(2.0))


def test_a_packed_mask_comes_back_as_it_was() -> None:
    mask = np.random.default_rng(0).random((13, 7)) < 0.4
    assert np.array_equal(unpack_mask(pack_mask(mask), (13, 7)), mask)
