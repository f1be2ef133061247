"""One call from a volume node and a report to segments in the scene, for scripts and Slicer's Python console."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.report_nodes import createReportNode
from LanguageSegmentLib.run import SegmentReportOptions, SegmentReportRun
from LanguageSegmentLib.runner import WorkerRunner
from LanguageSegmentLib.worker_messages import Progress

_PAUSE_SECONDS = 0.02


def segmentReport(
    volumeNode: Any,
    report: Any,
    checkpoint: str | Path | None = None,
    *,
    fields: Collection[str] | None = None,
    segmentationNode: Any = None,
    onePerField: bool = False,
    device: str = "auto",
    force: Collection[str] = (),
    only: Collection[str] = (),
    threshold: float | None = None,
    presence: float | None = None,
    intensity: str = "auto",
    organNode: Any = None,
    replaceEdited: bool = False,
    textEncoder: str | Path | None = None,
    runner: WorkerRunner | None = None,
    progress: Progress | None = None,
) -> SegmentReportResult:
    """Segment what a report's affirmed sentences say, one segment per sentence, and wait until it is done.

    The voxels are those that ``lmis segment`` marks on the same volume. A sentence that has a segment already gets the
    new mask in it, under the same segment id.

    Args:
        volumeNode: vtkMRMLScalarVolumeNode, or a vtkMRMLVectorVolumeNode for colour; its own voxels and IJK-to-RAS
            matrix count, and the segments get its parent transform.
        report: the text; the path of a .txt, .json or DICOM structured report file; or a vtkMRMLTextNode.
        checkpoint: folder or file of the weights; None takes the bundled ones.
        fields: names of the report's fields to run, such as ("FINDINGS",); None runs all.
        segmentationNode: where the segments go; None takes the one that the report has already, or makes one.
        onePerField: make a segmentation for each field of the report instead of one for all.
        device: auto, cpu, cuda, cuda:N or mps.
        force: ids ("findings-1") or keys of sentences that get a mask whatever their state.
        only: ids or keys of the sentences to run; empty runs all.
        threshold, presence: instead of the checkpoint's mask and presence thresholds, from 0 to 1.
        intensity: auto, hu (Hounsfield units) or picture.
        organNode: segmentation or mask volume; upper, mid and lower then mean thirds of its extent.
        replaceEdited: whether segments that were changed by hand are replaced too.
        textEncoder: name or folder of the text encoder, instead of the checkpoint's own.
        runner: what runs the worker; None starts a process.
        progress: called with (done, total, stage); returning False cancels.

    Returns:
        the report node, the segmentation nodes, one row per sentence, provenance and messages for the user.

    Raises:
        InputError: if something about the input is wrong; in one sentence, as all of these.
        Cancelled: if ``progress`` said so or the scene was closed meanwhile; nothing was put into the scene.
        MissingDependencyError: if a Python package is not installed.
        OutOfMemoryError: if the work does not fit the device.
        LMISError: if the worker failed otherwise.
    """
    options = SegmentReportOptions(
        checkpoint=checkpoint,
        fields=fields,
        segmentationNode=segmentationNode,
        onePerField=onePerField,
        device=device,
        force=force,
        only=only,
        threshold=threshold,
        presence=presence,
        intensity=intensity,
        organNode=organNode,
        replaceEdited=replaceEdited,
        textEncoder=textEncoder,
    )
    run = SegmentReportRun(volumeNode, report, options, runner, progress)
    try:
        while run.poll():
            time.sleep(_PAUSE_SECONDS)
    finally:
        run.close()
    return run.result()


def startSegmentReport(
    volumeNode: Any,
    report: Any,
    options: SegmentReportOptions | None = None,
    *,
    runner: WorkerRunner | None = None,
    progress: Progress | None = None,
) -> SegmentReportRun:
    """Start as :func:`segmentReport` does and return at once; for a window that must not freeze.

    Args:
        volumeNode, report, runner, progress: as there.
        options: its other arguments.

    Returns:
        a run to poll until it says False; then it has a result.

    Raises:
        LMISError: if something about the input is wrong or the worker cannot be started.
    """
    return SegmentReportRun(volumeNode, report, options, runner, progress)


def reportNodeFor(text: str, reportNode: Any = None) -> Any:
    """Put a text into a report node, a new one in ``slicer.mrmlScene`` if none is given, and return the node."""
    if reportNode is None:
        return createReportNode(text)
    if reportNode.GetText() != text:
        reportNode.SetText(text)
    return reportNode
