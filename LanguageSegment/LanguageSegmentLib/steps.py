"""Steps back over everything the panel changed: the segments of one action together, and the table with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from LanguageSegmentLib.history import MOST_STEPS, canStepBack, stepBack
from LanguageSegmentLib.row_store import restoreText, storedText
from LanguageSegmentLib.threshold import KeptProbabilities, Snapshot


@dataclass(frozen=True)
class Before:
    """How things stood before an action."""

    reportNode: Any
    rows: str | None
    kept: Snapshot


@dataclass(frozen=True)
class _Step:
    kind: tuple[str, ...]
    nodes: tuple[Any, ...]
    before: Before


class Steps:
    """The actions that can be undone, the last one first.

    Args:
        kept: probabilities, which go back with the masks that they belong to.
    """

    def __init__(self, kept: KeptProbabilities) -> None:
        self._kept = kept
        self._steps: deque[_Step] = deque(maxlen=MOST_STEPS)

    def before(self, reportNode: Any) -> Before:
        """Take down how things stand, before an action."""
        return Before(reportNode, storedText(reportNode) if reportNode is not None else None, self._kept.snapshot())

    def done(self, before: Before, nodes: Sequence[Any], kind: tuple[str, ...] = ()) -> None:
        """Tell of an action that wrote to segmentations.

        Args:
            before: of :meth:`before`.
            nodes: that were written to; without any there is nothing to undo.
            kind: what it was; actions of one kind other than () in a row count as one step, see :meth:`isGoingOn`.
        """
        if nodes and not self.isGoingOn(kind):
            self._steps.append(_Step(kind, tuple(nodes), before))
        self._kept.prune(step.before.kept for step in self._steps)

    def isGoingOn(self, kind: tuple[str, ...]) -> bool:
        """Whether the last action was of this kind, so that another one joins it: a slider is moved in many."""
        return bool(kind) and bool(self._steps) and self._steps[-1].kind == kind

    def canGoBack(self) -> bool:
        """Whether there is an action to undo whose segmentations are still there."""
        while self._steps and not any(_alive(node) for node in self._steps[-1].nodes):
            self._steps.pop()
        return bool(self._steps)

    def goBack(self) -> bool:
        """Undo the last action; whether there was one.

        Raises:
            InputError: if one of its segments was edited by hand since; then nothing of it is undone.
        """
        if not self.canGoBack():
            return False
        step = self._steps[-1]
        for node in step.nodes:
            if _alive(node):
                stepBack(node)
        self._steps.pop()
        if step.before.reportNode is not None and step.before.reportNode.GetScene() is not None:
            restoreText(step.before.reportNode, step.before.rows)
        self._kept.restore(step.before.kept)
        return True

    def clear(self) -> None:
        """Forget all actions."""
        self._steps.clear()


def _alive(node: Any) -> bool:
    return node.GetScene() is not None and canStepBack(node)
