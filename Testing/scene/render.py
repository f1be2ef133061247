"""A picture of a segmented report as Slicer shows it: three slice views, the 3-D view, and the sentences.

``python Testing/scene/render.py --out PNG`` segments the bundled sample with the bundled weights and draws it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import slicer.util
import vtk
from PIL import Image, ImageDraw, ImageFont
from session import SlicerSession
from views import Picture, SliceView, SpaceView, can_render

VIEW = (560, 420)
# Slicer's colours of its views, and the letters at the left, right, top and bottom of each.
SLICES = {
    "axial": ("Red", (243, 74, 51), "RLAP"),
    "coronal": ("Green", (110, 176, 75), "RLSI"),
    "sagittal": ("Yellow", (237, 213, 76), "APSI"),
}
_SPACE = (116, 120, 190)
_BAR, _GAP, _LINE, _MARGIN = 22, 6, 34, 16
_PAPER, _INK, _PALE = (24, 24, 28), (235, 235, 235), (150, 150, 155)

_Panel = tuple[str, tuple[int, int, int], str, Picture]
"""Title, colour of its bar, letters at the edges, pixels."""


@dataclass(frozen=True)
class LegendLine:
    """One sentence below the views: its words, what became of it, and the colour of its segment if it has one."""

    sentence: str
    outcome: str
    colour: tuple[float, float, float] | None = None


def four_up(
    session: SlicerSession, volumeNode: Any, segmentationNode: Any, legend: Sequence[LegendLine] = ()
) -> Image.Image:
    """Draw a volume and its segments in Slicer's four-up layout, with the sentences below.

    The slices go through the place where most of the segments meet. Needs :func:`views.can_render`.
    """
    segmentationNode.CreateClosedSurfaceRepresentation()
    display = segmentationNode.GetDisplayNode()
    display.SetOpacity2DFill(0.45)
    display.SetSliceIntersectionThickness(2)
    centre = meeting_place(segmentationNode, volumeNode)
    panels: list[_Panel] = []
    views: list[SliceView | SpaceView] = []
    try:
        for orientation, (name, colour, letters) in SLICES.items():
            view = SliceView(session.application, session.scene, name, orientation, VIEW)
            views.append(view)
            view.show(volumeNode, centre, zoom=1.05)
            panels.append((orientation.capitalize(), colour, letters, view.picture()))
            if orientation == "axial":
                view.show_in_space()
        space = SpaceView(session.application, session.scene, VIEW)
        views.append(space)
        space.look((-0.45, 1.0, -0.55), zoom=1.55)
        panels.insert(1, ("3D, from behind", _SPACE, "", space.picture()))
    finally:
        for made in views:
            made.close()
    return _composed(panels, legend)


def meeting_place(segmentationNode: Any, volumeNode: Any) -> npt.NDArray[np.float64]:
    """Return the place (RAS, mm) whose axial, coronal and sagittal slices each cut the most of the segments.

    Each segment counts by its share of itself, so that a small one is not lost beside a large one.
    """
    shares = []
    segmentation = segmentationNode.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(
            segmentationNode, segmentation.GetNthSegmentID(number), volumeNode
        )
        others = ((1, 2), (0, 2), (0, 1))
        shares.append([np.count_nonzero(mask, axis=axes) / max(np.count_nonzero(mask), 1) for axes in others])
    k, j, i = (int(np.argmax(np.sum([np.sqrt(share[axis]) for share in shares], axis=0))) for axis in range(3))
    to_ras = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(to_ras)
    return np.array(to_ras.MultiplyPoint((i, j, k, 1))[:3])


def _composed(panels: Sequence[_Panel], legend: Sequence[LegendLine]) -> Image.Image:
    width, height = 2 * VIEW[0] + _GAP, 2 * (VIEW[1] + _BAR) + _GAP
    below = _MARGIN * 2 + _LINE * len(legend) if legend else 0
    paper = Image.new("RGB", (width, height + below), _PAPER)
    draw = ImageDraw.Draw(paper)
    for number, (title, colour, letters, pixels) in enumerate(panels):
        left, top = number % 2 * (VIEW[0] + _GAP), number // 2 * (VIEW[1] + _BAR + _GAP)
        draw.rectangle((left, top, left + VIEW[0] - 1, top + _BAR - 1), fill=colour)
        dark = sum(colour) > 380
        draw.text((left + 8, top + 3), title, (0, 0, 0) if dark else (255, 255, 255), ImageFont.load_default(14))
        paper.paste(Image.fromarray(pixels), (left, top + _BAR))
        _write_letters(draw, letters, left, top + _BAR)
    for number, line in enumerate(legend):
        _write_line(draw, line, height + _MARGIN + number * _LINE, width)
    return paper


def _write_letters(draw: ImageDraw.ImageDraw, letters: str, left: int, top: int) -> None:
    places = ((12, VIEW[1] // 2), (VIEW[0] - 12, VIEW[1] // 2), (VIEW[0] // 2, 14), (VIEW[0] // 2, VIEW[1] - 14))
    # Not strict: the 3D view has no letters.
    for letter, (x, y) in zip(letters, places, strict=False):
        draw.text(
            (left + x, top + y), letter, _INK, ImageFont.load_default(16), "mm", stroke_width=2, stroke_fill=(0, 0, 0)
        )


def _write_line(draw: ImageDraw.ImageDraw, line: LegendLine, top: int, width: int) -> None:
    if line.colour is not None:
        fill = tuple(round(part * 255) for part in line.colour)
        draw.rounded_rectangle((_MARGIN, top + 4, _MARGIN + 20, top + 24), 4, fill=fill)
    else:
        draw.rounded_rectangle((_MARGIN, top + 4, _MARGIN + 20, top + 24), 4, outline=_PALE, width=2)
    ink = _INK if line.colour is not None else _PALE
    draw.text((_MARGIN + 34, top + 14), line.sentence, ink, ImageFont.load_default(18), "lm")
    draw.text((width - _MARGIN, top + 14), line.outcome, ink, ImageFont.load_default(16), "rm")


def sample_picture(folder: Path) -> Image.Image:
    """Segment the findings of the bundled sample's report with the bundled weights and draw them.

    Args:
        folder: for temporary files.
    """
    from LanguageSegmentLib.sample import loadSample
    from LanguageSegmentLib.scripting import segmentReport

    session = SlicerSession(folder)
    try:
        volumeNode, reportNode = loadSample(session.scene)
        result = segmentReport(volumeNode, reportNode, fields=("FINDINGS",))
        (segmentationNode,) = result.segmentationNodes
        segmentation = segmentationNode.GetSegmentation()
        legend = []
        for row in result.rows:
            segment = segmentation.GetSegment(row["segment_id"]) if row["segment_id"] else None
            legend.append(
                LegendLine(
                    row["sentence"],
                    f"{row['state']}, no segment" if segment is None else segment.GetName(),
                    None if segment is None else segment.GetColor(),
                )
            )
        return four_up(session, volumeNode, segmentationNode, legend)
    finally:
        session.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the picture; 1 where nothing can be drawn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="PNG", help="the picture to write")
    out: Path = parser.parse_args(arguments).out
    if not can_render():
        print(
            "Nothing can be drawn here: no EGL, OSMesa or display was found; install Mesa's libegl1.", file=sys.stderr
        )
        return 1
    from LMISCore.atomic import atomic_path

    with tempfile.TemporaryDirectory() as folder:
        picture = sample_picture(Path(folder))
    with atomic_path(out) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    print(f"wrote {out}")
    return 0


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root), str(root / "LanguageSegment")]
    sys.exit(main())
