"""Cutting segments again at another threshold from kept probabilities; the network is not run."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from LanguageSegmentLib import tags
from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.links import reportNodeOf, segmentOf
from LanguageSegmentLib.masks import MaskBox, boxOf, gridMatrix
from LanguageSegmentLib.portions import Work, allAtOnce, slabs
from LanguageSegmentLib.segments import SegmentRecord, putSegments
from LanguageSegmentLib.temporary import temporaryFolder
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError
from LMISCore.volumes.packed import KEPT_FROM, PermilleBox, pack_mask, read_permille
from LMISCore.volumes.permille import cut

# Below this nothing is kept, and the slider ends here.
LOWEST = KEPT_FROM


@dataclass
class _Kept:
    """One sentence's probability: where it lies, and once it was read, the box that matters."""

    record: SegmentRecord
    path: Path
    segmentationNode: Any
    volumeNode: Any
    threshold: float
    box: PermilleBox | None = None

    def cutting(self, threshold: float) -> Work[MaskBox | None]:
        """The mask exactly as a run with this threshold gives it, made ready in portions; None if it is empty.

        Raises:
            InputError: if the file is gone or damaged, or the volume has another grid by now.
        """
        if self.box is None:
            self.box = read_permille(self.path)
            yield
        _checkGrid(self)
        values = self.box.values
        inside = np.zeros(values.shape, dtype=bool)
        for slab in slabs(values.shape):
            inside[slab] = cut(values[slab], threshold)
            yield
        found = boxOf(pack_mask(inside, self.box.first), gridMatrix(self.volumeNode))
        if found is not None:
            yield from found.makingReady()
        return found


Snapshot = dict[str, _Kept]


class KeptProbabilities:
    """The probabilities of one report's last runs, by sentence key."""

    def __init__(self) -> None:
        self._kept: Snapshot = {}
        self._folder: Any = None

    @property
    def folder(self) -> Path:
        """Where runs leave their files; made on first use.

        Raises:
            InputError: if there can be none.
        """
        if self._folder is None:
            self._folder = temporaryFolder("lmis-probabilities-")
        return Path(self._folder.name)

    def take(self, result: SegmentReportResult, volumeNode: Any) -> None:
        """Keep what a run left; sentences it ran and gave no segment are forgotten."""
        # Sentences of two reports may have the same key.
        report = result.reportNode
        self.forget([key for key, kept in self._kept.items() if reportNodeOf(kept.segmentationNode) is not report])
        nodes = {row["key"]: row["segmentation_id"] for row in result.rows}
        byId = {node.GetID(): node for node in result.segmentationNodes}
        threshold = float(result.provenance["thresholds"]["mask"])
        for key in nodes:
            self._kept.pop(key, None)
            record, path, node = result.records.get(key), result.probabilities.get(key), byId.get(nodes[key])
            if record is not None and path is not None and node is not None:
                self._kept[key] = _Kept(record, path, node, volumeNode, threshold)

    def areOf(self, reportNode: Any) -> bool:
        """Whether what is kept belongs to a report; False if nothing is kept."""
        return any(reportNodeOf(kept.segmentationNode) is reportNode for kept in self._kept.values())

    def keys(self) -> list[str]:
        """Keys of the sentences that can be cut again."""
        return list(self._kept)

    def threshold(self, keys: Collection[str] | None = None) -> float | None:
        """The threshold at which these sentences (None: all) were cut last; None without any, the first if several."""
        chosen = [kept.threshold for key, kept in self._kept.items() if keys is None or key in keys]
        return chosen[0] if chosen else None

    def recut(self, threshold: float, keys: Collection[str] | None = None, newStep: bool = True) -> list[Any]:
        """Cut again and put the masks into the scene; see :meth:`recutting`."""
        return allAtOnce(self.recutting(threshold, keys, newStep))

    def recutting(self, threshold: float, keys: Collection[str] | None = None, newStep: bool = True) -> Work[list[Any]]:
        """Cut again in portions, the last of which puts all masks into the scene; those edited by hand stay.

        Args:
            threshold: from ``LOWEST`` to 1; masks are taken at whole thousandths.
            keys: of the sentences; None takes all.
            newStep: see :func:`LanguageSegmentLib.segments.putSegments`.

        Returns:
            the segmentation nodes that were written to.

        Raises:
            InputError: if a kept file is gone, or a volume was changed or removed since.
        """
        if not LOWEST <= threshold <= 1:
            raise InputError(
                _("The threshold is {given}; give a number from {lowest} to 1.").format(
                    given=f"{threshold:g}", lowest=f"{LOWEST:g}"
                )
            )
        masks: dict[str, MaskBox | None] = {}
        for key, kept in list(self._kept.items()):
            if keys is None or key in keys:
                masks[key] = yield from kept.cutting(threshold) if _isThere(kept) else _nothing()
        groups: dict[str, tuple[Any, Any, list[SegmentRecord]]] = {}
        for key, mask in masks.items():
            kept = self._kept[key]
            if not _isThere(kept) or _isEdited(kept, key):
                continue
            _checkGrid(kept)
            about = {**kept.record.tags, tags.THRESHOLD: f"{threshold:g}"}
            # These are counted anew from the mask.
            about = {name: text for name, text in about.items() if name not in (tags.VOLUME_ML, tags.MASK)}
            node = kept.segmentationNode
            group = groups.setdefault(node.GetID(), (node, kept.volumeNode, []))
            group[2].append(replace(kept.record, mask=mask, tags=about))
            kept.threshold = threshold
        for node, volumeNode, records in groups.values():
            putSegments(node, volumeNode, records, newStep=newStep)
        return [node for node, _volume, _records in groups.values()]

    def forget(self, keys: Collection[str]) -> None:
        """Forget sentences whose text is no longer what was run."""
        for key in keys:
            self._kept.pop(key, None)

    def snapshot(self) -> Snapshot:
        """What is kept now, to be put back after a step back."""
        return {key: replace(kept) for key, kept in self._kept.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Put back what :meth:`snapshot` gave."""
        self._kept = {key: replace(kept) for key, kept in snapshot.items()}

    def prune(self, snapshots: Iterable[Snapshot]) -> None:
        """Remove the files that neither what is kept now nor one of these snapshots names."""
        if self._folder is None:
            return
        wanted = {kept.path.parent for each in (self._kept, *snapshots) for kept in each.values()}
        for folder in self.folder.iterdir():
            if folder not in wanted:
                shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Forget all and remove the files."""
        self._kept.clear()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()


def _nothing() -> Work[None]:
    yield


def _isThere(kept: _Kept) -> bool:
    nodes = (kept.segmentationNode, kept.volumeNode)
    return all(node.GetScene() is not None for node in nodes) and reportNodeOf(kept.segmentationNode) is not None


def _isEdited(kept: _Kept, key: str) -> bool:
    found = segmentOf(reportNodeOf(kept.segmentationNode), key)
    if found is None:
        return False
    node, segmentId = found
    return tags.readTag(node.GetSegmentation().GetSegment(segmentId), tags.EDITED) is not None


def _checkGrid(kept: _Kept) -> None:
    image = kept.volumeNode.GetImageData()
    if image is None or kept.box is None or image.GetDimensions()[::-1] != kept.box.grid:
        raise InputError(_("The volume was changed since it was segmented; press Apply to segment it again."))
