"""The report's text on the screen, tied to its text node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt

from LanguageSegmentLib.qt_turns import onceAfter
from LanguageSegmentLib.report_nodes import BoundSentence
from LanguageSegmentLib.text_positions import asEdited, editorPosition
from LMISCore.text.report_view import ViewSpan

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
        self._coloured: tuple[Any, ...] = ()
        self._pause = onceAfter(_PAUSE_MILLISECONDS, self._onTimeout)
        edit.connect("textChanged()", self._onTextChanged)

    @property
    def text(self) -> str:
        """The text as it stands on the screen."""
        return str(self._edit.toPlainText())

    @property
    def told(self) -> str:
        """The text as its node has it, in which spans count; without a node that on the screen."""
        return self.text if self._node is None else str(self._node.GetText() or "")

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

    def colour(self, spans: Sequence[ViewSpan]) -> None:
        """Colour these stretches of the text and no others; pointing at one explains it."""
        if self._pause.isActive():
            return
        text = self.told
        shown = (text, tuple((each.span, each.colour, each.explanation) for each in spans))
        if shown == self._coloured:
            return
        self._coloured = shown
        blocked = self._edit.blockSignals(True)
        cursor = self._edit.textCursor()
        # One step with what was typed last, so that undoing does not undo colours.
        cursor.joinPreviousEditBlock()
        self._format(cursor, text, 0, len(text), qt.QTextCharFormat())
        for each in spans:
            # Dark letters on the colour: both are then the same in a light and in a dark style.
            form = qt.QTextCharFormat()
            form.setBackground(qt.QBrush(qt.QColor(*each.colour)))
            form.setForeground(qt.QBrush(qt.QColor(0, 0, 0)))
            form.setToolTip(each.explanation)
            self._format(cursor, text, each.span.start, each.span.end, form)
        cursor.endEditBlock()
        self._edit.blockSignals(blocked)

    @staticmethod
    def _format(cursor: Any, text: str, start: int, end: int, form: Any) -> None:
        cursor.setPosition(editorPosition(text, start))
        cursor.setPosition(editorPosition(text, end), qt.QTextCursor.KeepAnchor)
        cursor.setCharFormat(form)

    def forget(self) -> None:
        """Empty the editor and let go of the node, such as when its scene goes."""
        self._pause.stop()
        self._node = None
        self._set("")

    def _set(self, text: str) -> None:
        blocked = self._edit.blockSignals(True)
        self._edit.setPlainText(text)
        self._coloured = ()
        self._edit.blockSignals(blocked)

    def _onTextChanged(self) -> None:
        self._pause.start()
        self._onTyped()

    def _onTimeout(self) -> None:
        self.flush()
        self._onPause()
