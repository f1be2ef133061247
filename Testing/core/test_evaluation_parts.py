"""The parts of an evaluation: which sentences are asked, what an answer about one lung counts, how pictures change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from LMISCore.data.lungs import LungGeometry
from LMISCore.errors import InputError
from LMISCore.evaluation import test_log as log
from LMISCore.evaluation.conditions import (
    changes_when_mirrored,
    empty_sentences,
    named_places,
    other_patients,
    side_swapped,
)
from LMISCore.evaluation.figures import overlap_figures, paired_figures, volume_figures
from LMISCore.evaluation.obedience import LungAnswer, lungs_in_view, measure_lung, summarise_obedience
from LMISCore.evaluation.robustness import CHANGES, change_picture
from LMISCore.metrics.bootstrap import block_weights, neighbour_blocks
from LMISCore.metrics.overlap import Counts

RIGHT_LUNG = "Unilateral pulmonary infection, one infected area, posterior right lung."
BOTH_ALIKE = "Bilateral pulmonary infection, two infected areas, posterior left lung and posterior right lung."
BOTH_APART = "Bilateral pulmonary infection, two infected areas, all left lung and middle posterior right lung."


def weights_for(rows: int, draws: int = 50) -> np.ndarray:
    return block_weights(neighbour_blocks(["a"] * rows, 2), draws, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (RIGHT_LUNG, {"right": {"posterior"}}),
        (BOTH_ALIKE, {"left": {"posterior"}, "right": {"posterior"}}),
        (BOTH_APART, {"left": set(), "right": {"middle", "posterior"}}),
        ("upper and lower left lung", {"left": {"upper", "lower"}}),
        ("upper middle lower left lung", {"left": set()}),
        ("Infection in the left lung.", {"left": set()}),
        ("Bilateral infection", {"left": set(), "right": set()}),
        ("Infection in both lower lungs", {"left": {"lower"}, "right": {"lower"}}),
        ("The nuclei are sparsely distributed.", {}),
        ("", {}),
    ],
)
def test_places_are_read_clause_by_clause(text: str, places: dict[str, set[str]]) -> None:
    assert named_places(text) == places


def test_only_sentences_that_say_different_things_of_left_and_right_are_swapped() -> None:
    assert [changes_when_mirrored(text) for text in (RIGHT_LUNG, BOTH_ALIKE, BOTH_APART, "")] == [
        True,
        False,
        True,
        False,
    ]
    condition = side_swapped([RIGHT_LUNG, BOTH_ALIKE])
    assert condition.sentences == (RIGHT_LUNG.replace("right", "left"), None)
    assert condition.asked == 1


def test_the_empty_condition_sends_no_words() -> None:
    assert empty_sentences([RIGHT_LUNG, ""]).sentences == ("", "")


def test_another_patients_sentence_names_other_places_and_the_draw_is_repeatable() -> None:
    sentences = [RIGHT_LUNG, BOTH_ALIKE, BOTH_APART, RIGHT_LUNG, BOTH_ALIKE] * 4
    patients = ["a", "a", "b", "b", "c"] * 4
    first, again = (other_patients(sentences, patients, 7) for _ in range(2))
    assert first == again
    assert first != other_patients(sentences, patients, 8)
    for mine, patient, drawn in zip(sentences, patients, first.sentences, strict=True):
        assert drawn is not None
        assert named_places(drawn) != named_places(mine)
        assert any(text == drawn and owner != patient for text, owner in zip(sentences, patients, strict=True))


def test_a_slice_without_a_fitting_sentence_of_another_patient_is_not_asked() -> None:
    assert other_patients([RIGHT_LUNG, RIGHT_LUNG], ["a", "b"], 0).sentences == (None, None)
    assert other_patients([RIGHT_LUNG, BOTH_ALIKE], ["a", "a"], 0).asked == 0


def test_an_answer_is_split_at_the_midline_and_compared_with_the_cut_mask() -> None:
    geometry = LungGeometry(midline=5.0, top=0, bottom=10)
    truth = np.zeros((10, 10), dtype=bool)
    truth[2:6, 1:5] = truth[2:4, 7:9] = True
    prediction = np.zeros_like(truth)
    prediction[2:6, 3:7] = True
    right = measure_lung(0, "right", prediction, truth, geometry, 0.9)
    assert (right.inside, right.outside, right.lesion) == (8, 8, 16)
    assert right.counts == Counts(tp=8, fp=8, fn=8)
    left = measure_lung(0, "left", prediction, truth, geometry, 0.9)
    assert (left.inside, left.outside, left.lesion) == (8, 8, 4)
    assert (right.affected, left.affected) == (True, None)
    assert measure_lung(0, "left", prediction, truth & False, geometry, 0.9).affected is False


def test_a_lung_that_the_slice_does_not_show_is_not_in_view() -> None:
    geometry = LungGeometry(midline=5.0, top=0, bottom=10)
    lungs = np.zeros((10, 10))
    assert lungs_in_view(lungs, geometry) == []
    lungs[4, 2] = 255
    assert lungs_in_view(lungs, geometry) == ["right"]
    lungs[4, 8] = 127
    assert lungs_in_view(lungs, geometry) == ["left", "right"]


def test_obedience_figures_are_pooled_over_pixels_and_counted_by_hand() -> None:
    answers = [
        LungAnswer(0, "right", inside=90, outside=10, lesion=100, counts=Counts(80, 20, 20), presence=0.9),
        LungAnswer(0, "left", inside=0, outside=0, lesion=50, counts=Counts(0, 0, 50), presence=0.4),
        LungAnswer(1, "right", inside=5, outside=5, lesion=0, counts=Counts(0, 10, 0), presence=0.5),
        LungAnswer(1, "left", inside=0, outside=0, lesion=12, counts=Counts(0, 0, 12), presence=0.1),
    ]
    right = [Counts(120, 20, 30), Counts(6, 4, 6)]
    found = summarise_obedience(answers, right, ["p", "q"], weights_for(2), presence_threshold=0.5)
    assert found["lungs"] | {"rule": ""} == {"asked": 4, "affected": 2, "unaffected": 1, "left_out": 1, "rule": ""}
    assert found["foreground_on_named_side"]["all_lungs"]["estimate"] == pytest.approx(95 / 110)
    assert found["foreground_on_named_side"]["affected_lungs"]["estimate"] == pytest.approx(0.9)
    cut = found["side_cut_dice"]
    assert cut["pooled"]["estimate"] == pytest.approx(160 / 250)
    assert cut["whole_slice_pooled"]["estimate"] == pytest.approx(240 / 290)
    assert cut["share_of_whole_slice"]["estimate"] == pytest.approx((160 / 250) / (240 / 290))
    assert (cut["n"], cut["slices"]) == (2, 1)
    assert found["affected_lungs_without_answer"]["share"]["estimate"] == 0.5
    presence = found["presence_auroc"]
    assert presence["estimate"] == 0.5
    assert presence["at_threshold"] == {"threshold": 0.5, "sensitivity": 0.5, "specificity": 0.0}
    assert presence["per_patient"]["p"] == {"auroc": None, "n_affected": 2, "n_unaffected": 0}
    assert found["per_patient"]["q"]["foreground_on_named_side"] == 0.5
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_figures_leave_out_what_was_not_asked_and_count_empty_truths() -> None:
    counts = [Counts(10, 0, 0), None, Counts(5, 5, 5), Counts(0, 3, 0)]
    found = overlap_figures(counts, ["p", "p", "q", "q"], weights_for(4))
    assert (found["n"], found["images_in_mean"], found["empty_truths"]) == (3, 2, 1)
    assert found["mean_dice"]["estimate"] == pytest.approx(0.75)
    assert found["pooled_dice"]["estimate"] == pytest.approx(30 / 43)
    assert found["pooled_iou"]["estimate"] == pytest.approx(15 / 28)
    assert found["per_patient"]["q"]["mean_dice"] == pytest.approx(0.5)


def test_a_scan_is_one_case_whatever_its_slices_and_one_without_truth_is_left_out() -> None:
    counts = [Counts(10, 0, 0), Counts(0, 0, 30), Counts(5, 5, 5), None, Counts(0, 3, 0)]
    found = volume_figures(counts, ["a", "a", "b", "b", "c"], weights_for(5))
    assert found is not None
    assert found["per_volume"]["a"]["pooled_dice"] == pytest.approx(20 / 50)
    assert found["per_volume"]["c"]["empty_truths"] == 1
    assert (found["n"], found["mean_dice"]["estimate"]) == (2, pytest.approx((0.4 + 0.5) / 2))
    assert 0.4 <= found["mean_dice"]["high"] <= 1
    assert volume_figures(counts, list("abcde"), weights_for(5)) is None


def test_a_paired_difference_uses_the_slices_asked_in_both() -> None:
    reference = [Counts(10, 0, 0), Counts(1, 0, 1), Counts(5, 5, 5)]
    found = paired_figures([Counts(5, 5, 5), None, Counts(5, 5, 5)], reference, weights_for(3))
    assert found["n"] == 2
    assert found["mean_dice"]["estimate"] == pytest.approx(-0.25)
    assert found["reference_mean_dice"] == pytest.approx(0.75)
    assert found["pooled_dice"]["estimate"] == pytest.approx(20 / 40 - 30 / 40)


RAMP = np.linspace(0, 200, 201).astype(np.uint8).reshape(3, 67)


def test_changes_of_the_picture_by_hand() -> None:
    generator = np.random.default_rng(0)
    found = {name: change_picture(RAMP, name, generator).ravel() for name in CHANGES}
    assert [int(found["gamma 0.7"][i]) for i in (0, 100, 200)] == [0, round(200 * 0.5**0.7), 200]
    assert [int(found["gamma 1.4"][i]) for i in (0, 100, 200)] == [0, round(200 * 0.5**1.4), 200]
    assert [int(found["contrast x 0.7"][i]) for i in (0, 100, 200)] == [30, 100, 170]
    clipped = found["darkest and brightest 10 % of the range clipped"]
    assert (int(clipped.min()), int(clipped.max()), int(clipped[100])) == (20, 180, 100)


def test_noise_has_three_per_cent_of_the_range_and_its_seed_repeats_it() -> None:
    picture = np.full((100, 100), 500.0, dtype=np.float32)
    picture[0, :2] = 0, 1000
    name = "Gaussian noise of 3 % of the range"
    first, again = (change_picture(picture, name, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert float((first - picture)[1:].std()) == pytest.approx(30, rel=0.05)


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_changed_picture_keeps_shape_type_and_range(name: str) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    changed = change_picture(colour, name, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (colour.shape, colour.dtype)
    assert not np.array_equal(changed, colour)
    flat = np.full((4, 4), 7, dtype=np.int16)
    assert np.array_equal(change_picture(flat, name, np.random.default_rng(1)), flat)


def test_the_log_counts_runs_by_the_datas_hash(tmp_path: Path) -> None:
    path = tmp_path / "new" / "test_runs.jsonl"
    assert log.earlier_runs(path, "aa") == 0
    log.append_run(path, {"data_hash": "aa", "checkpoint_hash": "1"})
    log.append_run(path, {"data_hash": "bb", "checkpoint_hash": "1"})
    log.append_run(path, {"data_hash": "aa", "checkpoint_hash": "2"})
    assert log.earlier_runs(path, "aa") == 2
    assert [entry["checkpoint_hash"] for entry in log.read_log(path)] == ["1", "1", "2"]


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0c"])
def test_a_name_with_a_line_end_of_unicode_stays_one_line_of_the_test_log(tmp_path: Path, end: str) -> None:
    path = tmp_path / "log.jsonl"
    log.append_run(path, {"data_hash": "aa", "checkpoint": f"ours{end}of May"})
    assert log.earlier_runs(path, "aa") == 1
    assert log.read_log(path)[0]["checkpoint"] == f"ours{end}of May"


def test_looking_whether_the_log_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "test_runs.jsonl"
    log.require_writable(path)
    assert not path.exists()
    log.require_writable(tmp_path / "new" / "deep" / "test_runs.jsonl")
    assert list(tmp_path.iterdir()) == []
    log.append_run(path, {"data_hash": "aa"})
    before = path.read_bytes()
    log.require_writable(path)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match=r"cannot be written.*--log"):
        log.require_writable(tmp_path)


def test_a_broken_line_of_the_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "test_runs.jsonl"
    path.write_text('{"data_hash": "aa"}\n\nnot json\n', encoding="utf-8")
    with pytest.raises(InputError, match="Line 3 of the test log"):
        log.read_log(path)


def test_the_log_lies_in_the_training_folder_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert log.default_log_path("out") == Path("out") / "test_runs.jsonl"
    (tmp_path / "Training").mkdir()
    assert log.default_log_path("out") == tmp_path / "Training" / "test_runs.jsonl"
