"""A whole evaluation on a small made-up data set, with a network whose every figure is known beforehand."""

from __future__ import annotations

import json
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
from test_bundled_figures import PROMISES
from torch import Tensor

from LMISCore.errors import Cancelled
from LMISCore.evaluation.card import card_metrics
from LMISCore.evaluation.conditions import EMPTY, IMAGE_ONLY, OTHER, RIGHT, SWAPPED
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.robustness import CHANGES
from LMISCore.evaluation.tables import markdown
from LMISCore.evaluation.test_log import read_log
from LMISCore.networks.outputs import ImageFeatures


@pytest.fixture(scope="module")
def result(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    blind = card(name="blind", recipe={"text": {"ignore": True}})
    return evaluate(
        checkpoint(ObedientNetwork(), card()),
        data,
        image_only=checkpoint(ObedientNetwork(reads_text=False), blind),
        encoder=WordEncoder(),
        draws=100,
        log=tmp_path_factory.mktemp("result") / "log.jsonl",
        device="cpu",
    )


def test_the_right_sentence_of_an_obedient_network_is_perfect_and_empty_truths_are_counted(
    result: dict[str, Any],
) -> None:
    right = result["conditions"][RIGHT]
    # The 255 in the picture's corner is marked as well, one false pixel wherever the right is named or nothing is.
    dice = [2 * 24 / 49] * 12 + [2 * 49 / 99] * 6 + [1.0] * 4
    assert (right["n"], right["images_in_mean"], right["empty_truths"]) == (23, 22, 1)
    assert right["mean_dice"]["estimate"] == pytest.approx(np.mean(dice))
    tp, fp = 12 * 24 + 6 * 49 + 3 * 25 + 3, 12 + 6 + 1
    assert right["pooled_dice"]["estimate"] == pytest.approx(2 * tp / (2 * tp + fp))
    assert right["per_patient"]["case_001"]["mean_dice"] == pytest.approx(48 / 49)
    assert result["data"]["patients"] == {"case_001": 12, "case_002": 11}
    assert result["settings"]["blocks"] == 4


def test_other_sentences_do_worse_by_as_much_as_they_name_other_places(result: dict[str, Any]) -> None:
    conditions, differences = result["conditions"], result["differences"]
    assert conditions[SWAPPED]["n"] == 12 + 3 + 1
    assert conditions[SWAPPED]["mean_dice"]["estimate"] == 0
    assert differences[SWAPPED]["mean_dice"]["high"] < 0
    assert conditions[EMPTY]["mean_dice"]["estimate"] == 0
    # Every slice has another patient's sentence that names other sides; the empty truth is out of the mean.
    assert (conditions[OTHER]["n"], conditions[OTHER]["images_in_mean"]) == (23, 22)
    assert differences[OTHER]["mean_dice"]["estimate"] < 0


def test_an_image_only_network_is_asked_without_words(result: dict[str, Any]) -> None:
    everything = [2 * 24 / 49] * 12 + [2 * 49 / 99] * 6 + [50 / 51] * 3 + [6 / 7]
    assert result["conditions"][IMAGE_ONLY]["mean_dice"]["estimate"] == pytest.approx(np.mean(everything))
    assert result["image_only_checkpoint"]["name"] == "blind"
    assert RIGHT not in result["differences"]


def test_obedience_of_an_obedient_network(result: dict[str, Any]) -> None:
    found = result["obedience"]
    assert found["sentences"]["left"] == "Pulmonary infection in the left lung."
    lungs = found["lungs"]
    assert [lungs[key] for key in ("asked", "affected", "unaffected", "left_out")] == [46, 27, 18, 1]
    assert found["foreground_on_named_side"]["all_lungs"]["estimate"] == 1
    assert found["affected_lungs_without_answer"]["share"]["estimate"] == 0
    # One pixel of 1024: the score is the brightest one, and each right half holds the bright corner.
    assert found["presence_auroc"]["n_affected"] == 27
    assert found["presence_auroc"]["per_patient"]["case_001"] == {"auroc": 1.0, "n_affected": 12, "n_unaffected": 12}


def test_a_network_that_ignores_its_sentence_is_caught(data: Path, tmp_path: Path) -> None:
    network = checkpoint(ObedientNetwork(reads_text=False), card())
    found = evaluate(network, data, "Val", encoder=WordEncoder(), draws=20, robustness=False, log=tmp_path / "log")
    assert found["differences"][SWAPPED]["mean_dice"]["estimate"] == 0
    assert found["differences"][EMPTY]["mean_dice"]["estimate"] == 0
    assert found["obedience"]["foreground_on_named_side"]["all_lungs"]["estimate"] < 0.6
    assert found["obedience"]["side_cut_dice"]["share_of_whole_slice"]["estimate"] < 0.9


def test_changes_that_keep_the_lesion_bright_cost_nothing(result: dict[str, Any]) -> None:
    assert list(result["robustness"]) == list(CHANGES)
    for name in ("gamma 0.7", "gamma 1.4"):
        difference = result["robustness"][name]["difference"]
        assert (difference["n"], difference["mean_dice"]["estimate"]) == (23, 0)


def test_each_slice_is_encoded_once_for_all_its_sentences(data: Path, tmp_path: Path) -> None:
    network = ObedientNetwork()
    counted: list[int] = []
    original = ObedientNetwork.encode_image

    def counting(self: ObedientNetwork, image: Tensor) -> ImageFeatures:
        counted.append(image.shape[0])
        return original(self, image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ObedientNetwork, "encode_image", counting)
        evaluate(
            checkpoint(network, card()),
            data,
            "Val",
            encoder=WordEncoder(),
            robustness=False,
            draws=5,
            log=tmp_path / "l",
        )
    # The first call is the engine's own, on one empty picture, to estimate memory.
    assert counted[0] == 1
    assert sum(counted[1:]) == 23


def test_the_same_seed_gives_the_same_figures(data: Path, tmp_path: Path) -> None:
    def figures(seed: int) -> dict[str, Any]:
        found = evaluate(
            checkpoint(ObedientNetwork(), card()),
            data,
            "Val",
            encoder=WordEncoder(),
            draws=50,
            seed=seed,
            log=tmp_path / "log",
        )
        return {key: found[key] for key in ("conditions", "differences", "obedience", "robustness", "slices")}

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


def test_every_run_on_test_is_logged_and_the_earlier_ones_are_counted(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    network = checkpoint(ObedientNetwork(), card())
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": path}
    runs = [evaluate(network, data, split, **options) for split in ("Test", "Val", "Test", "Test")]
    assert [run["earlier_test_runs"] for run in runs] == [0, 0, 1, 2]
    entries = read_log(path)
    assert len(entries) == 3
    assert entries[0]["checkpoint_hash"] == network.hash
    assert entries[0]["data_hash"] == runs[0]["data"]["hash"]
    assert entries[0]["figures"]["mean_dice"] == round(runs[0]["conditions"][RIGHT]["mean_dice"]["estimate"], 4)
    # Leaving a case out does not start a new count.
    part = evaluate(network, data, "Test", cases=["case_001*"], **options)
    assert (part["data"]["n"], part["earlier_test_runs"]) == (12, 3)


def test_a_stopped_evaluation_leaves_the_log_as_it_was(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(Cancelled):
        evaluate(
            checkpoint(ObedientNetwork(), card()),
            data,
            encoder=WordEncoder(),
            log=path,
            progress=lambda done, total, stage: False,
        )
    assert not path.exists()


def test_the_page_and_the_json_hold_the_same_figures(result: dict[str, Any]) -> None:
    page = markdown(json.loads(json.dumps(result, allow_nan=False)))
    estimate = result["conditions"][RIGHT]["mean_dice"]["estimate"]
    assert f"{estimate:.3f} [" in page
    for name in (*result["conditions"], *CHANGES, "case_001", "case_002", "presence AUROC"):
        assert name in page
    assert "Earlier runs on this Test split | 0" in page


def test_the_cards_metrics_carry_n_interval_data_and_split(result: dict[str, Any]) -> None:
    metrics = card_metrics(result)
    assert metrics[0]["name"] == "mean Dice"
    assert (metrics[0]["n"], metrics[0]["data"], metrics[0]["split"]) == (22, "small set", "Test")
    # The card checks every metric when it is built.
    assert card(metrics=metrics).metrics == metrics
    assert len({metric["name"] for metric in metrics}) == len(metrics)


def test_every_figure_promised_of_the_bundled_weights_is_one_that_a_card_gets(result: dict[str, Any]) -> None:
    assert {name for name, *_ in PROMISES} <= {metric["name"] for metric in card_metrics(result)}


def test_a_set_without_lung_masks_has_no_obedience_and_says_why(own_data: Path, tmp_path: Path) -> None:
    for mask in (own_data / "Val_Folder" / "lungs").iterdir():
        mask.unlink()
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, own_data, "Val", encoder=WordEncoder(), draws=5, robustness=False, log=tmp_path / "log")
    assert found["obedience"] is None
    assert "Not measured: the set has no lung masks." in markdown(found)
