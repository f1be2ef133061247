"""What an evaluation leaves in its folder: single images as CSV, plots, a sheet of best, median and worst slices."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sys
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
)
from PIL import Image

from LMISCore.errors import MissingDependencyError
from LMISCore.evaluation.conditions import EMPTY, RIGHT
from LMISCore.evaluation.evaluate import Kept, evaluate
from LMISCore.evaluation.image_table import image_table
from LMISCore.evaluation.outputs import can_plot, write_evaluation
from LMISCore.evaluation.plots import listening_plot, reliability_plot
from LMISCore.evaluation.rows import write_result
from LMISCore.evaluation.sheet import ANSWER, GAP, MARGIN, SIDE, TRUTH, chosen_slices, contact_sheet

FILES = {
    "evaluation.json",
    "evaluation.md",
    "evaluation.csv",
    "reliability.png",
    "listening.png",
    "contact_sheet.png",
}


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def result(data: Path, kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    log = tmp_path_factory.mktemp("result") / "log"
    network = checkpoint(ObedientNetwork(), card())
    return evaluate(network, data, "Val", encoder=WordEncoder(), draws=20, robustness=False, log=log, kept=kept)


def test_every_file_is_written_and_the_json_reads_back_as_the_result(
    result: dict[str, Any], kept: Kept, tmp_path: Path
) -> None:
    written = write_evaluation(tmp_path, result, kept, plots=True)
    assert {path.name for path in written} == FILES == {path.name for path in tmp_path.iterdir()}
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(result))
    lines = [line for line in text.splitlines() if '"image": "case_001_s0003.png"' in line]
    assert len(lines) == 1
    assert json.loads(lines[0].rstrip(",")) == json.loads(json.dumps(result["slices"][3]))
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 300


def test_a_result_whose_words_look_like_its_own_frame_is_written_whole(tmp_path: Path) -> None:
    deeper: dict[str, Any] = {"slices": []}
    result = {"name": '\n  "slices": []', "deeper": deeper, "slices": [{"image": 'a "quoted" name\n'}, {"image": "b"}]}
    write_result(tmp_path / "r.json", result)
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == result


def test_the_table_has_one_line_an_image_with_its_figures(result: dict[str, Any]) -> None:
    lines = list(csv.DictReader(io.StringIO(image_table(result))))
    assert len(lines) == 23
    first = lines[0]
    assert (first["image"], first["patient"], first["surface_unit"]) == ("case_001_s0000.png", "case_001", "pixels")
    assert float(first["dice"]) == pytest.approx(48 / 49, rel=1e-5)
    assert float(first["precision"]) == pytest.approx(24 / 25, rel=1e-5)
    assert [first[key] for key in ("recall", "true_positives", "false_positives")] == ["1", "24", "1"]
    assert float(first["hd95"]) == pytest.approx(0.2 * math.hypot(18, 6), rel=1e-5)
    assert first[f"dice, {EMPTY}"] == "0"
    # The last slice has no lesion, but its corner is marked: no recall, and no finite distance.
    last = lines[-1]
    assert (last["recall"], last["dice"], last["hd95"], last["surface_dice"]) == ("", "0", "inf", "0")
    assert last["dice, negated sentence"] == ""


def test_a_pictures_name_is_no_formula_in_the_table(result: dict[str, Any]) -> None:
    named = {**result, "slices": [{**result["slices"][0], "image": "=1+1.png", "case": "-A1+B1", "patient": "@p"}]}
    (line,) = csv.DictReader(io.StringIO(image_table(named)))
    assert [line[key] for key in ("image", "case", "patient")] == ["'=1+1.png", "'-A1+B1", "'@p"]


def test_plots_of_an_earlier_run_do_not_stay_beside_new_figures(
    result: dict[str, Any], kept: Kept, tmp_path: Path
) -> None:
    write_evaluation(tmp_path, result, kept, plots=True)
    write_evaluation(tmp_path, result, None, plots=False)
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "evaluation.md", "evaluation.csv"}


def test_without_matplotlib_plots_are_refused_in_one_sentence(
    result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_plot()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not can_plot()
    with pytest.raises(MissingDependencyError, match=r"LMISCore\[plots\]"):
        reliability_plot(result)


def points(line: Any) -> tuple[list[float], list[float]]:
    """A plotted line's points: across, and up."""
    return [float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]


def test_the_reliability_plot_draws_the_filled_bins(result: dict[str, Any]) -> None:
    figure = reliability_plot(result)
    pixels, presence = figure.axes[:2]
    bins = result["calibration"]["presence"]["bins"]
    (line,) = [line for line in presence.get_lines() if line.get_marker() == "o"]
    across, up = points(line)
    assert across == [p for p in bins["mean_probability"] if p is not None]
    assert up == [0, pytest.approx(27 / 32)]
    legend = pixels.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "native resolution: error 0.000, n 11040",
        "network resolution: error 0.000, n 11040",
    ]


def test_the_listening_plot_shows_each_condition_and_each_place(result: dict[str, Any]) -> None:
    left, right = listening_plot(result).axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == [f"{name} (n {figures['n']})" for name, figures in result["conditions"].items()]
    assert next(label.get_text() for label in right.get_yticklabels()) == "all lungs (n 46)"
    dots = [points(line)[0][0] for line in left.get_lines() if line.get_marker() == "o"]
    assert dots == [figures["mean_dice"]["estimate"] for figures in result["conditions"].values()]
    (ticks,) = [line for line in left.get_lines() if line.get_marker() == "|"]
    assert points(ticks)[1] == list(range(1, len(labels)))


def test_a_result_without_obedience_is_plotted_without_places(result: dict[str, Any]) -> None:
    assert len(listening_plot({**result, "obedience": None}).axes) == 1


def rows_of(dice: list[float | None]) -> list[dict[str, Any]]:
    """Rows of 1000 pixels with these Dice; None for an empty truth."""
    counts = [[0, 3, 0] if d is None else [round(500 * d), 500 - round(500 * d), 500 - round(500 * d)] for d in dice]
    return [{"image": f"{n}.png", "case": "c", "patient": "p", "counts": {RIGHT: c}} for n, c in enumerate(counts)]


def test_best_median_and_worst_are_chosen_one_of_ten_neighbours_and_none_twice() -> None:
    dice: list[float | None] = [0.5] * 100
    dice[4], dice[5], dice[77], dice[30], dice[31], dice[62], dice[99] = 0.99, 0.98, 0.9, 0.01, 0.02, 0.1, None
    chosen = chosen_slices(rows_of(dice), each=2)
    assert list(chosen) == ["best", "median", "worst"]
    assert (chosen["best"], chosen["worst"]) == ([4, 77], [30, 62])
    assert all(dice[row] == 0.5 for row in chosen["median"])
    assert len({row for group in chosen.values() for row in group}) == 6


def test_few_slices_are_shown_once_each_and_none_without_truth() -> None:
    assert chosen_slices(rows_of([0.2, None])) == {"best": [0]}
    assert chosen_slices(rows_of([None, None])) == {}


def test_the_sheet_outlines_truth_and_answer_beside_the_plain_picture(result: dict[str, Any], kept: Kept) -> None:
    sheet = contact_sheet(result, kept)
    assert sheet is not None
    pixels = np.asarray(sheet)
    groups = chosen_slices(result["slices"])
    assert sheet.width == 2 * MARGIN + max(map(len, groups.values())) * (2 * SIDE + GAP + MARGIN) - MARGIN
    # Below the legend, the left half of the first panel is plain and the right one carries the outlines.
    panel = pixels[78 : 78 + SIDE, MARGIN : MARGIN + 2 * SIDE + GAP]

    def places(colour: tuple[int, int, int]) -> np.ndarray:
        return np.argwhere((panel == colour).all(-1))

    # The answer covers the truth's outline where they agree; a wrong answer leaves it in sight.
    assert len(places(ANSWER)) > 100
    assert places(ANSWER)[:, 1].min() >= SIDE
    empty = Kept(kept.pairs, dict.fromkeys(kept.masks, kept.masks[22]), kept.kinds)
    wrong = contact_sheet(result, empty)
    assert wrong is not None
    panel = np.asarray(wrong)[78 : 78 + SIDE, MARGIN : MARGIN + 2 * SIDE + GAP]
    assert len(places(TRUTH)) > 100
    assert contact_sheet({**result, "slices": rows_of([None])}, kept) is None


def test_a_set_without_any_lesion_is_written_without_a_sheet(data: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(data, tmp_path / "set"))
    for mask in (own / "Val_Folder" / "labelcol").iterdir():
        Image.fromarray(np.zeros((32, 32), dtype=np.uint8)).save(mask)
    seen, network = Kept(), checkpoint(ObedientNetwork(), card())
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": tmp_path / "log"}
    found = evaluate(network, own, "Val", kept=seen, **options)
    written = write_evaluation(tmp_path / "out", found, seen, plots=True)
    assert {path.name for path in written} == FILES - {"contact_sheet.png"}
    assert found["conditions"][RIGHT]["mean_dice"]["estimate"] is None
    assert found["conditions"][RIGHT]["empty_truths"] == 23
    assert found["volumes"]["mean_dice"]["estimate"] is None
    assert found["obedience"]["presence_auroc"]["estimate"] is None


def test_a_ct_is_shown_through_the_lung_window(tmp_path: Path) -> None:
    import SimpleITK as sitk

    # From -1350 HU, black in the lung window, to 150 HU, white, then far above it, where a stretch would go on.
    values = np.full((1, 32, 32), -1350, dtype=np.float32)
    values[0, 8:16], values[0, 16:24], values[0, 24:] = -600, 150, 3000
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "a.mha"))
    Image.fromarray((values[0] > 0).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "set.csv").write_text("image,mask,text,split\na.mha,a.png,Infection left.,Val\n", encoding="utf-8")
    seen, network = Kept(), checkpoint(ObedientNetwork(), card(image={**card().image, "convention": "lung"}))
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": tmp_path / "log"}
    found = evaluate(network, tmp_path / "set.csv", "Val", kept=seen, **options)
    assert found["slices"][0]["surface"][2] == "mm"
    sheet = contact_sheet(found, seen)
    assert sheet is not None
    column = np.asarray(sheet)[78 : 78 + SIDE, MARGIN + SIDE // 2, 0]
    assert [int(column[round(SIDE * part)]) for part in (1 / 8, 3 / 8, 5 / 8, 7 / 8)] == [0, 127, 255, 255]
