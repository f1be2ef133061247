"""Loaded networks kept between jobs of one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from LMISCore.inference.predictor import Predictor

Stamp = tuple[tuple[str, int, int], ...]


class NetworkSettings(Protocol):
    """What a job says about the network it wants, as in ``SegmentJob``."""

    checkpoint: str | None
    device: str
    precision: str
    batch_size: int | None
    text_encoder: str | None
    cache: str | None
    backend: str


class Predictors:
    """Keeps the last predictor, since one network at a time is what memory is planned for.

    It is loaded anew when anything that made it differs, the checkpoint's files on disk included.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._kept: Predictor | None = None

    def get(
        self,
        checkpoint: str | None = None,
        device: str = "auto",
        batch_size: int | None = None,
        cache: str | None = None,
        precision: str = "fp32",
        text_encoder: str | None = None,
        backend: str = "auto",
    ) -> Predictor:
        """The predictor of these settings; arguments and errors are those of :class:`Predictor`."""
        stamps = (_stamp(checkpoint), _stamp(text_encoder))
        key = (checkpoint, device, batch_size, cache, precision, text_encoder, backend, stamps)
        if self._kept is None or key != self._key:
            # Freed before the next is loaded: two networks need not fit.
            self._key = self._kept = None
            self._kept = Predictor(
                checkpoint, device, batch_size, cache, precision=precision, encoder=text_encoder, backend=backend
            )
            self._key = key
        return self._kept

    def of(self, job: NetworkSettings) -> Predictor:
        """The predictor that a job's settings name; errors are those of :class:`Predictor`."""
        return self.get(
            job.checkpoint, job.device, job.batch_size, job.cache, job.precision, job.text_encoder, job.backend
        )

    def forget_sentences(self, keep: int) -> None:
        """After a run that asked something: keep only the last ``keep`` sentences met, so that memory stays bounded."""
        if self._kept is not None:
            self._kept.cache.forget(keep)


def _stamp(path: str | None) -> Stamp:
    """Names, sizes and times of the files under a path; empty where there is none."""
    if path is None:
        return ()
    return tuple(sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in _files(Path(path))))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.iterdir() if file.is_file())
    elif path.is_file():
        yield path
