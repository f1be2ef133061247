"""Everything that an evaluation or a comparison leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LMISCore.atomic import atomic_path, write_json, write_text
from LMISCore.errors import MissingDependencyError
from LMISCore.evaluation.comparison_page import comparison_page, image_differences
from LMISCore.evaluation.evaluate import Kept
from LMISCore.evaluation.image_table import image_table
from LMISCore.evaluation.plots import comparison_plot, listening_plot, new_figure, reliability_plot, save
from LMISCore.evaluation.rows import write_result
from LMISCore.evaluation.sheet import contact_sheet
from LMISCore.evaluation.tables import markdown


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    try:
        new_figure(1, 1)
    except MissingDependencyError:
        return False
    return True


def write_evaluation(folder: str | Path, result: dict[str, Any], kept: Kept | None, plots: bool) -> list[Path]:
    """Write a result's figures, page, table of images, plots and contact sheet.

    Args:
        folder: is made where it does not exist.
        result: of ``evaluate``.
        kept: what the same call kept; None leaves the contact sheet out.
        plots: whether to draw the plots.

    Returns:
        What was written. Plots and a sheet of an earlier run that are not drawn now are taken away: they would show
        other figures than the page.

    Raises:
        InputError: if the folder cannot be written.
        MissingDependencyError: if plots are wanted without matplotlib.
    """
    folder = Path(folder)
    written = [folder / name for name in ("evaluation.json", "evaluation.md", "evaluation.csv")]
    write_result(written[0], result)
    write_text(written[1], markdown(result))
    write_text(written[2], image_table(result))
    drawn: dict[str, Any] = dict.fromkeys(("reliability.png", "listening.png", "contact_sheet.png"))
    if plots:
        drawn["reliability.png"] = reliability_plot(result)
        drawn["listening.png"] = listening_plot(result) if result["differences"] else None
    sheet = None if kept is None else contact_sheet(result, kept)
    for name, figure in drawn.items():
        path = folder / name
        if figure is not None:
            save(figure, path)
        elif name == "contact_sheet.png" and sheet is not None:
            with atomic_path(path) as temporary:
                sheet.save(temporary)
        else:
            path.unlink(missing_ok=True)
            continue
        written.append(path)
    return written


def write_comparison(folder: str | Path, found: dict[str, Any], plots: bool) -> list[Path]:
    """Write a comparison's figures, page, table of images and plot; as :func:`write_evaluation`."""
    folder = Path(folder)
    written = [folder / name for name in ("comparison.json", "comparison.md", "comparison.csv")]
    write_json(written[0], {key: value for key, value in found.items() if key != "images"})
    write_text(written[1], comparison_page(found))
    write_text(written[2], image_differences(found))
    plot = folder / "comparison.png"
    if plots:
        save(comparison_plot(found), plot)
        return [*written, plot]
    plot.unlink(missing_ok=True)
    return written
