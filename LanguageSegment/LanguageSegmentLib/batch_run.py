"""One run over the batch table: volumes and reports handed over as files, LMISCore's batch, results landed one by one.

What is finished lies in the folder: a run that was cancelled, or that ended with the application, goes on where it was
when it is started again with the same folder.
"""

from __future__ import annotations

import csv
import filecmp
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from LanguageSegmentLib.batch_pairs import BatchPair
from LanguageSegmentLib.landing import Landing, MadeSegment, SegmentReportResult, land
from LanguageSegmentLib.masks import boxOf, gridMatrix
from LanguageSegmentLib.portions import Portions, Work
from LanguageSegmentLib.report_sources import reportSource
from LanguageSegmentLib.runner import WorkerRunner
from LanguageSegmentLib.started_on import SceneClosing, SeenVolume
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import hasNominalSpacing, writingNode
from LanguageSegmentLib.worker_messages import Progress, errorOf
from LMISCore.atomic import atomic_path, write_text
from LMISCore.cohorts.folder import CohortFolder, same_stamp
from LMISCore.errors import Cancelled, InputError, LMISError
from LMISCore.volumes.segmentation import read_segmentation

INPUTS = "inputs"
TABLE = "table.csv"
RESULTS = "results"
_COLUMNS = ("id", "volume", "report", "spacing")


@dataclass
class BatchResult:
    """What came of a run over the table.

    Attributes:
        landed: by the pair's name, what was put into the scene.
        failures: by the pair's name, why it has no segments, a sentence.
        message: how many are done.
        folder: with results.csv, cases.csv and errors.csv.
    """

    landed: dict[str, SegmentReportResult] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    message: str = ""
    folder: Path = Path()


class BatchRun:
    """A run over pairs; :meth:`poll` it until it says False, then take its :meth:`result`.

    Args:
        pairs: of one scene, with different names.
        folder: where inputs and results are kept; a run before in the same folder is gone on with.
        settings: of LMISCore's ``BatchJob``, such as checkpoint, device and intensity.
        runner: of the worker.
        progress: called with (done, total, stage); returning False cancels.

    Raises:
        InputError: if there is no pair, or one cannot be run.
    """

    def __init__(
        self,
        pairs: Sequence[BatchPair],
        folder: Path,
        settings: dict[str, Any],
        runner: WorkerRunner,
        progress: Progress | None = None,
    ) -> None:
        if not pairs:
            raise InputError(_("The batch table is empty; add volumes with their reports first."))
        self._pairs = list(pairs)
        self._folder = folder
        self._runner = runner
        self._progress = progress
        self._scene = pairs[0].volumeNode.GetScene()
        self._texts = {pair.name: reportSource(pair.reportNode).text for pair in pairs}
        self._seen = {pair.name: SeenVolume(pair.volumeNode) for pair in pairs}
        self._result = BatchResult(folder=folder / RESULTS)
        self._error: LMISError | None = None
        self._cancelled = self._ended = False
        self._work: Portions[Any] = Portions(self._start(settings))
        self._isStarted = self._isLanding = False
        self._closing = SceneClosing(self._scene, self.cancel)

    def _start(self, settings: dict[str, Any]) -> Work[None]:
        """Write what the worker reads, and start it."""
        inputs = self._folder / INPUTS
        inputs.mkdir(parents=True, exist_ok=True)
        rows = []
        for number, pair in enumerate(self._pairs):
            if self._progress is not None and self._progress(number, len(self._pairs), "reading") is False:
                self.cancel()
            if self._cancelled:
                raise Cancelled(_("Cancelled as asked; nothing was run."))
            volume, report = f"{pair.name}.nrrd", f"{pair.name}.txt"
            yield from _handingOver(inputs / volume, pair.volumeNode)
            write_text(inputs / report, self._texts[pair.name])
            spacing = "nominal" if hasNominalSpacing(pair.volumeNode) else ""
            rows.append((pair.name, volume, report, spacing))
        with atomic_path(inputs / TABLE) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([_COLUMNS, *rows])
        job = {
            "task": "batch",
            "table": str(inputs / TABLE),
            "out": str(self._folder / RESULTS),
            # The worker that the window keeps has its network loaded: it is the one worker of this run.
            "engine": "here",
            # What lands in the scene stays with the report there.
            "scrub": "none",
            "overlay": False,
            **settings,
        }
        self._runner.start(job, self._onMessage)

    def _onMessage(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "result":
            self._result.message = message["message"]
        elif kind == "error":
            self._error = errorOf(message)
        elif kind == "progress" and self._progress is not None:
            # The batch's own stage tells the time left; the window's clock finds it by itself.
            stage = "segmenting" if message["total"] else message["stage"]
            if self._progress(message["done"], message["total"], stage) is False:
                self.cancel()

    def cancel(self) -> None:
        """Ask the run to stop; volumes that are finished still land."""
        self._cancelled = True
        if self._isStarted:
            self._runner.cancel()

    def poll(self) -> bool:
        """Take what the worker has sent; whether it still runs. Finished volumes land at its end, one in each call."""
        if self._ended:
            return False
        try:
            if self._goesOn():
                return True
        except BaseException:
            self.close()
            raise
        self._ended = True
        self.close()
        return False

    def _goesOn(self) -> bool:
        if not self._isStarted:
            self._isStarted = not self._work.go()
            return True
        if not self._isLanding:
            if self._runner.poll():
                return True
            self._work = Portions(self._land())
            self._isLanding = True
        return self._work.go(0)

    def result(self) -> BatchResult:
        """What came of it, once :meth:`poll` has said False.

        Raises:
            LMISError: if the run failed and no volume was finished; ``Cancelled`` if it was cancelled.
        """
        if self._error is not None and (not self._result.landed or not isinstance(self._error, Cancelled)):
            raise self._error
        return self._result

    def close(self) -> None:
        """Stop the worker if it still runs; nothing lands after that."""
        self._closing.close()
        self._runner.close()

    def _land(self) -> Work[None]:
        for pair in self._pairs:
            if self._closing.isClosed:
                raise Cancelled(
                    _("The scene was closed while the table was run; finished volumes are kept in its folder.")
                )
            try:
                self._landOne(pair)
            except InputError as error:
                self._result.failures[pair.name] = str(error)
            yield

    def _landOne(self, pair: BatchPair) -> None:
        home = self._result.folder / "cases" / pair.name
        failure = self._result.folder / "failed" / f"{pair.name}.json"
        if failure.is_file():
            raise InputError(json.loads(failure.read_text(encoding="utf-8"))["message"])
        inputs = CohortFolder(self._result.folder).done(pair.name).get("inputs")
        if inputs is None or not self._isOf(pair, inputs):
            # Not run yet, as the run was cancelled; what an earlier run left is of another scan or report.
            return
        self._checkStillThere(pair)
        values = json.loads((home / f"{pair.name}.json").read_text(encoding="utf-8"))
        segmentation = values["outputs"]["segmentation"]
        self._result.landed[pair.name] = land(
            Landing(
                scene=self._scene,
                volumeNode=pair.volumeNode,
                source=reportSource(pair.reportNode),
                rows=values["rows"],
                segments={} if segmentation is None else _made(home / Path(segmentation).name, pair.volumeNode),
                provenance={**values["provenance"], "volume": pair.volumeNode.GetName()},
                messages=[*values["warnings"], values["message"]],
            )
        )

    def _isOf(self, pair: BatchPair, inputs: dict[str, Any]) -> bool:
        """Whether a result was made from this report, and from the volume as it was handed over."""
        text = hashlib.sha256(self._texts[pair.name].encode("utf-8")).hexdigest()
        volume = self._folder / INPUTS / f"{pair.name}.nrrd"
        return inputs["report"]["sha256"] == text and same_stamp(inputs["volume"]["stamp"], str(volume))

    def _checkStillThere(self, pair: BatchPair) -> None:
        volume, report, name = pair.volumeNode, pair.reportNode, pair.name
        if volume.GetScene() is not self._scene or report.GetScene() is not self._scene:
            words = _("The volume or report of {name} was removed meanwhile; its result stays in the folder.")
            raise InputError(words.format(name=name))
        if not self._seen[name].isUnchanged() or report.GetText() != self._texts[name]:
            words = _("The volume or report of {name} was changed meanwhile; run the table again.")
            raise InputError(words.format(name=name))


def _handingOver(path: Path, volumeNode: Any) -> Work[None]:
    """Write a volume; a file that holds the same already stays, with its time, by which its result is known."""
    new = path.with_name(f".{path.name}")
    try:
        yield from writingNode(new, volumeNode)
        if path.is_file() and filecmp.cmp(new, path, shallow=False):
            return
        os.replace(new, path)
    except OSError as error:
        words = _("Cannot write {path}: {why}; choose a folder that can be written and has free space.")
        raise InputError(words.format(path=path, why=error.strerror or error)) from error
    finally:
        new.unlink(missing_ok=True)


def _made(path: Path, volumeNode: Any) -> dict[str, MadeSegment]:
    """The segments of a results file, by the worker's ids."""
    from slicerio.segmentation import terminology_entry_to_string

    segments = read_segmentation(path)[0]
    matrix = gridMatrix(volumeNode)
    made = {}
    for segment in segments:
        box = boxOf(segment.mask, matrix)
        if box is not None:
            entry = None if segment.terminology is None else terminology_entry_to_string(segment.terminology)
            made[segment.id] = MadeSegment(segment.name, segment.colour, box, segment.tags, entry)
    return made
