"""One case in a worker: hash the inputs, segment, and publish the results with a record of what they were made from."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore import __version__
from LMISCore.atomic import write_json
from LMISCore.cohorts.case import FILES, content_hash, stamp, values_hash
from LMISCore.cohorts.folder import CohortFolder
from LMISCore.cohorts.rows import case_values, finding_rows
from LMISCore.errors import InputError
from LMISCore.inference.job_parts import Progress
from LMISCore.inference.jobs import SegmentJob, run_segment_job

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors

# A worker that reads ten thousand reports must not keep every sentence it ever read.
KEPT_SENTENCES = 512
_LEAST_FREE_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(InputError):
    """The results' disk is full: no further case can end well."""

    kind = "disk_full"


class OtherVersionError(InputError):
    """A worker has another version or other weights than the run: its cases would not belong together."""

    kind = "other_version"


@dataclass
class CaseJob:
    """What a worker's task "case" is told.

    Attributes:
        id: of the case.
        folder: of the cohort.
        key: of settings and weights.
        weights: hash that the loaded weights must have; "" takes any.
        version: of LMISCore that the run belongs to.
        segment: what to do; its ``out`` is chosen here.
    """

    id: str
    folder: str
    key: str
    weights: str
    version: str
    segment: SegmentJob

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CaseJob:
        """Build a job from JSON values.

        Raises:
            InputError: for a missing or unknown key or a value of the wrong kind.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if sorted(values) != sorted(names) or not isinstance(values["segment"], dict):
            raise InputError(f"The job has the keys {', '.join(sorted(values))}; expected {', '.join(names)}.")
        return cls(**{**values, "segment": SegmentJob.from_dict(values["segment"])})


def run_case_job(
    job: CaseJob, progress: Progress | None = None, predictors: Predictors | None = None
) -> dict[str, Any]:
    """Segment one case, or find that its result is there already.

    Returns:
        plain JSON values: "case", "state" ("done", or "kept" where the result was made from the same contents) and
        "seconds" of segmenting.

    Raises:
        DiskFullError: if the results' disk is full.
        OtherVersionError: if this is another version of the package, or has loaded other weights.
        LMISError: for anything else that the user can mend; nothing is left half-written.
    """
    folder = CohortFolder(job.folder)
    if job.version != __version__:
        raise OtherVersionError(
            f"A worker has LMISCore {__version__}, the run has {job.version}; install one version on all machines."
        )
    try:
        return _run(job, folder, progress, predictors)
    except (OSError, InputError, RuntimeError) as error:
        if _is_full(error, folder):
            raise DiskFullError(
                f"The disk of {folder.root} is full; free some space and start the same command again."
            ) from error
        if isinstance(error, OSError):
            raise InputError(
                f"The case could not be written ({error.strerror or error}); check {folder.root}."
            ) from error
        raise


def _run(
    job: CaseJob, folder: CohortFolder, progress: Progress | None, predictors: Predictors | None
) -> dict[str, Any]:
    before = _inputs(job.segment)
    contents = values_hash([job.key, {part: about["sha256"] for part, about in before.items()}])
    earlier = folder.done(job.id)
    if earlier.get("contents") == contents:
        # Copied or touched, but the same: only where and when the inputs lie is new.
        write_json(folder.case(job.id) / f"{job.id}.done.json", {**earlier, "key": job.key, "inputs": before})
        return {"case": job.id, "state": "kept", "seconds": 0.0}
    prepared = folder.prepare(job.id)
    try:
        segment = dataclasses.replace(job.segment, out=str(prepared / f"{job.id}.seg.nrrd"))
        result = run_segment_job(segment, progress, None, predictors)
        if job.weights and result["provenance"]["checkpoint_hash"] != job.weights:
            raise OtherVersionError(
                f"A worker has loaded the weights {result['provenance']['checkpoint_hash'][:12]}, the run has "
                f"{job.weights[:12]}; put the same checkpoint on all machines."
            )
        if {part: stamp(getattr(job.segment, part)) for part in before} != {
            part: about["stamp"] for part, about in before.items()
        }:
            raise InputError(f"The files of the case {job.id} changed while they were read; run it again.")
        _record(job, folder, prepared, before, contents, result)
        folder.publish(prepared, job.id)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    if predictors is not None and any(row["presence"] is not None for row in result["rows"]):
        predictors.forget_sentences(KEPT_SENTENCES)
    return {"case": job.id, "state": "done", "seconds": result["seconds"]}


def _inputs(segment: SegmentJob) -> dict[str, dict[str, Any]]:
    """Stamp and hash of each file that is read; the stamp is the older of the two."""
    paths = {part: path for part in FILES if (path := getattr(segment, part)) is not None}
    return {part: {"stamp": stamp(path), "sha256": content_hash(path)} for part, path in paths.items()}


def _record(
    job: CaseJob,
    folder: CohortFolder,
    prepared: Path,
    inputs: dict[str, dict[str, Any]],
    contents: str,
    result: dict[str, Any],
) -> None:
    """Let the summary name the files where they will lie, and write what the tables are made of."""
    home = folder.case(job.id)
    for key in ("outputs", "probabilities"):
        result[key] = {name: path and str(home / Path(path).name) for name, path in result[key].items()}
    summary = prepared / f"{job.id}.json"
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    summary.write_text(text, encoding="utf-8", newline="\n", errors="replace")
    hidden = job.segment.scrub != "none"
    record = {
        "id": job.id,
        "key": job.key,
        "contents": contents,
        "inputs": inputs,
        "outputs": {path.name: path.stat().st_size for path in sorted(prepared.iterdir())},
        "case": case_values(result),
        "findings": finding_rows(result, hidden),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    target = prepared / f"{job.id}.done.json"
    target.write_text(text, encoding="utf-8", newline="\n", errors="replace")


def _is_full(error: BaseException | None, folder: CohortFolder) -> bool:
    """Whether an error comes of a full disk; libraries hide the number that would say so."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder.root).free < _LEAST_FREE_BYTES
    return False
