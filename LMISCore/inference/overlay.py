"""A picture of a result: each segment on its best slice, and every sentence with its state. Pillow only."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from LMISCore.inference.result import CaseResult, SentenceResult
from LMISCore.text.report import State
from LMISCore.text.terminology import Colour
from LMISCore.volumes.intensity import CONVENTIONS, STRETCH, WINDOWS, window
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.volume import Volume

BACKGROUND, PANEL, LINE = (16, 18, 22), (27, 30, 36), (58, 63, 72)
TEXT, FAINT = (232, 235, 240), (150, 157, 168)
MARGIN, PANEL_WIDTH, COLUMNS, MOST_PANELS = 24, 440, 3, 12
FILL = 0.30
SUPERSAMPLING = 3
# A reconstruction from fewer slices than this shows stripes rather than anatomy.
FEWEST_SLICES = 12

_STATE_COLOURS = {
    State.AFFIRMED: (94, 196, 120),
    State.NEGATED: (224, 108, 108),
    State.UNCERTAIN: (226, 178, 84),
    State.HISTORICAL: (176, 146, 206),
    State.NORMAL: (132, 190, 196),
    State.NOT_COVERED: (140, 148, 160),
    State.ABSENT: (120, 152, 214),
    State.STALE: (140, 148, 160),
}


@dataclass(frozen=True)
class _View:
    """One grey picture ``(h, w)`` in [0, 1] with masks on it, and the size of its pixels (rows, columns) in mm."""

    grey: np.ndarray
    masks: list[tuple[np.ndarray, Colour, bool]]
    spacing: tuple[float, float]
    level: int | None = None


def render_overlay(result: CaseResult, volume: Volume, title: str) -> Image.Image:
    """Draw a montage of the segments over the volume, and the sentences below it.

    Each segment is shown on the slice where it is largest, filled and outlined in its colour, the others outlined
    thinly; below it, for a volume of enough axial slices, the coronal plane through it with the slice's level marked.

    Args:
        result: of the volume.
        volume: as it was segmented.
        title: first line.

    Returns:
        an RGB picture.
    """
    canonical = Canonical(volume, plane=result.provenance["plane"])
    grey = _greyscale(volume, result)
    segments = result.segments[:MOST_PANELS]
    panels = [_segment_panel(row, result, canonical, grey) for row in segments]
    if not panels:
        panels = [_plain_panel(canonical, grey)]
    columns = min(COLUMNS, len(panels))
    width = 2 * MARGIN + max(columns, 2) * (PANEL_WIDTH + MARGIN) - MARGIN
    legend = _legend(result, width - 2 * MARGIN)
    rows = [panels[at : at + columns] for at in range(0, len(panels), columns)]
    height = 100 + sum(max(p.height for p in row) + MARGIN for row in rows) + legend.height + MARGIN
    page = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 22), _fit(title, 24, width - 2 * MARGIN), font=_font(24), fill=TEXT)
    draw.text((MARGIN, 58), _fit(_subtitle(result), 14, width - 2 * MARGIN), font=_font(14), fill=FAINT)
    y = 100
    for row in rows:
        x = (width - len(row) * (PANEL_WIDTH + MARGIN) + MARGIN) // 2
        for panel in row:
            page.paste(panel, (x, y))
            x += PANEL_WIDTH + MARGIN
        y += max(p.height for p in row) + MARGIN
    page.paste(legend, (MARGIN, y))
    return page


def _greyscale(volume: Volume, result: CaseResult) -> tuple[float, float]:
    """Values shown black and white: the convention's window for HU, else percentiles of the volume."""
    intensity = result.provenance["intensity"]
    if intensity["kind"] == "hu":
        rule = CONVENTIONS[intensity["convention"]]
        level, width = WINDOWS[rule.hu_window or "lung"]
        return level - width / 2, level + width / 2
    low, high = (float(value) for value in np.percentile(volume.array, STRETCH))
    # In single precision, in which they are used, 1e-6 beside a large value is nothing.
    return low, max(high, low + 1e-6 * max(1.0, abs(low)))


def _grey(picture: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    if picture.ndim == 3:
        picture = picture.astype(np.float32).mean(-1)
    low, high = limits
    return window(picture, (low + high) / 2, high - low)


def _segment_panel(
    row: SentenceResult, result: CaseResult, canonical: Canonical, limits: tuple[float, float]
) -> Image.Image:
    masks = {r.segment_id: canonical.from_native(r.mask) for r in result.segments if r.mask is not None}
    own = masks[row.segment_id]
    best = int(own.sum(axis=(1, 2)).argmax())
    shown = [r for r in result.segments if r is not row] + [row]

    def marks(cut: tuple[int | slice, ...], flip: bool = False) -> list[tuple[np.ndarray, Colour, bool]]:
        found = [(masks[r.segment_id][cut], r.colour or (1.0, 1.0, 1.0), r is row) for r in shown]
        return [(mask[::-1] if flip else mask, colour, main) for mask, colour, main in found]

    views = [_View(_grey(canonical.slices[best], limits), marks((best,)), canonical.spacing_rc)]
    count = canonical.slices.shape[0]
    if canonical.plane == "axial" and count >= FEWEST_SLICES:
        middle = int(own.sum(axis=(0, 2)).argmax())
        views.append(
            _View(
                _grey(canonical.slices[::-1, middle], limits),
                marks((slice(None), middle), flip=True),
                (canonical.slice_spacing, canonical.spacing_rc[1]),
                level=count - 1 - best,
            )
        )
    facts = [f"slice {best + 1} of {count}"] if count > 1 else []
    facts += [f"presence {row.presence:.2f}"] if row.presence is not None else []
    facts += [volume_words(row.volume_ml, result.spacing_known)] if row.volume_ml is not None else []
    return _panel(views, row.name, " · ".join(facts), row.colour, canonical.plane)


def _plain_panel(canonical: Canonical, limits: tuple[float, float]) -> Image.Image:
    middle = canonical.slices.shape[0] // 2
    view = _View(_grey(canonical.slices[middle], limits), [], canonical.spacing_rc)
    return _panel([view], "No segment", "no affirmed sentence was found present", None, canonical.plane)


def _panel(views: list[_View], name: str, facts: str, colour: Colour | None, plane: str) -> Image.Image:
    pictures = [_draw_view(view, PANEL_WIDTH - 16, plane) for view in views]
    height = 62 + sum(picture.height + 8 for picture in pictures)
    panel = Image.new("RGB", (PANEL_WIDTH, height), PANEL)
    draw = ImageDraw.Draw(panel)
    if colour is not None:
        draw.rounded_rectangle((10, 13, 24, 27), 3, fill=_rgb(colour))
    left = 34 if colour is not None else 12
    draw.text((left, 9), _fit(name, 17, PANEL_WIDTH - left - 10), font=_font(17), fill=TEXT)
    draw.text((left, 34), _fit(facts, 13, PANEL_WIDTH - left - 10), font=_font(13), fill=FAINT)
    y = 58
    for picture in pictures:
        panel.paste(picture, (8, y))
        y += picture.height + 8
    return panel


def _draw_view(view: _View, width: int, plane: str) -> Image.Image:
    """Enlarge a view to ``width`` with its proportions in mm, at most 1.2 times as high, centred on black."""
    extent = (view.grey.shape[0] * view.spacing[0], view.grey.shape[1] * view.spacing[1])
    scale = min(width / extent[1], 1.2 * width / extent[0])
    size = (max(1, round(extent[1] * scale)), max(1, round(extent[0] * scale)))
    base = Image.fromarray((view.grey * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    for mask, colour, main in view.masks:
        if mask.any():
            _paint(base, mask, colour, main)
    draw = ImageDraw.Draw(base)
    if view.level is not None:
        y = round((view.level + 0.5) * view.spacing[0] * scale)
        for x in range(0, size[0], 12):
            draw.line((x, y, x + 5, y), fill=FAINT, width=1)
    if plane in ("axial", "coronal"):
        for text, x, anchor in (("R", 8, "la"), ("L", size[0] - 8, "ra")):
            draw.text((x, 6), text, font=_font(15), fill=TEXT, anchor=anchor, stroke_width=2, stroke_fill=BACKGROUND)
    framed = Image.new("RGB", (width, size[1]), (0, 0, 0))
    framed.paste(base, ((width - size[0]) // 2, 0))
    return framed


def _paint(base: Image.Image, mask: np.ndarray, colour: Colour, main: bool) -> None:
    """Fill a mask translucently (the panel's own segment only) and outline it, smooth at the picture's resolution."""
    # Three times as fine while drawing, then shrunk: an outline without steps.
    fine = (base.width * SUPERSAMPLING, base.height * SUPERSAMPLING)
    enlarged = Image.fromarray(mask.astype(np.uint8) * 255).resize(fine, Image.Resampling.BILINEAR)
    shape = np.asarray(enlarged) >= 128
    edge = shape & ~_shrunk(shape, SUPERSAMPLING if main else SUPERSAMPLING // 2)
    if main:
        cover = Image.fromarray(shape.astype(np.uint8) * round(255 * FILL))
        base.paste(_rgb(colour), (0, 0, *base.size), cover.resize(base.size, Image.Resampling.BOX))
    line = Image.fromarray(edge.astype(np.uint8) * 255)
    base.paste(_rgb(colour), (0, 0, *base.size), line.resize(base.size, Image.Resampling.BOX))


def _shrunk(shape: np.ndarray, reach: int) -> np.ndarray:
    """Take ``reach`` pixels off all round, those at the picture's border kept (a lesion may go on beyond it).

    Rows, then columns: Pillow's MinFilter takes over a hundred times as long.
    """
    for axis in (0, 1):
        kept = shape.copy()
        for step in range(1, reach + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            kept[tuple(behind)] &= shape[tuple(ahead)]
            kept[tuple(ahead)] &= shape[tuple(behind)]
        shape = kept
    return shape


def _legend(result: CaseResult, width: int) -> Image.Image:
    """One line or more for each sentence: colour, state, the sentence, its score and volume."""
    state_x, text_x, facts_width = 34, 150, 290
    lines = [(row, _wrap(f"{row.sentence.text}", 15, width - text_x - facts_width)) for row in result.rows]
    height = 20 + sum(22 * len(text) + 10 for _, text in lines)
    page = Image.new("RGB", (width, height), PANEL)
    draw = ImageDraw.Draw(page)
    y = 12
    for row, text in lines:
        if row.mask is not None and row.colour is not None:
            draw.rounded_rectangle((12, y + 2, 26, y + 16), 3, fill=_rgb(row.colour))
        else:
            draw.rounded_rectangle((12, y + 2, 26, y + 16), 3, outline=LINE, width=2)
        label = row.state.value + (" *" if row.forced else "")
        draw.text((state_x, y), label, font=_font(15), fill=_STATE_COLOURS[row.state])
        for number, part in enumerate(text):
            shade = TEXT if row.mask is not None else FAINT
            draw.text((text_x, y + 22 * number), part, font=_font(15), fill=shade)
        facts = [] if row.presence is None else [f"presence {row.presence:.2f}"]
        facts += [] if row.volume_ml is None else [volume_words(row.volume_ml, result.spacing_known)]
        draw.text((width - 12, y), " · ".join(facts), font=_font(13), fill=FAINT, anchor="ra")
        y += 22 * len(text) + 10
    return page


def _subtitle(result: CaseResult) -> str:
    about = result.provenance
    count = len(result.segments)
    parts = [
        f"{count} of {len(result.rows)} sentences {'has' if count == 1 else 'have'} a segment",
        f"{about['checkpoint']} ({about['checkpoint_hash'][:12]})",
        f"LMISCore {about['version']}",
        "for research only",
    ]
    if result.provenance["plane"] == "axial" and result.segments:
        parts.insert(1, "slices counted from the feet")
    if len(result.segments) > MOST_PANELS:
        parts.insert(1, f"the first {MOST_PANELS} are shown")
    if any(row.forced for row in result.rows):
        parts.append("* mask asked for by the user")
    return " · ".join(parts)


def volume_words(volume_ml: float, spacing_known: bool) -> str:
    """A volume for people; nominal when the spacing, and so the mL, is not known.

    >>> volume_words(12.345, True), volume_words(1234.5, False)
    ('12.3 mL', '1234 mL (nominal spacing)')
    """
    number = f"{volume_ml:.3g}" if volume_ml < 100 else f"{volume_ml:.0f}"
    return f"{number} mL" + ("" if spacing_known else " (nominal spacing)")


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Kept: to make a font takes two milliseconds.
    return ImageFont.load_default(size)


def _text_width(text: str, size: int) -> float:
    return _font(size).getlength(text)


def _fit(text: str, size: int, width: int) -> str:
    """Cut a line that is too long for ``width`` pixels."""
    # A line of more letters than pixels does not fit, and need not be measured.
    short = text[:width]
    if short == text and _text_width(text, size) <= width:
        return text
    lengths = range(len(short) + 1)
    letters = bisect_right(lengths, float(width), key=lambda count: _text_width(short[:count] + "…", size)) - 1
    return short[: max(letters, 0)].rstrip() + "…"


def _wrap(text: str, size: int, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(_fit(word, size, width))
    return lines or [""]


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * channel) for channel in colour)
    return red, green, blue
