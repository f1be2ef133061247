"""What the module does without a window: reports and segments in the scene, tied to each other. No Qt.

Each file names what it gives. Importing any of them puts LMISCore within reach, see :mod:`LanguageSegmentLib.paths`.
"""

from __future__ import annotations

from LanguageSegmentLib.paths import reach_core

reach_core()
