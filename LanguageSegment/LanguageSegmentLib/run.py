"""One run of the worker for one volume and report of the scene: started, polled, cancelled, and landed in the scene.

Nothing lands in a scene that was closed meanwhile, nor for a volume or report that was changed or removed meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LanguageSegmentLib.landing import Landing, SegmentReportResult, checkChoices, countMessage, gettingReady, land
from LanguageSegmentLib.portions import Portions, Work
from LanguageSegmentLib.report_nodes import isReportNode, reportOf, sentencesOf
from LanguageSegmentLib.report_sources import ReportSource, reportSource
from LanguageSegmentLib.runner import SubprocessRunner, WorkerRunner
from LanguageSegmentLib.started_on import SceneClosing, SeenVolume, sceneOf
from LanguageSegmentLib.temporary import temporaryFolder
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import hasNominalSpacing, writeOrgan, writingNode
from LanguageSegmentLib.worker_messages import JobMessages, Progress
from LMISCore.errors import Cancelled, InputError, LMISError
from LMISCore.text.report import parse_report

_CASE = "volume"


@dataclass
class SegmentReportOptions:
    """How a report is segmented.

    Attributes:
        checkpoint: folder or file of the weights; None takes the bundled ones.
        fields: names of the report's fields to run, such as ("FINDINGS",); None runs all.
        segmentationNode: where the segments go; None takes the one that the report has already, or makes one.
        onePerField: make a segmentation for each field of the report instead of one for all.
        device: auto, cpu, cuda, cuda:N or mps.
        force: ids or keys of sentences that get a mask whatever their state.
        only: ids or keys of the sentences to run; empty runs all.
        threshold, presence: instead of the checkpoint's mask and presence thresholds.
        intensity: auto, hu or picture.
        organNode: mask of the organ whose extent head-feet words divide.
        replaceEdited: whether segments that were changed by hand are replaced too.
        textEncoder: name or folder, instead of the checkpoint's own.
        probabilityFolder: where to keep each asked sentence's probabilities, to be cut again at other thresholds; None
            keeps none.
    """

    checkpoint: str | Path | None = None
    fields: Collection[str] | None = None
    segmentationNode: Any = None
    onePerField: bool = False
    device: str = "auto"
    force: Collection[str] = ()
    only: Collection[str] = ()
    threshold: float | None = None
    presence: float | None = None
    intensity: str = "auto"
    organNode: Any = None
    replaceEdited: bool = False
    textEncoder: str | Path | None = None
    probabilityFolder: Path | None = None


class SegmentReportRun:
    """A run that was started; :meth:`poll` it until it says False, then take its :meth:`result`.

    Args:
        volumeNode: the volume.
        report: see :func:`LanguageSegmentLib.report_sources.reportSource`.
        options: how.
        runner: what runs the worker; None starts a process.
        progress: called with (done, total, stage) during :meth:`poll`; returning False cancels.

    Raises:
        LMISError: in one sentence, if something about the input is wrong or the worker cannot be started.
    """

    def __init__(
        self,
        volumeNode: Any,
        report: Any,
        options: SegmentReportOptions | None = None,
        runner: WorkerRunner | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._options = options or SegmentReportOptions()
        self._volumeNode = volumeNode
        self._seen = SeenVolume(volumeNode)
        self._scene = sceneOf(volumeNode)
        self._source: ReportSource = reportSource(report)
        checkChoices(self._options.segmentationNode, self._options.onePerField)
        self._messages = JobMessages(progress)
        self._landed: SegmentReportResult | None = None
        self._cancelled = False
        self._runner = runner or SubprocessRunner()
        self._folder = temporaryFolder("lmis-volume-")
        self._closing = SceneClosing(self._scene, self.cancel)
        try:
            self._starting: Portions[None] = Portions(self._start(self._job()))
            self._landing: Portions[SegmentReportResult] | None = None
            self._isStarted = not self._starting.go(0)
        except BaseException:
            self.close()
            raise

    def _start(self, job: dict[str, Any]) -> Work[None]:
        """Hand the volume to the worker and start it."""
        yield from writingNode(Path(job["volume"]), self._volumeNode)
        self._runner.start(job, self._onMessage)

    def _job(self) -> dict[str, Any]:
        options, folder = self._options, Path(self._folder.name)
        force, only = self._sentenceIds(options.force), self._sentenceIds(options.only)
        if options.fields is not None:
            only = self._ofFields(options.fields, only)
        organ = None
        if options.organNode is not None:
            organ = folder / "organ.nrrd"
            writeOrgan(organ, options.organNode, self._volumeNode)
        path = folder / f"{_CASE}.nrrd"
        return {
            "task": "segment",
            "volume": str(path),
            "text": self._source.text,
            "out": str(folder / "out"),
            "checkpoint": None if options.checkpoint is None else str(options.checkpoint),
            "device": options.device,
            "intensity": options.intensity,
            "force": force,
            "only": only,
            "threshold": options.threshold,
            "presence": options.presence,
            "organ": None if organ is None else str(organ),
            "text_encoder": None if options.textEncoder is None else str(options.textEncoder),
            "boxes": True,
            "probabilities": options.probabilityFolder is not None,
            "nominal_spacing": hasNominalSpacing(self._volumeNode),
        }

    def _sentenceIds(self, given: Collection[str]) -> list[str]:
        """Sentence ids for ids or keys; what is neither stays as it is, for the worker to refuse by name."""
        if isinstance(given, str):
            raise InputError(f"The sentences were given as the text {given!r}; give a list of sentence ids.")
        node = self._source.node
        keys = {sentence.key: sentence.id for sentence in sentencesOf(node)} if isReportNode(node) else {}
        return [keys.get(name, name) for name in given]

    def _ofFields(self, fields: Collection[str], only: Sequence[str]) -> list[str]:
        wanted = {fields} if isinstance(fields, str) else set(fields)
        node = self._source.node
        report = parse_report(self._source.text) if node is None else reportOf(node)
        names = [part.name for part in report.fields]
        unknown = sorted(wanted - set(names))
        if unknown:
            raise InputError(f"The report has no field {unknown[0]!r}; it has {', '.join(map(repr, names))}.")
        ids = [sentence.id for part in report.fields if part.name in wanted for sentence in part.sentences]
        chosen = [name for name in ids if not only or name in only]
        if not chosen:
            raise InputError(f"None of the sentences to run is in {', '.join(sorted(wanted))}; choose other fields.")
        return chosen

    def _onMessage(self, message: dict[str, Any]) -> None:
        self._messages.take(message)
        if self._messages.refused:
            self.cancel()

    def cancel(self) -> None:
        """Ask the run to stop; :meth:`poll` tells when it has, and :meth:`result` then raises ``Cancelled``."""
        self._cancelled = True
        self._runner.cancel()

    def poll(self) -> bool:
        """Take what the worker has sent; whether it still runs. When it has ended well, the segments land here.

        What takes long, handing over the volume and taking over the masks, is done a portion at a time.

        Raises:
            LMISError: as :meth:`result`, in the call in which the run ends.
        """
        if self._landed is not None:
            return False
        try:
            if self._goesOn():
                return True
        except BaseException:
            self.close()
            raise
        self.close()
        return False

    def _goesOn(self) -> bool:
        if not self._isStarted:
            self._stopIfCancelled()
            self._isStarted = not self._starting.go()
            return True
        if self._landing is None:
            if self._runner.poll():
                return True
            self._landing = Portions(self._land())
            if self._messages.progress is not None and self._messages.result is not None:
                self._messages.progress(0, 0, "landing")
        else:
            self._checkStillThere()
            self._stopIfCancelled()
        if self._landing.go():
            return True
        self._landed = self._landing.result
        return False

    def _stopIfCancelled(self) -> None:
        if self._cancelled:
            self._messages.error = Cancelled(_("Cancelled as asked; nothing was written."))
            raise self._messages.error

    def result(self) -> SegmentReportResult:
        """What came of it, once :meth:`poll` has said False.

        Raises:
            Cancelled: if it was cancelled, or the scene was closed meanwhile.
            LMISError: if it failed, in one sentence.
        """
        if self._landed is None:
            raise self._messages.error or LMISError("The run has not ended; poll it until it has.")
        return self._landed

    def close(self) -> None:
        """Stop the worker if it still runs and remove the temporary files; nothing lands after that."""
        self._closing.close()
        self._runner.close()
        self._folder.cleanup()

    def _land(self) -> Work[SegmentReportResult]:
        """Make ready what is to land, and put it into the scene in the last portion, all at once."""
        messages, options = self._messages, self._options
        self._checkStillThere()
        try:
            result = messages.outcome()
        except LMISError as error:
            messages.error = error
            raise
        made = yield from gettingReady(self._volumeNode, result["segment_data"], result["outputs"]["masks"])
        self._checkStillThere()
        messages.outcome()  # raises what the check has found
        return land(
            Landing(
                scene=self._scene,
                volumeNode=self._volumeNode,
                source=self._source,
                rows=result["rows"],
                segments=made,
                provenance={**result["provenance"], "volume": self._volumeNode.GetName()},
                segmentationNode=options.segmentationNode,
                onePerField=options.onePerField,
                replaceEdited=options.replaceEdited,
                # An option of the command line helps nobody who sits in Slicer.
                messages=[
                    countMessage(result["rows"]),
                    *(each.replace(" (--organ)", "") for each in result["warnings"]),
                ],
                log=messages.log,
                probabilities=self._keepProbabilities(result),
            )
        )

    def _keepProbabilities(self, result: dict[str, Any]) -> dict[str, Path]:
        """Take the kept probabilities out of the folder that is about to go."""
        folder = self._options.probabilityFolder
        if folder is None:
            return {}
        # Under a name of its own each: an earlier run's file may still be wanted for a step back.
        made = Path(tempfile.mkdtemp(dir=folder))
        given = result.get("probabilities", {})
        return {name: Path(shutil.move(path, made / Path(path).name)) for name, path in given.items()}

    def _checkStillThere(self) -> None:
        """Refuse to land where what was segmented is no longer what stands there."""
        gone = None
        volume, source, target = self._volumeNode, self._source, self._options.segmentationNode
        if self._closing.isClosed:
            gone = _("The scene was closed while the report was segmented; nothing was put into the scene.")
        elif volume.GetScene() is not self._scene:
            gone = _("The volume was removed while the report was segmented; nothing was put into the scene.")
        elif source.node is not None and source.node.GetScene() is not self._scene:
            gone = _("The report was removed while it was segmented; nothing was put into the scene.")
        elif target is not None and target.GetScene() is not self._scene:
            gone = _("The segmentation was removed while the report was segmented; nothing was put into the scene.")
        if gone is not None:
            self._messages.error = Cancelled(gone)
            raise self._messages.error
        changed = None
        if source.node is not None and (source.node.GetText() or "") != source.text:
            changed = _(
                "The report was changed while it was segmented, so nothing was put into the scene; run it again."
            )
        elif not self._seen.isUnchanged():
            changed = _(
                "The volume was changed while it was segmented, so nothing was put into the scene; run it again."
            )
        if changed is not None and self._messages.error is None:
            self._messages.error = InputError(changed)
