"""Cutting segments again at another threshold from kept probabilities; the network is not run."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from LanguageSegmentLib import tags
from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.links import reportNodeOf, segmentOf
from LanguageSegmentLib.segments import SegmentRecord, putSegments
from LanguageSegmentLib.temporary import temporaryFolder
from LMISCore.errors import InputError
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.permille import STEPS, cut

# Below this nothing is kept in memory, and the slider ends here.
LOWEST = 0.05


@dataclass
class _Kept:
    """One sentence's probability: where it lies, and once it was read, the box that matters, (k, j, i) thousandths."""

    record: SegmentRecord
    path: Path
    segmentationNode: Any
    volumeNode: Any
    threshold: float
    shape: tuple[int, ...] = ()
    corner: tuple[slice, ...] | None = None
    values: npt.NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint16))

    def mask(self, threshold: float) -> npt.NDArray[np.bool_]:
        """The mask on the volume's whole grid, exactly as a run with this threshold gives it.

        Raises:
            InputError: if the file is gone or damaged.
        """
        if self.corner is None:
            self._read()
        assert self.corner is not None
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.corner] = cut(self.values, threshold)
        return mask

    def _read(self) -> None:
        array = read_volume(self.path).array
        self.shape = array.shape
        above = array >= np.uint16(round(LOWEST * STEPS))
        corner = []
        for axis in range(3):
            (there,) = np.nonzero(above.any(axis=tuple(other for other in range(3) if other != axis)))
            corner.append(slice(int(there[0]), int(there[-1]) + 1) if there.size else slice(0, 0))
        self.corner = tuple(corner)
        self.values = np.ascontiguousarray(array[self.corner]).astype(np.uint16, copy=False)


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
        nodes = {row["key"]: row["segmentation_id"] for row in result.rows}
        byId = {node.GetID(): node for node in result.segmentationNodes}
        threshold = float(result.provenance["thresholds"]["mask"])
        for key in nodes:
            self._kept.pop(key, None)
            record, path, node = result.records.get(key), result.probabilities.get(key), byId.get(nodes[key])
            if record is not None and path is not None and node is not None:
                self._kept[key] = _Kept(record, path, node, volumeNode, threshold)

    def keys(self) -> list[str]:
        """Keys of the sentences that can be cut again."""
        return list(self._kept)

    def threshold(self, keys: Collection[str] | None = None) -> float | None:
        """The threshold at which these sentences (None: all) were cut last; None without any, the first if several."""
        chosen = [kept.threshold for key, kept in self._kept.items() if keys is None or key in keys]
        return chosen[0] if chosen else None

    def recut(self, threshold: float, keys: Collection[str] | None = None, newStep: bool = True) -> list[Any]:
        """Cut again and put the masks into the scene; segments edited by hand stay as they are.

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
            raise InputError(f"The threshold is {threshold:g}; give a number from {LOWEST:g} to 1.")
        groups: dict[str, tuple[Any, Any, list[SegmentRecord]]] = {}
        for key, kept in self._kept.items():
            if (keys is not None and key not in keys) or not _isThere(kept) or _isEdited(kept, key):
                continue
            mask = kept.mask(threshold)
            _checkGrid(kept, mask)
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


def _isThere(kept: _Kept) -> bool:
    nodes = (kept.segmentationNode, kept.volumeNode)
    return all(node.GetScene() is not None for node in nodes) and reportNodeOf(kept.segmentationNode) is not None


def _isEdited(kept: _Kept, key: str) -> bool:
    found = segmentOf(reportNodeOf(kept.segmentationNode), key)
    if found is None:
        return False
    node, segmentId = found
    return tags.readTag(node.GetSegmentation().GetSegment(segmentId), tags.EDITED) is not None


def _checkGrid(kept: _Kept, mask: npt.NDArray[np.bool_]) -> None:
    image = kept.volumeNode.GetImageData()
    if image is None or image.GetDimensions()[::-1] != mask.shape:
        raise InputError("The volume was changed since it was segmented; press Apply to segment it again.")
