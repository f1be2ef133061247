"""What every job does around its own work: find its volume, see whether it is still wanted, pass on what is logged."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from LMISCore.errors import Cancelled, InputError
from LMISCore.resources import resource
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.volume import Volume

Progress = Callable[[int, int, str], "bool | None"]
Log = Callable[[str], None]


def check_alive(progress: Progress | None, stage: str) -> None:
    """Tell the stage.

    Raises:
        Cancelled: if the answer is False.
    """
    if progress is not None and progress(0, 0, stage) is False:
        raise Cancelled("Cancelled as asked; nothing was written.")


def source_path(volume: str | None, sample: bool) -> Path:
    """Path of a job's volume, which need not exist.

    Raises:
        InputError: unless exactly one of volume and sample is given.
    """
    if sample and volume is not None:
        raise InputError("Both a volume and the sample were asked for; give one of them.")
    if sample:
        return resource("sample", "chest_ct.nrrd")
    if not volume:
        raise InputError("No volume was given; name an image file or DICOM folder, or ask for the sample.")
    return Path(volume)


def read_source(source: Path, sample: bool, nominal_spacing: bool = False) -> Volume:
    """Read a job's volume; the sample's spacing is nominal, and so may be that of any other."""
    volume = read_volume(source)
    if sample:
        about = json.loads(resource("sample", "sample.json").read_text(encoding="utf-8"))
        nominal_spacing = nominal_spacing or bool(about.get("spacing_nominal"))
    return dataclasses.replace(volume, spacing_known=volume.spacing_known and not nominal_spacing)


class _Passing(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log(record.getMessage())


@contextmanager
def logging_to(log: Log | None) -> Iterator[None]:
    """Pass on what the package logs at level info and above; report text is logged at debug only."""
    if log is None:
        yield
        return
    logger, handler = logging.getLogger("LMISCore"), _Passing(log)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
