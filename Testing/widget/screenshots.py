"""Pictures of the panel before and after a run of the bundled case, light and dark, and of Slicer's views of it.

``python Testing/widget/screenshots.py --out FOLDER [--language de]`` clicks the sample and Apply with the bundled
weights. The panel is drawn by Qt's Fusion style with stand-ins for Slicer's own widgets, the views by Slicer's
displayable managers (left out where no OpenGL is found). At twice the size, as on a screen of 200 % scaling.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEIGHT = 1240
LOOKS = ("light", "dark")


def save(window: Any, path: Path) -> None:
    """Write a picture of the whole panel."""
    from LMISCore.atomic import atomic_path

    with atomic_path(path) as temporary:
        assert window.area.grab().save(str(temporary), "PNG")
    print(f"wrote {path}")


def before_and_after(out: Path, look: str, language: str, work: Path) -> None:
    """Click the sample and Apply, and write both pictures.

    Args:
        out: folder of the pictures.
        look: one of ``LOOKS``.
        language: of a translation file, or "en".
        work: for temporary files.
    """
    from looks import dark_palette
    from offscreen import panel_window
    from PySide6 import QtWidgets
    from PySide6.QtTest import QTest
    from translations import Words, file_of, read

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    assert isinstance(application, QtWidgets.QApplication)
    if look == "dark":
        application.setPalette(dark_palette())
    known = read(file_of(language)) if language != "en" else {}
    ending = look if language == "en" else f"{look}_{language}"
    speak = (lambda context, text: known.get(Words(context, text), text)) if known else None
    with panel_window(work, speak, height=HEIGHT) as (window, _session):
        window.wait(lambda: not window.panel.runs.probe.isRunning)
        QTest.qWait(100)
        save(window, out / f"panel_before_{ending}.png")
        window.click("sampleButton")
        window.click("applyButton")
        window.wait_for_run(600)
        rows = window.panel.table.rows
        window.choose(next(number for number, row in enumerate(rows) if row.segmentId))
        window.applyButton.setFocus()
        QTest.qWait(100)
        save(window, out / f"panel_after_{ending}.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--language", default="en", help="of a file in Resources/Translations, such as de")
    parser.add_argument("--look", choices=LOOKS, help="only this look of the panel, no views")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.look:
        with tempfile.TemporaryDirectory() as folder:
            before_and_after(options.out, options.look, options.language, Path(folder))
        return 0
    # Each look in a process of its own: a palette, and Qt's scaling, hold for a whole process.
    for look in LOOKS:
        command = [sys.executable, __file__, "--out", str(options.out), "--language", options.language, "--look", look]
        subprocess.run(command, check=True, env={**os.environ, "QT_SCALE_FACTOR": "2"})
    from views import can_render

    if can_render():
        render = Path(__file__).resolve().parents[1] / "scene" / "render.py"
        subprocess.run([sys.executable, str(render), "--out", str(options.out / "views.png")], check=True)
    return 0


if __name__ == "__main__":
    import offscreen  # noqa: F401  (puts the project's folders on Python's path)

    sys.exit(main())
