"""The report's text on the screen, tied to its text node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from LanguageSegmentLib.report_nodes import BoundSentence
from LanguageSegmentLib.text_positions import asEdited, editorPosition

_PAUSE_MILLISECONDS = 400


class PanelReport:
    """A QTextEdit that shows a report node's text and writes edits back after a pause in typing.

    Args:
        edit: the widget.
        onTyped: called at each change by the user.
        onPause: called after a pause; the node has the text by then.
    """

    def __init__(self, edit: Any, onTyped: Callable[[], None], onPause: Callable[[], None]) -> None:
        self._edit = edit
        self._onTyped, self._onPause = onTyped, onPause
        self._node: Any = None
        self._pause = qt.QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MILLISECONDS)
        self._pause.connect("timeout()", self._onTimeout)
        edit.connect("textChanged()", self._onTextChanged)

    @property
    def text(self) -> str:
        """The text as it stands on the screen."""
        return str(self._edit.toPlainText())

    def show(self, node: Any) -> None:
        """Show a node's text; None leaves what was typed, to become a new report."""
        if node is not self._node:
            self.flush()
        changed = node is not self._node
        self._node = node
        if node is None:
            if changed:
                self._set("")
            return
        text = asEdited(node.GetText() or "")
        # What is being typed is on its way into the node.
        if not self._pause.isActive() and text != self.text:
            self._set(text)

    def adopt(self, node: Any) -> None:
        """Tie the text on the screen to a node that was made of it."""
        self._node = node

    def flush(self) -> None:
        """Write what was typed into the node now."""
        self._pause.stop()
        node = self._node
        if node is not None and node.GetScene() is not None and asEdited(node.GetText() or "") != self.text:
            node.SetText(self.text)

    def highlight(self, sentence: BoundSentence) -> None:
        """Select a sentence in the text and scroll to it."""
        node = self._node
        if node is None or self._pause.isActive():
            return
        text = node.GetText() or ""
        cursor = self._edit.textCursor()
        cursor.setPosition(editorPosition(text, sentence.span.start))
        cursor.setPosition(editorPosition(text, sentence.span.end), qt.QTextCursor.KeepAnchor)
        self._edit.setTextCursor(cursor)
        self._edit.ensureCursorVisible()

    def forget(self) -> None:
        """Empty the editor and let go of the node, such as when its scene goes."""
        self._pause.stop()
        self._node = None
        self._set("")

    def _set(self, text: str) -> None:
        blocked = self._edit.blockSignals(True)
        self._edit.setPlainText(text)
        self._edit.blockSignals(blocked)

    def _onTextChanged(self) -> None:
        self._pause.start()
        self._onTyped()

    def _onTimeout(self) -> None:
        self.flush()
        self._onPause()
