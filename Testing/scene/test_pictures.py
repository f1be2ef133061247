"""What a user sees: Slicer's displayable managers draw segments on slices and in space where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import render
import slicer
import slicer.util
import vtk
from binding_makers import AXES
from render import VIEW, LegendLine, four_up, meeting_place
from session import SlicerSession
from views import Picture, SliceView, SpaceView

from LanguageSegmentLib.sample import loadSample
from LanguageSegmentLib.terminology import entryFor

pytestmark = pytest.mark.renderer

SHAPE = (20, 24, 28)
SIZE = (120, 90)
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
Mask = npt.NDArray[np.bool_]


def _block() -> Mask:
    """A block that no flip or swap of axes leaves in place."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[6:15, 4:13, 12:25] = True
    return mask


def _matrix(volumeNode: Any) -> npt.NDArray[np.float64]:
    found = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(found)
    return np.array([[found.GetElement(row, column) for column in range(4)] for row in range(4)])


def _middle(volumeNode: Any, mask: Mask) -> npt.NDArray[np.float64]:
    index = np.argwhere(mask).mean(axis=0)[::-1]
    return np.asarray((_matrix(volumeNode) @ [*index, 1])[:3])


def _segmentation(session: SlicerSession, volumeNode: Any, *segments: tuple[Mask, tuple[float, ...]]) -> Any:
    node = session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    for number, (mask, colour) in enumerate(segments):
        name = f"segment {number}"
        node.GetSegmentation().AddEmptySegment(name, name, colour)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, name, volumeNode)
    node.GetDisplayNode().SetOpacity2DFill(1.0)
    return node


def _sure(ras: npt.NDArray[np.float64], volumeNode: Any, mask: Mask) -> tuple[Mask, Mask]:
    """The pixels whose place lies in the mask or outside it, each by at least half a voxel."""
    inverse = np.linalg.inv(_matrix(volumeNode))
    index = (np.concatenate([ras, np.ones((*ras.shape[:-1], 1))], axis=-1) @ inverse.T)[..., :3]
    padded = np.pad(mask, 2)
    inside, outside = np.ones(ras.shape[:-1], dtype=bool), np.ones(ras.shape[:-1], dtype=bool)
    for step in np.ndindex(3, 3, 3):
        near = np.rint(index + (np.array(step) - 1) * 0.5).astype(int)[..., ::-1] + 2
        near = np.clip(near, 0, np.array(padded.shape) - 1)
        here = padded[tuple(np.moveaxis(near, -1, 0))]
        inside &= here
        outside &= ~here
    return inside, outside


def _has_colour(picture: Picture, colour: tuple[float, ...]) -> Mask:
    return np.asarray(np.abs(picture.astype(int) - np.array(colour) * 255).max(axis=-1) < 60)


@pytest.fixture
def views() -> Iterator[list[SliceView | SpaceView]]:
    """Views to be closed before the scene is."""
    made: list[SliceView | SpaceView] = []
    yield made
    for view in made:
        view.close()


@pytest.fixture
def slicer_views(slicer_session: SlicerSession, views: list[Any]) -> tuple[SlicerSession, list[Any]]:
    return slicer_session, views


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
def test_a_segment_covers_just_the_pixels_of_a_slice_whose_places_it_holds(
    slicer_views: tuple[SlicerSession, list[Any]], axes: np.ndarray, orientation: str
) -> None:
    session, views = slicer_views
    mask = _block()
    volume = session.volume(SHAPE, axes)
    _segmentation(session, volume, (mask, RED))
    view = SliceView(session.application, session.scene, "Red", orientation, SIZE)
    views.append(view)
    view.show(volume, _middle(volume, mask))
    shown = _has_colour(view.picture(), RED)
    inside, outside = _sure(view.ras(), volume, mask)
    assert inside.sum() > 300 and outside.sum() > 1000
    assert shown[inside].all() and not shown[outside].any()


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
def test_the_image_of_a_slice_lies_where_its_places_are(
    slicer_views: tuple[SlicerSession, list[Any]], orientation: str
) -> None:
    session, views = slicer_views
    mask = _block()
    volume = session.volume(SHAPE, AXES["oblique and left-handed"])
    slicer.util.updateVolumeFromArray(volume, (mask * 200).astype(np.int16))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetInterpolate(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 200)
    view = SliceView(session.application, session.scene, "Red", orientation, SIZE)
    views.append(view)
    view.show(volume, _middle(volume, mask))
    bright = view.picture()[..., 1] > 128
    inside, outside = _sure(view.ras(), volume, mask)
    assert inside.sum() > 300 and bright[inside].all() and not bright[outside].any()


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_a_segment_fills_the_outline_of_its_voxels_in_space(
    slicer_views: tuple[SlicerSession, list[Any]], axes: np.ndarray
) -> None:
    session, views = slicer_views
    mask = _block()
    volume = session.volume(SHAPE, axes)
    away = np.zeros(SHAPE, dtype=bool)
    away[0, -1, 0] = True  # so that the other one is not in the middle of the picture
    node = _segmentation(session, volume, (mask, RED), (away, BLUE))
    node.GetSegmentation().SetConversionParameter("Smoothing factor", "0")
    node.CreateClosedSurfaceRepresentation()
    view = SpaceView(session.application, session.scene, (240, 180))
    views.append(view)
    view.look((0.4, 1.0, -0.3))
    picture = view.picture().astype(int)
    shown = np.argwhere((picture[..., 0] > picture[..., 2] + 20) & (picture[..., 1] < 60))
    indices = np.argwhere(mask)[:, ::-1]
    corners = np.array([view.place((_matrix(volume) @ [*index, 1])[:3]) for index in indices])
    # The surface stands half a voxel outside the voxels' middles.
    voxel = np.abs(
        np.diff([view.place(_matrix(volume)[:3, axis] + _middle(volume, mask)) for axis in range(3)], axis=0)
    )
    slack = 2 + voxel.max()
    assert len(shown) > 500
    np.testing.assert_allclose(shown.min(axis=0), corners.min(axis=0), atol=slack)
    np.testing.assert_allclose(shown.max(axis=0), corners.max(axis=0), atol=slack)


def test_a_hidden_segment_is_not_drawn_and_others_keep_their_colours(
    slicer_views: tuple[SlicerSession, list[Any]],
) -> None:
    session, views = slicer_views
    mask, other = _block(), np.zeros(SHAPE, dtype=bool)
    other[6:15, 16:22, 12:25] = True
    volume = session.volume(SHAPE)
    node = _segmentation(session, volume, (mask, entryFor("infection").colour), (other, entryFor("effusion").colour))
    view = SliceView(session.application, session.scene, "Red", "axial", SIZE)
    views.append(view)
    view.show(volume, _middle(volume, mask))
    both = view.picture()
    assert _has_colour(both, entryFor("infection").colour).sum() > 300
    assert _has_colour(both, entryFor("effusion").colour).sum() > 200
    node.GetDisplayNode().SetSegmentVisibility("segment 0", False)
    one = view.picture()
    assert not _has_colour(one, entryFor("infection").colour).any()
    assert _has_colour(one, entryFor("effusion").colour).sum() > 200


def test_the_slices_go_where_a_small_and_a_large_segment_meet(slicer_session: SlicerSession) -> None:
    volume = slicer_session.volume(SHAPE)
    large, small = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    large[2, 2:12, 2:12] = True  # half of it on a slice where the small one is not
    large[3:15, 2:4, 2:6] = True
    small[10:13, 2:5, 20:23] = True
    node = _segmentation(slicer_session, volume, (large, RED), (small, BLUE))
    place = meeting_place(node, volume)
    _, j, k = np.rint(np.linalg.inv(_matrix(volume)) @ [*place, 1])[:3].astype(int)
    assert large[k].any() and small[k].any() and large[:, j].any() and small[:, j].any()


def test_the_picture_shows_the_sample_in_four_views_with_its_sentences(slicer_session: SlicerSession) -> None:
    volume, _ = loadSample(slicer_session.scene)
    shape = slicer.util.arrayFromVolume(volume).shape
    left, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    # This volume's i runs from the patient's left to the right.
    left[10:40, 130:160, 60:100] = True
    right[5:25, 130:160, 160:200] = True
    node = _segmentation(slicer_session, volume, (left, RED), (right, BLUE))
    legend = [LegendLine("In the left lung.", "left", RED), LegendLine("The heart is normal.", "not covered")]
    paper = np.asarray(four_up(slicer_session, volume, node, legend)).astype(int)
    width, height = VIEW
    top = 22
    axial, space = paper[top : top + height, :width], paper[top : top + height, -width:]
    coronal = paper[height + 2 * top + 6 :][:height, :width]
    for view in (axial, coronal):
        red, blue = (np.argwhere(view[..., a] > view[..., b] + 60) for a, b in ((0, 2), (2, 0)))
        assert len(red) > 500 and len(blue) > 500
        # The patient's left is on the right of the picture.
        assert red[:, 1].min() > blue[:, 1].max()
    assert ((space[..., 0] - space[..., 2]) > 60).sum() > 300
    below = paper[2 * (height + top) + 6 :]
    assert below.shape[0] == 2 * 16 + 2 * 34
    swatch = below[16 + 14, 16 + 10]
    assert tuple(swatch) == (255, 0, 0) and below[16 + 34 + 14, 16 + 10].max() < 60


def test_without_a_renderer_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render, "can_render", lambda: False)
    assert render.main(["--out", str(tmp_path / "x.png")]) == 1
    assert "install Mesa's libegl1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
