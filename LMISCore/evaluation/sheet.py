"""A contact sheet: the best, the median and the worst slices, with the outlines of truth and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from LMISCore.data.slices import as_grey, read_slice
from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.evaluate import Kept
from LMISCore.evaluation.figures import per_image
from LMISCore.evaluation.quality import unpack_mask
from LMISCore.evaluation.rows import Row, condition_counts
from LMISCore.metrics.bootstrap import neighbour_blocks
from LMISCore.metrics.surface import outline
from LMISCore.volumes.intensity import WINDOWS, stretch, window

GROUPS = ("best", "median", "worst")
EACH = 3
TRUTH, ANSWER = (230, 159, 0), (86, 180, 233)
BACKGROUND, TEXT, FAINT = (16, 18, 22), (232, 235, 240), (150, 157, 168)
SIDE, GAP, MARGIN, HEAD, CAPTION = 264, 4, 20, 78, 40


def chosen_slices(rows: Sequence[Row], each: int = EACH) -> dict[str, list[int]]:
    """Numbers of the slices with the highest, the most middling and the lowest Dice, at most one of ten neighbours.

    Slices whose truth is empty have no Dice and are not shown; none is shown twice.
    """
    dice = per_image(condition_counts(rows, RIGHT), "dice")
    blocks = neighbour_blocks([(row["patient"], row["case"]) for row in rows])
    known = [int(row) for row in np.flatnonzero(np.isfinite(dice))]
    if not known:
        return {}
    middle = float(np.median(dice[known]))
    orders = {
        "best": sorted(known, key=lambda row: -dice[row]),
        "worst": sorted(known, key=lambda row: dice[row]),
        "median": sorted(known, key=lambda row: abs(dice[row] - middle)),
    }
    taken: set[int] = set()
    found: dict[str, list[int]] = {}
    for group, order in orders.items():
        rows_left, seen = [row for row in order if row not in taken], set()
        found[group] = []
        for row in rows_left:
            if len(found[group]) < each and blocks[row] not in seen:
                found[group].append(row)
                seen.add(blocks[row])
        taken |= set(found[group])
    return {group: found[group] for group in GROUPS if found[group]}


def contact_sheet(result: Mapping[str, Any], kept: Kept) -> Image.Image | None:
    """Draw the chosen slices: each plain, and beside it with both outlines.

    Args:
        result: of ``evaluate``.
        kept: what the same call kept.

    Returns:
        An RGB picture; None where no slice has a Dice.
    """
    rows = result["slices"]
    groups = chosen_slices(rows)
    if not groups:
        return None
    dice = per_image(condition_counts(rows, RIGHT), "dice")
    panels = {
        group: [(_panel(kept, row), rows[row]["image"], float(dice[row])) for row in chosen]
        for group, chosen in groups.items()
    }
    width = 2 * SIDE + GAP
    columns = max(len(chosen) for chosen in panels.values())
    heights = {group: max(panel.height for panel, _, _ in chosen) + CAPTION for group, chosen in panels.items()}
    page = Image.new(
        "RGB", (2 * MARGIN + columns * (width + MARGIN) - MARGIN, HEAD + sum(heights.values()) + MARGIN), BACKGROUND
    )
    draw = ImageDraw.Draw(page)
    title = f"{result['checkpoint']['name']} on {result['data']['name']}, {result['data']['split']}"
    draw.text((MARGIN, 14), _fit(title, 20, page.width - 2 * MARGIN), font=_font(20), fill=TEXT)
    x = MARGIN
    for words, colour in (("truth", TRUTH), ("answer to the right sentence", ANSWER)):
        draw.line((x, 56, x + 22, 56), fill=colour, width=3)
        draw.text((x + 30, 47), words, font=_font(14), fill=FAINT)
        x += 50 + int(_font(14).getlength(words))
    y = HEAD
    for group, chosen in panels.items():
        for column, (panel, name, value) in enumerate(chosen):
            left = MARGIN + column * (width + MARGIN)
            page.paste(panel, (left, y))
            caption = f"{group}: Dice {value:.3f}, {name}"
            draw.text((left, y + panel.height + 6), _fit(caption, 14, width), font=_font(14), fill=TEXT)
        y += heights[group]
    return page


def _panel(kept: Kept, row: int) -> Image.Image:
    pair = kept.pairs[row]
    item = read_slice(pair)
    grey = as_grey(item.picture)
    shown = window(grey, *WINDOWS["lung"]) if kept.kinds[pair.case] == "hu" else stretch(grey)
    shape = (item.truth.shape[0], item.truth.shape[1])
    extent = (shape[0] * item.spacing[0], shape[1] * item.spacing[1])
    scale = SIDE / max(extent)
    size = (max(1, round(extent[1] * scale)), max(1, round(extent[0] * scale)))
    plain = Image.fromarray((255 * shown).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    pixels = np.array(plain)
    for mask, colour in ((item.truth, TRUTH), (unpack_mask(kept.masks[row], shape), ANSWER)):
        large = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)) >= 128
        pixels[outline(large)] = colour
    panel = Image.new("RGB", (2 * SIDE + GAP, size[1]), BACKGROUND)
    panel.paste(plain, ((SIDE - size[0]) // 2, 0))
    panel.paste(Image.fromarray(pixels), (SIDE + GAP + (SIDE - size[0]) // 2, 0))
    return panel


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fit(text: str, size: int, width: int) -> str:
    """Cut a line that is too long for ``width`` pixels."""
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
