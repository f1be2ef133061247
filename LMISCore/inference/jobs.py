"""One job from files to files: what the command line and the worker process both run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from LMISCore.errors import InputError
from LMISCore.inference.allocator import keep_freed_memory
from LMISCore.inference.job_parts import Log, Progress, check_alive, logging_to, read_source, source_path
from LMISCore.inference.job_values import JobFromValues
from LMISCore.inference.outputs import DEFAULT_FOLDER, check_inputs_kept, output_paths, write_boxes, write_outputs
from LMISCore.inference.reading import read_report_text, report_text
from LMISCore.resources import resource
from LMISCore.text.privacy import scrub_values
from LMISCore.volumes.files import read_volume, volume_name
from LMISCore.volumes.volume import Volume

if TYPE_CHECKING:
    import numpy as np

    from LMISCore.inference.warm import Predictors


@dataclass
class SegmentJob(JobFromValues):
    """What ``lmis segment`` and the worker's task "segment" are told; paths as text.

    Attributes:
        volume: file or DICOM folder.
        report: text, JSON or DICOM structured report file; or
        text: the report itself.
        sample: run the sample that comes with the package; ``report`` or ``text`` may replace its report.
        out: folder, or a name ending in .seg.nrrd.
        checkpoint: folder or file; None for the bundled weights.
        device: auto, cpu, cuda, cuda:N, mps.
        precision: fp32, bf16, auto.
        backend: auto, torch, openvino.
        intensity: auto, hu, picture.
        force: ids of sentences that get a mask whatever their state.
        only: ids of the sentences to run; empty runs all.
        threshold, presence: instead of the card's mask and presence thresholds.
        organ: mask of the organ whose extent head-feet words divide.
        min_volume_ml, largest_components: clean-up; 0 is off.
        batch_size: slices at a time.
        text_encoder: name or folder, instead of the card's.
        cache: folder for text embeddings, and for what ``backend`` compiles.
        overlay: whether to draw the picture.
        probabilities: whether to keep each asked sentence's probabilities beside the masks, in thousandths.
        boxes: write masks and kept probabilities as boxes, for a window to take over quickly, instead of all other
            files; see ``LMISCore.inference.outputs.write_boxes``.
        agreement: whether to ask for each finding without its place too, and compare the words with it.
        language: code of the report's language; None tells it by its words.
        skip_air: do not ask slices in HU that show nothing but air.
        keep_memory: let the process keep freed memory, which is faster; see ``LMISCore.inference.allocator``.
        scrub: of names, dates and numbers: "shared" the files to be passed on (.seg.nrrd, .csv, .png), "all" files,
            or "none".
        nominal_spacing: the volume's mm are not real ones, whatever its file says, so mL must not be claimed.
    """

    volume: str | None = None
    report: str | None = None
    text: str | None = None
    sample: bool = False
    out: str = DEFAULT_FOLDER
    checkpoint: str | None = None
    device: str = "auto"
    precision: str = "fp32"
    backend: str = "auto"
    intensity: str = "auto"
    force: tuple[str, ...] = ()
    threshold: float | None = None
    presence: float | None = None
    organ: str | None = None
    min_volume_ml: float = 0.0
    largest_components: int = 0
    batch_size: int | None = None
    text_encoder: str | None = None
    cache: str | None = None
    overlay: bool = True
    probabilities: bool = False
    only: tuple[str, ...] = ()
    nominal_spacing: bool = False
    agreement: bool = True
    language: str | None = None
    skip_air: bool = True
    keep_memory: bool = True
    scrub: str = "none"
    boxes: bool = False


def run_segment_job(
    job: SegmentJob, progress: Progress | None = None, log: Log | None = None, predictors: Predictors | None = None
) -> dict[str, Any]:
    """Read, segment, write; everything cheap is checked before anything dear is loaded.

    Args:
        job: what to do.
        progress: called with (done, total, stage); returning False cancels.
        log: gets sentences for the user: device, intensity, memory.
        predictors: where loaded networks are kept between jobs; None loads one for this job.

    Returns:
        plain JSON values: those of ``CaseResult.to_dict`` and "case", "message", "outputs", "seconds".

    Raises:
        LMISError: in one sentence; nothing is left half-written.
    """
    from LMISCore.inference.sharing import SCRUBBED_KEYS, check_choice, scrubbed

    started = time.monotonic()
    check_choice(job.scrub)
    if job.keep_memory:
        keep_freed_memory()
    check_alive(progress, "reading")
    source = source_path(job.volume, job.sample)
    # Where nothing can be written, or an input would go, that is told before anything is read.
    paths = output_paths(job.out, volume_name(source))
    check_inputs_kept(paths, (source, job.report, job.organ, job.checkpoint, job.text_encoder))
    text = _report(job)
    volume = read_source(source, job.sample, job.nominal_spacing)
    organ = _organ(job, volume)
    check_alive(progress, "loading the network")
    with logging_to(log):
        # Imported late: a wrong path is answered at once, not after the seconds that torch takes to load.
        from LMISCore.inference.cleanup import Cleanup
        from LMISCore.inference.warm import Predictors

        cleanup = Cleanup(job.min_volume_ml, job.largest_components)
        predictor = (predictors or Predictors()).of(job)
        result = predictor.segment(
            volume,
            text,
            progress,
            force=frozenset(job.force),
            intensity=job.intensity,
            organ_mask=organ,
            cleanup=cleanup,
            mask_threshold=job.threshold,
            presence_threshold=job.presence,
            only=frozenset(job.only),
            keep_probability=job.probabilities,
            agreement=job.agreement,
            language=job.language,
            skip_air=job.skip_air,
        )
    check_alive(progress, "writing")
    shared = result if job.scrub == "none" else scrubbed(result)
    overlay = None
    if job.overlay and not job.boxes:
        from LMISCore.inference.overlay import render_overlay

        overlay = render_overlay(shared, volume, paths.table.stem)
    found = result.to_dict()
    if job.scrub == "all":
        found = scrub_values(found, SCRUBBED_KEYS)
    summary: dict[str, Any] = {
        "case": paths.table.stem,
        "volume": volume.source,
        "message": _message(found, paths.segmentation.exists()),
        "seconds": round(time.monotonic() - started, 2),
        **found,
    }
    check_alive(progress, "writing")
    if job.boxes:
        write_boxes(paths, shared, summary)
    else:
        write_outputs(paths, shared, summary, overlay)
    return summary


def _report(job: SegmentJob) -> str:
    if job.report is not None and job.text is not None:
        raise InputError("Both a report file and a text were given; give one of them.")
    if job.text is not None:
        return report_text(job.text.encode("utf-8", errors="replace"), "given as text")
    if job.report is not None:
        return read_report_text(job.report)
    if job.sample:
        return read_report_text(resource("sample", "report.txt"))
    raise InputError("No report was given; name a report file, or give its text.")


def _organ(job: SegmentJob, volume: Volume) -> np.ndarray | None:
    """Read the organ mask onto the volume's grid."""
    if job.organ is None:
        return None
    if job.organ.lower().endswith(".seg.nrrd"):
        from LMISCore.volumes.segmentation import read_segmentation

        segments, _, _ = read_segmentation(job.organ, volume.geometry)
        mask: np.ndarray = segments[0].mask.copy()
        for segment in segments[1:]:
            mask |= segment.mask
        return mask
    organ = read_volume(job.organ, missing=0)
    # 1e-4: a mask saved as NIfTI beside a volume saved as NRRD has its grid in single precision.
    if organ.is_colour or not organ.geometry.same_as(volume.geometry, tolerance=1e-4):
        raise InputError(
            f"The organ mask {job.organ} does not lie on the volume's grid; give a grey mask of the same size, "
            "spacing, origin and direction."
        )
    if organ.array.min() < 0 or (organ.array % 1).any():
        raise InputError(
            f"{job.organ} holds grey values, not an organ mask; give a volume of 0 outside the organ and 1 in it."
        )
    return organ.array


def _message(result: dict[str, Any], replaces: bool) -> str:
    count, rows = result["segments"], len(result["rows"])
    if count:
        return f"{count} of {rows} sentences {'has' if count == 1 else 'have'} a segment."
    old = "; the segmentation of an earlier run under this name was removed" if replaces else ""
    return f"None of the {rows} sentences has a segment, so no segmentation was written{old}."
