"""What the module does: reports and segments in the scene, tied to each other, and the panel over them.

Only the files whose names begin with ``panel`` or ``qt_`` know Qt; all else works without a window. Each file names
what it gives. Importing any of them puts LMISCore within reach, see :mod:`LanguageSegmentLib.paths`.
"""

from __future__ import annotations

from LanguageSegmentLib.paths import reach_core

reach_core()
