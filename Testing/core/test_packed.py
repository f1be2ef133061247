"""Masks and probabilities as boxes: what comes back is what was given, and a job's are those of its other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore.errors import InputError
from LMISCore.inference.jobs import SegmentJob, run_segment_job
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.fingerprint import fingerprint, packed_fingerprint
from LMISCore.volumes.packed import (
    KEPT_FROM,
    PackedMask,
    pack_mask,
    permille_box,
    read_masks,
    read_permille,
    write_masks,
    write_permille,
)
from LMISCore.volumes.permille import cut
from LMISCore.volumes.segmentation import read_segmentation
from LMISCore.volumes.volume import Geometry

SHAPE = (7, 9, 11)


def unpacked(packed: PackedMask, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    place = tuple(slice(first, first + size) for first, size in zip(packed.first, packed.shape, strict=True))
    count = int(np.prod(packed.shape))
    mask[place] = np.unpackbits(packed.bits, count=count).reshape(packed.shape)
    return mask


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    seed, share = draw(st.integers(0, 10_000)), draw(st.sampled_from([0.002, 0.05, 0.6, 1.0]))
    return np.random.default_rng(seed).random(SHAPE) < share


@given(mask=masks())
@settings(max_examples=30, deadline=None)
def test_a_packed_mask_is_the_same_mask_in_the_smallest_box(mask: np.ndarray) -> None:
    packed = pack_mask(mask)
    if packed is None:
        assert not mask.any()
        return
    np.testing.assert_array_equal(unpacked(packed, SHAPE), mask)
    inside = np.unpackbits(packed.bits, count=int(np.prod(packed.shape))).reshape(packed.shape)
    for axis in range(3):
        ends = np.asarray(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        assert ends[0] and ends[-1]


@given(mask=masks())
@settings(max_examples=20, deadline=None)
def test_packed_voxels_have_one_fingerprint_whichever_way_their_slices_are_counted(mask: np.ndarray) -> None:
    matrix = np.diag([0.7, 1.1, 2.5, 1.0])
    matrix[:3, 3] = (3, -4, 5)
    turned = matrix.copy()
    turned[:3, 2], turned[:3, 3] = -matrix[:3, 2], matrix[:3, 3] + matrix[:3, 2] * (SHAPE[0] - 1)
    packed, other = pack_mask(mask), pack_mask(mask[::-1])
    if packed is None or other is None:
        assert not mask.any()
        return
    found = packed_fingerprint(packed.bits, packed.shape, packed.first, matrix)
    assert packed_fingerprint(other.bits, other.shape, other.first, turned) == found == fingerprint(mask, matrix)


def test_masks_come_back_from_a_file_by_name(tmp_path: Path) -> None:
    given_masks = {"findings-1": np.zeros(SHAPE, dtype=bool), "a.b_c": np.ones(SHAPE, dtype=bool)}
    given_masks["findings-1"][2, 3, 4] = True
    write_masks(tmp_path / "masks.npz", given_masks)
    found = read_masks(tmp_path / "masks.npz")
    assert found.keys() == given_masks.keys()
    assert found["findings-1"].first == (2, 3, 4) and found["findings-1"].shape == (1, 1, 1)
    for name, mask in given_masks.items():
        np.testing.assert_array_equal(unpacked(found[name], SHAPE), mask)


def test_an_empty_mask_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'none' is empty"):
        write_masks(tmp_path / "masks.npz", {"none": np.zeros(SHAPE, dtype=bool)})


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04cut"])
def test_a_missing_or_damaged_file_is_told_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "masks.npz"
    if content is not None:
        path.write_bytes(content)
    for read in (read_masks, read_permille):
        with pytest.raises(InputError, match=r"masks\.npz is missing or damaged; run the sentence again"):
            read(path)


def test_a_kept_probability_is_cut_in_its_box_as_on_the_whole_grid(tmp_path: Path) -> None:
    permille = np.zeros(SHAPE, np.uint16)
    permille[2:6, 1:4, 3:9] = np.random.default_rng(0).integers(0, 1001, (4, 3, 6))
    write_permille(tmp_path / "one.npz", permille)
    box = read_permille(tmp_path / "one.npz")
    assert box.grid == SHAPE and box.values.size <= 4 * 3 * 6
    for threshold in (KEPT_FROM, 0.5, 0.9):
        packed = pack_mask(cut(box.values, threshold), box.first)
        assert packed is not None
        np.testing.assert_array_equal(unpacked(packed, SHAPE), cut(permille, threshold))


def test_a_probability_that_is_low_everywhere_leaves_an_empty_box() -> None:
    box = permille_box(np.full(SHAPE, 49, np.uint16))
    assert box.values.size == 0 and box.grid == SHAPE and pack_mask(cut(box.values, 0.05), box.first) is None


def test_a_job_gives_the_masks_of_its_segmentation_file_as_boxes(tmp_path: Path) -> None:
    encoder = save_tiny_encoder(tmp_path / "encoder")
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny.safetensors", encoder)
    array = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.int16)
    write_volume(tmp_path / "scan.nrrd", array, Geometry((11, 9, 7), (0.7, 1.1, 2.5)))
    values = {
        "volume": str(tmp_path / "scan.nrrd"),
        "text": "Infection in the left lung. No effusion. Infection on the right.",
        "checkpoint": str(checkpoint),
        "text_encoder": str(encoder),
        "device": "cpu",
        "threshold": 0.49,
        "probabilities": True,
    }
    plain = run_segment_job(SegmentJob.from_dict({**values, "out": str(tmp_path / "plain")}))
    boxes = run_segment_job(SegmentJob.from_dict({**values, "out": str(tmp_path / "boxes"), "boxes": True}))
    assert plain["rows"] == boxes["rows"]
    segments, _grid, _tags = read_segmentation(plain["outputs"]["segmentation"])
    found = read_masks(boxes["outputs"]["masks"])
    assert [each["id"] for each in boxes["segment_data"]] == [segment.id for segment in segments] == list(found)
    for about, segment in zip(boxes["segment_data"], segments, strict=True):
        np.testing.assert_array_equal(unpacked(found[segment.id], SHAPE), segment.mask)
        assert about["name"] == segment.name and about["colour"] == pytest.approx(segment.colour, abs=1e-6)
        assert {**about["tags"], "LanguageSegment.Date": ""} == {**segment.tags, "LanguageSegment.Date": ""}
        assert "Infectious disease of lung" in about["terminology"]
    assert boxes["probabilities"].keys() == plain["probabilities"].keys()
    for name, path in boxes["probabilities"].items():
        whole = read_volume(plain["probabilities"][name]).array
        kept = read_permille(path)
        place = tuple(slice(f, f + n) for f, n in zip(kept.first, kept.values.shape, strict=True))
        np.testing.assert_array_equal(kept.values, whole[place])
    files = {path.name for path in (tmp_path / "boxes").iterdir()}
    assert not any(name.endswith((".nrrd", ".csv", ".json", ".png")) for name in files)
