"""The log of a run, one JSON line a validation, which a resumed run continues as if it had never been interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from LMISCore.atomic import write_text
from LMISCore.errors import InputError

NAME = "log.jsonl"


class RunLog:
    """The lines of ``folder/log.jsonl``.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def begin(self) -> None:
        """Start empty, as a run at step 0 does."""
        write_text(self.path, "")

    def keep_until(self, step: int) -> None:
        """Drop lines of steps after ``step``, which a run that goes on there will write again, and torn ones."""
        kept = [line for line in self.lines() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        if not self.path.is_file() or text != self.path.read_text(encoding="utf-8", errors="replace"):
            write_text(self.path, text)

    def add(self, line: dict[str, Any]) -> None:
        """Add a line.

        Raises:
            InputError: if it cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise InputError(
                f"Cannot write {self.path}: {error.strerror or error}; make room or give rights, then run the same "
                "command to go on."
            ) from error

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines, in order."""
        if not self.path.is_file():
            return []
        found = []
        for text in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                found.append(line)
        return found
