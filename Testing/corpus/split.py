"""Which half of the corpus a sentence or a report belongs to: decided by its id alone.

``python -m Testing.corpus.split`` puts every sentence and report into the files of its half, after new ones were
added to either.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

CORPUS = Path(__file__).resolve().parent
HALVES = ("development", "heldout")


def half(identifier: str) -> str:
    """Return "heldout" if the SHA-256 of the id, read as a number, is even, "development" if it is odd.

    >>> half("cr-en-001"), half("cr-en-003")
    ('development', 'heldout')
    >>> {half(identifier) for identifier in ("mr-knee", "us-thyroid")} == set(HALVES)
    True
    """
    digest = hashlib.sha256(identifier.encode("utf-8")).hexdigest()
    return "heldout" if int(digest, 16) % 2 == 0 else "development"


def divide(corpus: Path = CORPUS) -> None:
    """Write every line and move every report of ``corpus`` to the half of its id; lines keep their bytes."""
    files = {name: corpus / f"sentences_{name}.jsonl" for name in HALVES}
    lines = [line for file in files.values() for line in file.read_text(encoding="utf-8").split("\n") if line]
    lines.sort(key=lambda line: str(json.loads(line)["id"]))
    for name, file in files.items():
        kept = [line for line in lines if half(json.loads(line)["id"]) == name]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8", newline="\n")
    for report in sorted((corpus / "reports").glob("*/*.*")):
        report.rename(corpus / "reports" / half(report.stem) / report.name)


if __name__ == "__main__":
    divide()
