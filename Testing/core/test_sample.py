"""The bundled volume, report and weights together: every sentence in its expected state, every mask where it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.result import CaseResult
from LMISCore.resources import resource
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.volume import Geometry, Volume

EXPECTED = json.loads(resource("sample", "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def volume() -> Volume:
    return read_volume(resource("sample", "chest_ct.nrrd"))


@pytest.fixture(scope="module")
def result(volume: Volume) -> CaseResult:
    return Predictor(device="cpu").segment(volume, resource("sample", "report.txt").read_text(encoding="utf-8"))


def canonical_mask(result: CaseResult, volume: Volume, sentence: str) -> np.ndarray:
    """Mask ``(N, H, W)``: feet to head, anterior to posterior, patient's right to left."""
    mask = result.row(sentence).mask
    assert mask is not None
    return Canonical(volume).from_native(mask)


def test_every_sentence_has_its_expected_state(result: CaseResult) -> None:
    assert {row.sentence.id: row.state.value for row in result.rows} == {k: v["state"] for k, v in EXPECTED.items()}


def test_affirmed_and_present_sentences_alone_get_a_segment(result: CaseResult) -> None:
    assert {row.sentence.id: row.mask is not None for row in result.rows} == {
        k: v["segment"] for k, v in EXPECTED.items()
    }


@pytest.mark.parametrize(("sentence", "side"), [("findings-1", "left"), ("findings-2", "right")])
def test_a_mask_lies_on_the_side_its_sentence_names(
    result: CaseResult, volume: Volume, sentence: str, side: str
) -> None:
    mask = canonical_mask(result, volume, sentence)
    half = mask.shape[2] // 2
    inside = mask[:, :, half:] if side == "left" else mask[:, :, :half]
    assert np.count_nonzero(inside) >= 0.95 * np.count_nonzero(mask)


def test_lower_zone_marks_the_lower_half_alone(result: CaseResult, volume: Volume) -> None:
    # Lung is in view on every slice of the sample, so the lungs' extent is the volume's.
    mask = canonical_mask(result, volume, "findings-2")
    assert np.count_nonzero(mask[: len(mask) // 2]) >= 0.9 * np.count_nonzero(mask)


def test_the_sample_says_that_its_spacing_is_a_guess_and_where_it_comes_from() -> None:
    assert json.loads(resource("sample", "sample.json").read_text(encoding="utf-8"))["spacing_nominal"] is True
    words = resource("sample", "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in words and "3757476" in words and "nominal" in words
    assert "written for this sample" in resource("sample", "report.txt").read_text(encoding="utf-8")


def test_bundled_weights_are_small_and_carry_their_card() -> None:
    checkpoint = load_checkpoint()
    assert checkpoint.path.stat().st_size <= 10_000_000
    card = checkpoint.card
    assert card.network == "tirnet" and card.network_options["width"] == 32
    assert all(case.startswith("coronacases_") for split in card.data["cases"].values() for case in split)
    assert card.metrics and card.limits and "Not for clinical use" in card.intended_use
    assert "CC BY 4.0" in card.licence


def test_hu_and_its_windowed_picture_get_the_same_mask(volume: Volume) -> None:
    """Slices of the sample, turned into Hounsfield units by the inverse of the lung window."""
    part = Volume(Canonical(volume).slices[20:24].copy(), Geometry((256, 256, 4)), "part", "test")
    hu = np.round(part.array.astype(np.float32) / 255 * 1500 - 1350).astype(np.int16)
    hu_volume = Volume(hu, part.geometry, "hu", "test")
    predictor = Predictor(device="cpu")
    sentence = "Pulmonary infection in the left lung."
    picture_row = predictor.segment(part, sentence).rows[0]
    hu_result = predictor.segment(hu_volume, sentence)
    assert hu_result.provenance["intensity"]["kind"] == "hu"
    assert picture_row.mask is not None and hu_result.rows[0].mask is not None
    both = np.count_nonzero(picture_row.mask & hu_result.rows[0].mask)
    size = np.count_nonzero(picture_row.mask) + np.count_nonzero(hu_result.rows[0].mask)
    assert 2 * both / size > 0.97


def test_the_sample_file_keeps_its_geometry() -> None:
    image = sitk.ReadImage(str(resource("sample", "chest_ct.nrrd")))
    volume = read_volume(resource("sample", "chest_ct.nrrd"))
    assert volume.geometry.size == image.GetSize()
    np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing(), atol=1e-9)
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin(), atol=1e-9)
