"""Calibration of probabilities: fitted like a logistic regression, monotone, stored in the card and applied in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from predictor_makers import obedient
from scipy import ndimage
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder
from torch import nn
from training_makers import recipe, training_ground  # noqa: F401

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import load_checkpoint, update_card
from LMISCore.errors import InputError
from LMISCore.evaluation.card import card_metrics
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.inference.agreement import CUT
from LMISCore.inference.answers import collect_answers
from LMISCore.inference.plan import Ask, Tracker
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.slices import prepare_slices
from LMISCore.metrics.calibration import bin_table, expected_calibration_error
from LMISCore.metrics.platt import Platt, fit_platt
from LMISCore.training.datasets import clean_picture
from LMISCore.training.trainer import Trainer
from LMISCore.training.validation import probabilities
from LMISCore.volumes.volume import Geometry, Volume


def test_the_fit_is_that_of_scikit_learn_without_penalty() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    logits = np.linspace(-8, 8, 81)
    counts = rng.integers(1, 60, 81)
    positive = rng.binomial(counts, 1 / (1 + np.exp(-(0.6 * logits - 1.1))))
    found = fit_platt(logits, counts, positive)
    assert found is not None
    oracle = LogisticRegression(C=1e12, tol=1e-12, max_iter=10_000).fit(
        np.repeat(logits, 2)[:, None],
        np.tile([0, 1], 81),
        sample_weight=np.stack([counts - positive, positive], axis=1).ravel(),
    )
    assert found.scale == pytest.approx(float(oracle.coef_[0, 0]), rel=1e-4)
    assert found.offset == pytest.approx(float(oracle.intercept_[0]), rel=1e-4)
    assert found.scale == pytest.approx(0.6, abs=0.1)


def test_calibrating_lowers_the_error_of_probabilities_that_are_too_sure() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(-1, 2, 40_000)
    truth = rng.random(40_000) < 1 / (1 + np.exp(-logits))
    sure = 1 / (1 + np.exp(-3 * logits))
    found = fit_platt(3 * logits, np.ones(40_000), truth)
    assert found is not None and found.scale == pytest.approx(1 / 3, abs=0.01)
    before, after = (
        float(expected_calibration_error(bin_table(p, truth))) for p in (sure, found.probability(sure).clip(0, 1))
    )
    assert before > 0.05 and after < 0.01


@pytest.mark.parametrize("positive", [[0, 0, 0], [9, 9, 9], [9, 4, 0]])
def test_what_cannot_be_calibrated_is_left_as_it_is(positive: list[int]) -> None:
    assert fit_platt([-1, 0, 1], [9, 9, 9], positive) is None


@settings(max_examples=200, deadline=None)
@given(
    scale=st.floats(0.05, 8),
    offset=st.floats(-4, 4),
    values=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=20),
)
def test_the_map_keeps_the_order_and_can_be_undone(scale: float, offset: float, values: list[float]) -> None:
    platt = Platt(scale, offset)
    ordered = np.sort(np.array(values))
    moved = platt.probability(ordered)
    assert (np.diff(moved) >= 0).all()
    inside = (moved > 1e-6) & (moved < 1 - 1e-6)
    np.testing.assert_allclose(platt.undo(moved)[inside], ordered[inside], rtol=1e-6)
    assert ((moved >= platt.threshold(0.5)) == (ordered >= 0.5)).all()


def test_a_card_without_calibration_is_written_as_before_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = save_tiny_checkpoint(tmp_path / "tiny.safetensors", save_tiny_encoder(tmp_path / "encoder"))
    card = load_checkpoint(path).card
    assert "calibration" not in card.to_dict()
    good = {"kind": "platt", "scale": 0.5, "offset": 0.25}
    assert Card.from_json(replace(card, calibration=good).to_json()).calibration == good
    for wrong, match in (
        ({**good, "scale": 0}, r"calibration\.scale is 0; expected a number above 0"),
        ({**good, "kind": "isotonic"}, r"calibration\.kind is 'isotonic'"),
        ({"kind": "platt", "scale": 1.0}, r"calibration lacks 'offset'"),
    ):
        with pytest.raises(InputError, match=match):
            replace(card, calibration=wrong)


def test_a_predictor_gives_calibrated_probabilities(tmp_path: Path) -> None:
    encoder = save_tiny_encoder(tmp_path / "encoder")
    path = save_tiny_checkpoint(tmp_path / "tiny.safetensors", encoder)
    picture = np.random.default_rng(0).random((1, 1, 32, 32)).astype(np.float32)
    plain = Predictor(path, "cpu", encoder=encoder).network_probability(picture, ["infection"])
    card = load_checkpoint(path).card
    update_card(path, replace(card, calibration={"kind": "platt", "scale": 0.5, "offset": 1.0}))
    calibrated = Predictor(path, "cpu", encoder=encoder).network_probability(picture, ["infection"])
    assert abs(calibrated - plain).max() > 0.05
    np.testing.assert_allclose(calibrated, Platt(0.5, 1.0).probability(plain), atol=1e-6)


@pytest.mark.parametrize("platt", [Platt(), Platt(0.7, 0.1), Platt(0.5, -2.0)])
def test_a_lower_cut_marks_what_it_marked_before_calibration(platt: Platt) -> None:
    own = np.linspace(0.01, 0.99, 99)
    moved = platt.share_of(platt.threshold(0.5), 0.31)
    np.testing.assert_array_equal(platt.probability(own) >= moved, own >= 0.155)
    assert platt.share_of(0.6, 1) == 0.6


def test_a_place_free_second_mask_is_the_same_with_a_calibration() -> None:
    values = np.linspace(0, 255, 256).reshape(1, 16, 16).astype(np.uint8)
    volume = Volume(values, Geometry((16, 16, 1)), "ramp", "made for tests")
    masks = []
    platt = {"kind": "platt", "scale": 0.3, "offset": 0.8}
    for calibration, mask in (({}, 0.5), (platt, Platt(0.3, 0.8).threshold(0.5))):
        predictor = obedient(calibration=calibration, thresholds={"mask": mask, "presence": 0})
        pictures = prepare_slices(volume, predictor.card.image)
        ask = Ask("infection", (0,), [], cut=CUT)
        states = [predictor.cache.states([ask.text])]
        collect_answers(predictor.engine, pictures, [ask], states, Tracker(None, 1), mask, False)
        assert ask.mask is not None
        masks.append(ask.mask)
    assert np.count_nonzero(masks[0] != (values >= 128)) > 0, "the second mask is cut lower"
    np.testing.assert_array_equal(masks[0], masks[1])


def assert_same_masks(network: nn.Module, trainer: Trainer, platt: Platt) -> None:
    """A moved threshold marks what it marked before, but for pixels that interpolation moves across it."""
    images = torch.stack([clean_picture(item, "unit") for item in trainer.val])
    sentences = [item.places.report for item in trainer.val]
    device = torch.device("cpu")
    plain = probabilities(network, images, sentences, trainer.cache, device)
    moved = probabilities(network, images, sentences, trainer.cache, device, platt)
    assert float((plain - moved).abs().max()) > 0.01
    cut = float(plain.quantile(0.9))
    for item, one, other in zip(trainer.val, plain, moved, strict=True):
        assert torch.equal(one > cut + 1e-6, other > platt.threshold(cut + 1e-6))
        native = [item.frame.restore(p.numpy()) >= t for p, t in ((one, cut), (other, platt.threshold(cut)))]
        assert 0 < np.count_nonzero(native[0]) < native[0].size
        marked = one.numpy() >= cut
        beside = ndimage.maximum_filter(marked, 3) != ndimage.minimum_filter(marked, 3)
        elsewhere = ~np.kron(beside, np.ones((2, 2), dtype=bool))
        assert elsewhere.any() and np.array_equal(native[0][elsewhere], native[1][elsewhere])


def test_a_run_fits_its_calibration_on_val_and_evaluation_tells_before_and_after(ground: Path, tmp_path: Path) -> None:
    steps = ("training.steps=160", "training.validate_every=160", "training.learning_rate=5e-3")
    trainer = Trainer(recipe(ground, *steps), tmp_path / "run", "cpu")
    checkpoint = load_checkpoint(trainer.run().checkpoint)
    card, found = checkpoint.card, checkpoint.card.calibration
    assert found["kind"] == "platt" and found["slices"] == 6 and found["pixels"] > 0
    assert found["fitted_on"] == "Val, pixels inside the lungs, at the network's resolution"
    assert found["error_after"] < found["error_before"]
    platt = Platt.from_card(found)
    assert platt is not None and card.thresholds["mask"] == platt.threshold(0.5) != 0.5
    assert_same_masks(checkpoint.network, trainer, platt)
    bare = replace(checkpoint, card=replace(card, calibration={}, thresholds={**card.thresholds, "mask": 0.5}))
    told, before = (
        evaluate(each, ground / "data", "Val", encoder=ground / "encoder", robustness=False, surface=None, draws=20)
        for each in (checkpoint, bare)
    )
    errors = told["calibration"]
    assert errors["pixels"]["network"]["error"]["estimate"] == pytest.approx(found["error_after"], abs=5e-3)
    assert errors["before"]["error"]["estimate"] == pytest.approx(found["error_before"], abs=5e-3)
    raw = before["calibration"]
    assert raw["before"] is None
    plain = raw["pixels"]["network"]["error"]["estimate"]
    # Calibrated float32 probabilities are taken back, and those close to 0 and 1 are coarse.
    assert errors["before"]["error"]["estimate"] == pytest.approx(plain, abs=1e-4)
    metrics = {metric["name"]: metric["value"] for metric in card_metrics(told)}
    where = "pixels inside the lungs, at the network's resolution"
    assert (
        metrics[f"expected calibration error, {where}"]
        < metrics[f"expected calibration error before calibration, {where}"]
    )


def test_a_recipe_may_leave_probabilities_as_they_are(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground, "card.calibrate=false", "training.steps=2"), tmp_path, "cpu")
    trainer.run()
    card = load_checkpoint(tmp_path / "checkpoint.safetensors").card
    assert card.calibration == {} and card.thresholds["mask"] == 0.5


def test_image_only_weights_are_not_calibrated(ground: Path, tmp_path: Path) -> None:
    Trainer(recipe(ground, "text.ignore=true", "training.steps=2"), tmp_path, "cpu").run()
    assert load_checkpoint(tmp_path / "checkpoint.safetensors").card.calibration == {}
