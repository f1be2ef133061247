"""Where a report's characters stand in a text editor of Qt, and what it makes of a text.

Qt counts UTF-16 units, so an emoji counts twice; a line end is one character whatever it was; and on reading back a
hard space has become a plain one.
"""

from __future__ import annotations

import re

_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029\ufdd0\ufdd1]")


def asEdited(text: str) -> str:
    """Return a text as QTextEdit gives it back after it was set."""
    return _LINE_ENDS.sub("\n", text).replace("\u00a0", " ")


def editorPosition(text: str, offset: int) -> int:
    """Return the cursor position in QTextEdit of a character of the text that it was given."""
    return len(asEdited(text[:offset]).encode("utf-16-le", "surrogatepass")) // 2
