"""Write Training/RESULTS.md, and with --plots its pictures, from the records in Training/results.

python Training/results_page.py [--plots]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.atomic import write_text
from Training import results_reading as reading
from Training import results_sections as sections
from Training.results_figures import Table, read_table
from Training.results_table import RERUN_SEED, RESULTS

PAGE = RESULTS.parent / "RESULTS.md"


def page(results: Path = RESULTS) -> str:
    """RESULTS.md as text."""
    rows, text = read_table(results), _texts(results / "texts.md")
    parts = [text["head"], "## The short reading\n", text["reading"], *_reading(rows)]
    parts += ["## Budget\n", sections.budget(rows), text["budget"]]
    parts += ["![Mean Dice by network](results/dice.png)\n\n![Text sensitivity by network](results/listening.png)\n"]
    for data, title in sections.SETS.items():
        parts += [f"## {title} (`{data}`)\n", text[data], sections.overlap(rows, data), sections.resampled(rows, data)]
        parts += _titled("Between the networks, paired:\n", sections.between_networks(rows, data))
        parts += _titled("What another sentence does to the mean Dice:\n", sections.listening(rows, data))
        parts += _titled(
            'Asked for one lung at a time ("Pulmonary infection in the left lung."):\n', sections.obedience(rows, data)
        )
    parts += ["## What each idea is worth, on CT\n", text["ablation"]]
    parts += [sections.changes(rows, "ablation", network) for network in ("tirnet", "reclmis", "tmca")]
    parts += ["## RecLMIS's mended defects, each switched back alone\n", text["mend"]]
    parts += [sections.changes(rows, "mend", "reclmis")]
    parts += ["## Other seeds\n", text["seed"], sections.seeds(rows)]
    parts += ["## Run again from scratch\n", text["again"], _again(rows), text["commands"]]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _titled(title: str, found: str) -> list[str]:
    return [title, found] if found else []


def _reading(rows: Table) -> list[str]:
    return [
        "**Which network.**\n",
        *_lines(reading.which_network(rows)),
        "**Which one listens.**\n",
        *_lines(reading.who_listens(rows) + reading.what_text_does(rows)),
        "**What each idea is worth (CT).**\n",
        *_lines(reading.what_helps(rows, "ablation")),
        "**The papers' parts, TMCA's as we read them (CT).**\n",
        *_lines(reading.papers_parts(rows)),
        "**RecLMIS's mends, each switched back (CT).**\n",
        *_lines(reading.what_helps(rows, "mend")),
    ]


def _lines(lines: list[str]) -> list[str]:
    return ["\n".join(lines) + "\n"] if lines else []


def _again(rows: Table) -> str:
    return f"Drawn with seed {RERUN_SEED}.\n\n" + sections.again(rows) if rows.drawn else "Not run.\n"


def _texts(path: Path) -> dict[str, str]:
    """The parts of the page that do not depend on any figure, each after its name in a comment."""
    parts = re.split(r"^<!-- (\S+) -->$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.strip() + "\n" for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plots", action="store_true", help="draw the pictures as well (needs matplotlib)")
    options = parser.parse_args(arguments)
    write_text(PAGE, page())
    if options.plots:
        from Training.results_plots import draw

        draw(read_table(), RESULTS)
    print(f"{PAGE.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
