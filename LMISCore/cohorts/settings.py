"""What a run over a table is told, and the part of it that its results hang on. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from LMISCore import __version__
from LMISCore.checkpoints.files import bundled_checkpoint, locate, read_card
from LMISCore.cohorts.case import Case, content_hash, values_hash
from LMISCore.errors import InputError
from LMISCore.inference.job_values import JobFromValues

ENGINES = ("local", "ray", "here")
MOST_WORKERS = 4096

# Settings of a case that change its files; device, batch size and cache change only how they come about.
RESULT_SETTINGS = (
    "checkpoint",
    "precision",
    "intensity",
    "threshold",
    "presence",
    "min_volume_ml",
    "largest_components",
    "overlay",
    "probabilities",
    "agreement",
    "language",
    "skip_air",
    "scrub",
)
RUN_SETTINGS = ("device", "backend", "batch_size", "text_encoder", "cache", "keep_memory")


@dataclass
class BatchJob(JobFromValues):
    """What ``lmis batch`` and the worker's task "batch" are told; paths as text.

    Attributes:
        table: CSV, JSONL or Excel sheet of volume-report pairs.
        out: folder of the results.
        workers: how many cases at a time, each in a worker with a network of its own.
        engine: local for processes of this machine, ray for Ray's actors, here for this process alone.
        address: of a Ray cluster to join, such as auto or HOST:PORT; None starts one on this machine.
        shard: "i/n" runs only the i-th of n parts of the table, "" all of it.
        collect: run nothing, write the tables of what is there.
        redo: replace results that were made with other settings or weights.
        verify: look at the contents of all inputs again, whatever their sizes and times say.
        attempts: how often a case is tried whose worker ends.
        case_seconds: most time for one case; 0 is no limit.
        threads: processor cores of each worker; 0 divides this machine's, and is 1 on a cluster that is joined.
        device: of the workers; several parted by commas are taken in turn.
        checkpoint, precision, backend, intensity, threshold, presence, min_volume_ml, largest_components, batch_size,
            text_encoder, cache, overlay, probabilities, agreement, language, skip_air, keep_memory, scrub: as in
            ``SegmentJob``.
    """

    table: str
    out: str = "lmis_batch"
    workers: int = 1
    engine: str = "local"
    address: str | None = None
    shard: str = ""
    collect: bool = False
    redo: bool = False
    verify: bool = False
    attempts: int = 3
    case_seconds: float = 0.0
    threads: int = 0
    device: str = "auto"
    checkpoint: str | None = None
    precision: str = "fp32"
    backend: str = "auto"
    intensity: str = "auto"
    threshold: float | None = None
    presence: float | None = None
    min_volume_ml: float = 0.0
    largest_components: int = 0
    batch_size: int | None = None
    text_encoder: str | None = None
    cache: str | None = None
    overlay: bool = True
    probabilities: bool = False
    agreement: bool = True
    language: str | None = None
    skip_air: bool = True
    keep_memory: bool = True
    scrub: str = "shared"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build a job from JSON values.

        Raises:
            InputError: for an unknown key, a missing table or a value of the wrong kind.
        """
        if "table" not in values:
            raise InputError("The job names no table; expected a CSV, JSONL or Excel file under the key 'table'.")
        return super().from_dict(values)

    def check(self) -> None:
        """Refuse values that no run can have.

        Raises:
            InputError: naming the value and what was expected.
        """
        if not 1 <= self.workers <= MOST_WORKERS:
            raise InputError(f"The number of workers is {self.workers}; give 1 to {MOST_WORKERS}.")
        if self.engine not in ENGINES:
            raise InputError(f"The engine is {self.engine!r}; give one of {', '.join(ENGINES)}.")
        if self.address is not None and self.engine != "ray":
            raise InputError("An address was given for the local engine; leave it out, or ask for the engine ray.")
        if self.threads < 0:
            raise InputError(f"The number of threads is {self.threads}; give 1 or more, or 0 to divide the cores.")
        if self.attempts < 1:
            raise InputError(f"The number of attempts is {self.attempts}; give 1 or more.")
        if not self.case_seconds >= 0:
            raise InputError(f"The most seconds for a case are {self.case_seconds:g}; give 0 (no limit) or more.")
        if not self.devices() or (self.engine != "local" and len(self.devices()) > 1):
            raise InputError(f"The device is {self.device!r}; give one, or several parted by commas to local workers.")
        if self.engine == "here" and self.workers != 1:
            raise InputError(
                f"The engine here is this process alone, but {self.workers} workers were asked for; give 1."
            )
        self.part()

    def devices(self) -> list[str]:
        """Names of the devices that the workers take in turn."""
        return [name.strip() for name in self.device.split(",") if name.strip()]

    def part(self) -> tuple[int, int] | None:
        """The part of the table that this run is for, counted from 1, and the number of parts.

        Raises:
            InputError: if it is not of the form i/n.
        """
        if not self.shard:
            return None
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", self.shard)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(f"The shard is {self.shard!r}; give i/n with i from 1 to n, such as 3/16.")
        return int(found[1]), int(found[2])

    def segment_settings(self) -> dict[str, Any]:
        """The values that all cases' ``SegmentJob`` share."""
        return {name: getattr(self, name) for name in (*RESULT_SETTINGS, *RUN_SETTINGS)}


class Identity:
    """Settings and weights of a run, as the hashes that its results are known by."""

    def __init__(self, job: BatchJob) -> None:
        self._settings = job.segment_settings()
        self._weights: dict[str | None, tuple[str, str]] = {}
        self.about = {
            "version": __version__,
            "weights": self.weights(job.checkpoint),
            "card": self._read(job.checkpoint)[1],
            **{name: getattr(job, name) for name in RESULT_SETTINGS if name != "checkpoint"},
        }

    def weights(self, checkpoint: str | None) -> str:
        """Hash of a checkpoint's weights as its card says it; "" where the card says none."""
        return self._read(checkpoint)[0]

    def key(self, case: Case) -> str:
        """Hash of all that a case's result hangs on but its files' contents."""
        values = case.job(self._settings)
        own = {name: values[name] for name in RESULT_SETTINGS if name != "checkpoint"}
        words = {"text": case.text, "force": list(case.force), "nominal_spacing": case.nominal_spacing}
        return values_hash([__version__, *self._read(values["checkpoint"]), own, words])

    def job(self, case: Case, folder: Path) -> dict[str, Any]:
        """The case as a worker's task."""
        values = case.job(self._settings)
        return {
            "task": "case",
            "id": case.id,
            "folder": str(folder),
            "key": self.key(case),
            "weights": self.weights(values["checkpoint"]),
            "version": __version__,
            "segment": values,
        }

    def _read(self, checkpoint: str | None) -> tuple[str, str]:
        """Hash of the weights, and of the whole card: thresholds and vocabulary change results too."""
        if checkpoint not in self._weights:
            path = bundled_checkpoint() if checkpoint is None else Path(checkpoint)
            card = read_card(path)
            whole = values_hash(card.to_json())
            self._weights[checkpoint] = (
                card.weights_hash,
                whole if card.weights_hash else values_hash([whole, content_hash(str(locate(path).weights))]),
            )
        return self._weights[checkpoint]


def difference(kept: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs between two runs' settings, in words; empty where nothing does."""
    parts = [
        f"{name.replace('_', ' ')} {_short(kept.get(name))} instead of {_short(now.get(name))}"
        for name in now
        if kept.get(name) != now.get(name)
    ]
    return ", ".join(parts)


def _short(value: object) -> str:
    if isinstance(value, str) and len(value) > 24:
        return value[:12]
    return "none" if value is None else str(value)


def part_of(items: Sequence[Any], part: tuple[int, int] | None) -> list[Any]:
    """The i-th of n parts of a sequence, dealt like cards: rows added later change no part of the earlier ones."""
    return list(items) if part is None else list(items[part[0] - 1 :: part[1]])
