"""Explanation maps of one sentence from files to files: what ``lmis explain`` and the worker's task "explain" run."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import atomic_paths
from LMISCore.errors import InputError
from LMISCore.inference.job_parts import Log, Progress, check_alive, logging_to, read_source, source_path
from LMISCore.inference.job_values import JobFromValues
from LMISCore.inference.outputs import DEFAULT_FOLDER, check_writable
from LMISCore.volumes.files import volume_name, write_volume

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors


@dataclass
class ExplainJob(JobFromValues):
    """What is to be explained; paths as text.

    Attributes:
        volume: file or DICOM folder.
        sample: the sample's volume instead.
        text: one sentence, sent to the network as it is.
        maps: names of maps, such as similarity_1; empty takes all that the network has, and the probability.
        out: folder.
        checkpoint, device, precision, backend, intensity, batch_size, text_encoder, cache: as in ``SegmentJob``; inner
            maps are PyTorch's whatever the backend.
    """

    volume: str | None = None
    sample: bool = False
    text: str = ""
    maps: tuple[str, ...] = ()
    out: str = DEFAULT_FOLDER
    checkpoint: str | None = None
    device: str = "auto"
    precision: str = "fp32"
    backend: str = "auto"
    intensity: str = "auto"
    batch_size: int | None = None
    text_encoder: str | None = None
    cache: str | None = None


def run_explain_job(
    job: ExplainJob, progress: Progress | None = None, log: Log | None = None, predictors: Predictors | None = None
) -> dict[str, Any]:
    """Write ``<case>.<map>.nrrd`` (float32, on the volume's grid) for each map, and ``<case>.maps.json``.

    Args:
        job, progress, log, predictors: as in :func:`LMISCore.inference.jobs.run_segment_job`.

    Returns:
        plain JSON values: "case", "sentence", "seconds" and "maps", a list of {"name", "meaning", "path", "range"}.

    Raises:
        LMISError: in one sentence; all maps are written or none.
    """
    started = time.monotonic()
    check_alive(progress, "reading")
    source, folder = source_path(job.volume, job.sample), Path(job.out)
    if folder.suffix.lower() in (".nrrd", ".json") or folder.is_file():
        raise InputError(f"The output {folder} is a file or looks like one; give a folder for the maps.")
    check_writable(folder)
    if not job.text.strip():
        raise InputError("No sentence was given; give the one to explain.")
    volume = read_source(source, job.sample)
    case = re.sub(r"[^\w.\-]+", "_", volume_name(source)).strip("._") or "case"
    check_alive(progress, "loading the network")
    with logging_to(log):
        # Imported late: a wrong path is answered at once, not after the seconds that torch takes to load.
        from LMISCore.inference.warm import Predictors

        predictor = (predictors or Predictors()).of(job)
        found = predictor.explain(volume, job.text, job.intensity, list(job.maps) or None, progress)
    check_alive(progress, "writing")
    paths = {name: folder / f"{case}.{name}.nrrd" for name in found}
    summary: dict[str, Any] = {
        "case": case,
        "sentence": job.text,
        "seconds": round(time.monotonic() - started, 2),
        "checkpoint": predictor.card.name,
        "checkpoint_hash": predictor.checkpoint.hash,
        "maps": [
            {
                "name": name,
                "meaning": found.meanings[name],
                "path": str(path),
                "range": [float(found[name].min()), float(found[name].max())],
            }
            for name, path in paths.items()
        ],
    }
    index = folder / f"{case}.maps.json"
    with atomic_paths([*paths.values(), index]) as temporaries:
        *of_maps, of_index = temporaries
        for name, temporary in zip(paths, of_maps, strict=True):
            write_volume(temporary, found[name], volume.geometry)
        of_index.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    return summary
