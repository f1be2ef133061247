"""The log of every look at a test split: one JSON line per run, kept under version control.

Nothing may be chosen on Test. The log cannot forbid it, but it shows how often Test was looked at before a figure.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError

NAME = "test_runs.jsonl"


def default_log_path(folder: str | Path | None = None) -> Path:
    """``Training/test_runs.jsonl`` under the working directory if there is a Training folder, else in ``folder``."""
    training = Path.cwd() / "Training"
    return training / NAME if training.is_dir() else Path(folder or Path.cwd()) / NAME


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """Return the log's entries, oldest first; a log that does not exist yet has none.

    Raises:
        InputError: if the file cannot be read or a line is not one run's JSON object.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        # Not splitlines: a name in an entry may hold one of Unicode's own line ends.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The test log {path} cannot be read ({error}); choose a text file with --log.") from error
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or "data_hash" not in entry:
            raise InputError(
                f"Line {number} of the test log {path} is not one run as a JSON object with its data_hash; "
                "mend it from version control, or choose another file with --log."
            )
        entries.append(entry)
    return entries


def earlier_runs(path: str | Path, data_hash: str) -> int:
    """Count the runs in the log on the data with this hash, whatever the checkpoint."""
    return sum(entry["data_hash"] == data_hash for entry in read_log(path))


def require_writable(path: str | Path) -> None:
    """Find out before the work, not after it, that the log cannot be written.

    Raises:
        InputError: if it cannot.
    """
    path = Path(path)
    existed = path.exists()
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        _append(path, "")
        if not existed:
            path.unlink()
    finally:
        for folder in made:
            # A folder that was not made after all, or that holds something by now, stays as it is.
            with suppress(OSError):
                folder.rmdir()


def append_run(path: str | Path, entry: dict[str, Any]) -> None:
    """Add one run as one line.

    Raises:
        InputError: if the file cannot be written.
    """
    _append(Path(path), json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")


def entry_of(result: dict[str, Any]) -> dict[str, Any]:
    """The line of the log for one evaluation: when, which weights, which data, and the figures it showed."""
    right = next(iter(result["conditions"].values()))
    obedience = result["obedience"]
    figures = {name: right[name]["estimate"] for name in ("mean_dice", "mean_iou", "pooled_dice", "pooled_iou")}
    if obedience is not None:
        figures["foreground_on_named_side"] = obedience["foreground_on_named_side"]["all_lungs"]["estimate"]
        figures["presence_auroc"] = obedience["presence_auroc"]["estimate"]
    image_only = result["image_only_checkpoint"]
    return {
        "date": result["date"],
        "checkpoint": result["checkpoint"]["name"],
        "checkpoint_hash": result["checkpoint"]["hash"],
        "image_only_hash": image_only["hash"] if image_only else None,
        "data": result["data"]["name"],
        "data_hash": result["data"]["hash"],
        "split": result["data"]["split"],
        "n": result["data"]["n"],
        "earlier_runs": result["earlier_test_runs"],
        "figures": {name: None if value is None else round(value, 4) for name, value in figures.items()},
    }


def _append(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise InputError(
            f"The test log {path} cannot be written ({error.strerror or error}); choose another file with --log."
        ) from error
