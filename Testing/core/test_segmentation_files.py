"""A .seg.nrrd keeps every voxel, name, colour and text, on exactly the image's grid, and is never empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
import slicerio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from volume_makers import grid, grids, oblique, places

from LMISCore.errors import InputError
from LMISCore.volumes.fingerprint import bounding_box
from LMISCore.volumes.layers import pack, regrid
from LMISCore.volumes.segmentation import (
    SegmentData,
    decode_tag,
    encode_tag,
    read_segmentation,
    write_segmentation,
)
from LMISCore.volumes.volume import Geometry

HARD_TEXT = 'Right lung: "ground-glass" | 50 % \\ left\nnext line;\t肺炎 🫁 é '
GRID = grid(oblique())


def _mask(*ranges: tuple[int, int], geometry: Geometry = GRID) -> np.ndarray:
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[tuple(slice(*each) for each in ranges)] = True
    return mask


def _two_overlapping() -> list[SegmentData]:
    return [
        SegmentData(
            "findings-1", "right 肺炎 🫁", (0.1, 0.25, 1.0), _mask((0, 3), (1, 4), (0, 4)), {"Sentence": HARD_TEXT}
        ),
        SegmentData(
            "findings-2", "left | \\n", (1, 0, 1 / 3), _mask((1, 4), (2, 5), (2, 6)), {"Field": "", "Score": "0.5"}
        ),
    ]


def _assert_same(segments: list[SegmentData], others: list[SegmentData]) -> None:
    assert len(segments) == len(others)
    for one, other in zip(segments, others, strict=True):
        assert (one.id, one.name, one.tags, one.other_tags) == (other.id, other.name, other.tags, other.other_tags)
        assert one.colour == pytest.approx(other.colour) and one.terminology == other.terminology
        np.testing.assert_array_equal(one.mask, other.mask)


def test_overlapping_segments_come_back_whole(tmp_path: Path) -> None:
    segments = _two_overlapping()
    path = tmp_path / "患者.seg.nrrd"
    write_segmentation(path, segments, GRID, {"Case": "a|b\nÜ"})
    read, geometry, tags = read_segmentation(path)
    _assert_same(read, segments)
    assert geometry.same_as(GRID) and tags == {"LanguageSegment.Case": "a|b\nÜ"}
    assert nrrd.read_header(str(path))["sizes"].tolist() == [2, *GRID.size]


def test_every_axis_order_and_an_oblique_grid_come_back(tmp_path: Path) -> None:
    for geometry in grids():
        for segments in (_two_overlapping(), _two_overlapping()[:1]):
            write_segmentation(tmp_path / "x.seg.nrrd", segments, geometry)
            read, found, _ = read_segmentation(tmp_path / "x.seg.nrrd")
            assert found.same_as(geometry, 1e-12)
            _assert_same(read, segments)


def test_other_readers_find_the_voxels_at_their_place(tmp_path: Path) -> None:
    for geometry in grids()[::3]:
        segment = _two_overlapping()[0]
        write_segmentation(tmp_path / "x.seg.nrrd", [segment], geometry)
        image = sitk.ReadImage(str(tmp_path / "x.seg.nrrd"))
        found = np.argwhere(sitk.GetArrayFromImage(image) == 1)
        points = [image.TransformIndexToPhysicalPoint(index[::-1].tolist()) for index in found]
        np.testing.assert_allclose(points, places(geometry)[segment.mask], atol=1e-9)


def test_slicerio_reads_masks_names_and_tags(tmp_path: Path) -> None:
    segments = _two_overlapping()
    write_segmentation(tmp_path / "x.seg.nrrd", segments, GRID)
    content = slicerio.read_segmentation(str(tmp_path / "x.seg.nrrd"))
    np.testing.assert_allclose(content["ijkToLPS"], GRID.matrix(), rtol=0, atol=1e-12)
    for segment in segments:
        np.testing.assert_array_equal(slicerio.segment_mask(content, segment.id).T, segment.mask)
    written = slicerio.segment_from_id(content, "findings-1")["tags"]["LanguageSegment.Sentence"]
    assert decode_tag(written) == HARD_TEXT


def test_segments_that_do_not_touch_share_a_layer(tmp_path: Path) -> None:
    apart = [SegmentData(f"s{i}", f"s{i}", (1, 0, 0), _mask((i, i + 1), (0, 5), (0, 6))) for i in range(3)]
    write_segmentation(tmp_path / "x.seg.nrrd", apart, GRID)
    assert nrrd.read_header(str(tmp_path / "x.seg.nrrd"))["sizes"].tolist() == list(GRID.size)
    _assert_same(read_segmentation(tmp_path / "x.seg.nrrd")[0], apart)


def test_the_same_segments_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_segmentation(tmp_path / "a.seg.nrrd", _two_overlapping(), GRID)

    class Later:
        @staticmethod
        def utcnow() -> Any:
            import datetime

            return datetime.datetime(2040, 1, 1)

    monkeypatch.setattr("nrrd.writer.datetime", Later)
    write_segmentation(tmp_path / "b.seg.nrrd", _two_overlapping(), GRID)
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.seg.nrrd").read_bytes()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text())
@example(HARD_TEXT)
@example(" | ")
@example("%7C")
def test_any_text_survives_as_a_tag(text: str) -> None:
    encoded = encode_tag(text)
    assert decode_tag(encoded) == text
    assert encoded.isascii() and encoded.isprintable() and encoded == encoded.strip()
    assert not set(encoded) & set('|\\"\n')


def test_a_plain_sentence_stays_readable_in_the_file() -> None:
    assert encode_tag("No effusion, right side (5 mm).") == "No effusion, right side (5 mm)."


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=st.text(max_size=20), value=st.text(max_size=40), key=st.sampled_from(["Sentence", "LanguageSegment.X"]))
def test_any_name_and_text_come_back_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str, key: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.seg.nrrd"
    segment = SegmentData("s", name, (1, 0, 0), _mask((0, 1), (0, 1), (0, 1)), {key: value})
    write_segmentation(path, [segment], GRID, {key: value})
    (read,), _, tags = read_segmentation(path)
    assert (read.name, read.tags) == (segment.name, segment.tags) and list(tags.values()) == [value]


def test_a_name_becomes_one_line() -> None:
    assert SegmentData("s", " two\nlines\t肺\x00 ", (1, 0, 0), np.ones((1, 1, 1), bool)).name == "two lines 肺"


def test_a_short_tag_key_gets_the_projects_prefix() -> None:
    segment = SegmentData(
        "s", "s", (1, 0, 0), np.ones((1, 1, 1), bool), {"Sentence": "x", "LanguageSegment.Field": "y"}
    )
    assert segment.tags == {"LanguageSegment.Sentence": "x", "LanguageSegment.Field": "y"}


def test_terminology_and_foreign_tags_are_kept(tmp_path: Path) -> None:
    terminology = {
        "contextName": "Catégorie",
        "category": ["SCT", "49755003", "Morphologically Altered Structure"],
        "type": ["SCT", "4147007", "Mass"],
        "anatomicContextName": "Anatomic codes - DICOM master list",
        "anatomicRegion": ["SCT", "39607008", "Lung"],
        "anatomicRegionModifier": ["SCT", "24028007", "Right"],
    }
    segment = _two_overlapping()[0]
    segment.terminology = terminology
    segment.other_tags = {"Segmentation.Status": "completed", "Fremd": "Ü: 50%20 x"}
    write_segmentation(tmp_path / "x.seg.nrrd", [segment], GRID)
    (read,), _, _ = read_segmentation(tmp_path / "x.seg.nrrd")
    assert read.other_tags == segment.other_tags
    assert read.terminology == terminology
    written = (tmp_path / "x.seg.nrrd").read_bytes().split(b"\n\n")[0].decode("utf-8")
    assert "TerminologyEntry:Catégorie~SCT^49755003^Morphologically Altered Structure~SCT^4147007^Mass~" in written


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_no_empty_segment_is_ever_written(tmp_path: Path) -> None:
    empty = SegmentData("s2", "effusion", (1, 0, 0), np.zeros(GRID.shape, bool))
    with pytest.raises(InputError, match=r"'effusion' has no voxel; expected .* no empty segment is ever written\."):
        write_segmentation(tmp_path / "x.seg.nrrd", [_two_overlapping()[0], empty], GRID)
    with pytest.raises(InputError, match="no empty segment is ever written"):
        write_segmentation(tmp_path / "x.seg.nrrd", [], GRID)
    assert list(tmp_path.iterdir()) == []


def test_another_ending_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected the ending \.seg\.nrrd"):
        write_segmentation(tmp_path / "x.nrrd", _two_overlapping(), GRID)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.seg.nrrd"
    write_segmentation(path, _two_overlapping()[:1], GRID)
    before = path.read_bytes()

    def full(old: str, new: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left"):
        write_segmentation(path, _two_overlapping(), GRID)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask": np.ones((6, 5, 4), bool)}, "mask must be bool"),
        ({"mask": np.ones(GRID.shape, np.uint8)}, "mask must be bool"),
        ({"colour": (255, 0, 0)}, "colour"),
        ({"id": "findings 1"}, "segment id"),
        ({"id": "findings-2"}, "distinct"),
        ({"other_tags": {"x": "a|b"}}, "another program"),
    ],
)
def test_a_segment_that_cannot_be_is_a_programming_error(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    segments = _two_overlapping()
    for key, value in change.items():
        setattr(segments[0], key, value)
    with pytest.raises(ValueError, match=words):
        write_segmentation(tmp_path / "x.seg.nrrd", segments, GRID)
    with pytest.raises(ValueError, match="tag key"):
        SegmentData("s", "s", (1, 0, 0), _mask((0, 1), (0, 1), (0, 1)), {"a b|": "x"})


def test_what_is_no_segmentation_gets_one_sentence(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "plain.nrrd"), np.ones((3, 3, 3), np.uint8))
    (tmp_path / "junk.seg.nrrd").write_bytes(bytes(range(256)))
    (tmp_path / "empty.seg.nrrd").write_bytes(b"")
    write_segmentation(tmp_path / "cut.seg.nrrd", _two_overlapping(), GRID)
    content = (tmp_path / "cut.seg.nrrd").read_bytes()
    (tmp_path / "cut.seg.nrrd").write_bytes(content[:-20])
    (tmp_path / "layer.seg.nrrd").write_bytes(content.replace(b"Segment1_Layer:=1", b"Segment1_Layer:=7"))
    (tmp_path / "tag.seg.nrrd").write_bytes(content.replace(b"Segment1_Tags:=", b"Segment1_Tags:=nocolon|"))
    for name in (
        "plain.nrrd",
        "junk.seg.nrrd",
        "empty.seg.nrrd",
        "cut.seg.nrrd",
        "layer.seg.nrrd",
        "tag.seg.nrrd",
        "-",
    ):
        with pytest.raises(InputError, match=name) as caught:
            read_segmentation(tmp_path / name)
        assert "expected" in str(caught.value) and "\n" not in str(caught.value)


# --- files as Slicer saves them ---------------------------------------------------------------------------------------


def _as_slicer_saves(path: Path, mask: np.ndarray, turn_k: bool) -> None:
    """Crop to the mask and, as for left-handed volumes, turn k over; then write without our writer."""
    box = bounding_box(mask)
    assert box is not None
    matrix = GRID.matrix() @ np.array(
        [[1, 0, 0, box[2].start], [0, 1, 0, box[1].start], [0, 0, 1, box[0].start], [0, 0, 0, 1]]
    )
    part = mask[box]
    if turn_k:
        matrix = matrix @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, part.shape[0] - 1], [0, 0, 0, 1]])
        part = part[::-1]
    segment = {"id": "Segment_1", "name": "ribs", "color": [0.9, 0.9, 0.6], "labelValue": 3, "layer": 0}
    segment |= {"status": "inprogress", "tags": {"DicomRtImport.RoiNumber": "50%20"}}
    voxels = np.asfortranarray(part.T.astype(np.uint8) * 3)
    slicerio.write_segmentation(str(path), {"voxels": voxels, "ijkToLPS": matrix, "segments": [segment]})


@pytest.mark.parametrize("turn_k", [False, True])
def test_a_cropped_file_is_put_back_on_the_images_grid(tmp_path: Path, turn_k: bool) -> None:
    mask = _two_overlapping()[1].mask
    _as_slicer_saves(tmp_path / "x.seg.nrrd", mask, turn_k)
    (cropped,), grid_in_file, _ = read_segmentation(tmp_path / "x.seg.nrrd")
    assert cropped.mask.all() and grid_in_file.size == (4, 3, 3)
    (read,), geometry, _ = read_segmentation(tmp_path / "x.seg.nrrd", GRID)
    np.testing.assert_array_equal(read.mask, mask)
    assert geometry == GRID and read.name == "ribs" and read.tags == {}
    assert read.other_tags == {"Segmentation.Status": "inprogress", "DicomRtImport.RoiNumber": "50%20"}


def test_segments_off_the_images_grid_get_one_sentence(tmp_path: Path) -> None:
    write_segmentation(tmp_path / "x.seg.nrrd", _two_overlapping(), GRID)
    half = Geometry(GRID.size, GRID.spacing, tuple(places(GRID)[0, 0, :2].mean(axis=0)), GRID.direction)
    small = Geometry((5, 5, 4), GRID.spacing, GRID.origin, GRID.direction)
    turned = Geometry(GRID.size, GRID.spacing, GRID.origin)
    for other, words in ((half, "do not lie on the voxels"), (turned, "do not lie"), (small, "reach beyond")):
        with pytest.raises(InputError, match=words):
            read_segmentation(tmp_path / "x.seg.nrrd", other)


def test_a_file_of_one_unnumbered_layer_per_segment_is_read(tmp_path: Path) -> None:
    segments = _two_overlapping()
    write_segmentation(tmp_path / "x.seg.nrrd", segments, GRID)
    header, _, data = (tmp_path / "x.seg.nrrd").read_bytes().partition(b"\n\n")
    old = [line for line in header.split(b"\n") if b"_Layer" not in line and b"_LabelValue" not in line]
    (tmp_path / "old.seg.nrrd").write_bytes(b"\n".join(old) + b"\n\n" + data)
    _assert_same(read_segmentation(tmp_path / "old.seg.nrrd")[0], segments)


# --- layers -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(arrays(bool, (2, 3, 4)), min_size=1, max_size=6))
def test_packing_loses_no_voxel_whatever_the_masks(masks: list[np.ndarray]) -> None:
    voxels, where = pack(masks)
    layers = voxels.T[..., np.newaxis] if voxels.ndim == 3 else voxels.T
    for mask, (layer, label) in zip(masks, where, strict=True):
        np.testing.assert_array_equal(layers[..., layer] == label, mask)
    assert len(set(where)) == len(masks)
    most = max(int(np.sum(masks, axis=0).max()), 1)
    assert most <= layers.shape[-1] <= len(masks)


def test_more_segments_than_labels_take_a_second_layer() -> None:
    masks = [np.zeros((1, 20, 20), bool) for _ in range(300)]
    for number, mask in enumerate(masks):
        mask.flat[number] = True
    voxels, where = pack(masks)
    assert voxels.shape == (2, 20, 20, 1) and where[254] == (0, 255) and where[255] == (1, 1)


def test_a_mask_moves_between_any_two_orders_of_the_same_voxels() -> None:
    mask = np.random.default_rng(0).random(GRID.shape) < 0.3
    for axes in grids()[:48]:
        # The same voxels stored in another axis order: turn GRID's matrix by a signed permutation about its corner.
        turn = np.eye(4)
        turn[:3, :3] = axes.axes
        order = np.abs(axes.axes).argmax(axis=0)
        signs = axes.axes[order, range(3)]
        size = np.array(GRID.size)
        turn[order, 3] = np.where(signs < 0, size[order] - 1, 0)
        other = Geometry.from_matrix(size[order].tolist(), GRID.matrix() @ turn)
        moved = regrid(mask, GRID, other, "x")
        there = sorted(map(tuple, np.round(places(other)[moved], 6).tolist()))
        here = sorted(map(tuple, np.round(places(GRID)[mask], 6).tolist()))
        np.testing.assert_allclose(there, here, atol=1e-5)
        np.testing.assert_array_equal(regrid(moved, other, GRID, "x"), mask)
