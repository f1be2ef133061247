"""What the parts of the panel share: the chosen nodes, and what was kept of the runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from LanguageSegmentLib.steps import Steps
from LanguageSegmentLib.threshold import KeptProbabilities


@dataclass
class PanelState:
    """The panel's state beside its widgets.

    Attributes:
        logic: of the module.
        parameterNode: of the scene, None while there is none.
        changed: to be called after something was written to the scene, for the panel to show it.
        failed: to be called with an error, to show it in one sentence.
        kept: probabilities of the last runs.
        steps: actions that can be undone.
    """

    logic: Any
    changed: Callable[[], None]
    failed: Callable[[BaseException], None]
    parameterNode: Any = None
    kept: KeptProbabilities = field(default_factory=KeptProbabilities)
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        self.steps = Steps(self.kept)

    @property
    def volumeNode(self) -> Any:
        """The chosen volume or None."""
        return None if self.parameterNode is None else self.parameterNode.inputVolume

    @property
    def reportNode(self) -> Any:
        """The report's text node or None."""
        return None if self.parameterNode is None else self.parameterNode.reportNode

    def forget(self) -> None:
        """Forget what belongs to a scene that goes."""
        self.parameterNode = None
        self.steps.clear()
        self.kept.clear()
