"""Looking at widgets: which words are cut off, how much they stand out, and a dark palette."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

_SHOWN = (QtWidgets.QLabel, QtWidgets.QAbstractButton, QtWidgets.QComboBox)


def clipped(top: QtWidgets.QWidget) -> list[str]:
    """The visible labels, buttons and lists below a widget (or itself) whose words have less room than they need."""
    found = []
    for widget in [top, *top.findChildren(QtWidgets.QWidget)]:
        if not isinstance(widget, _SHOWN) or not widget.isVisible():
            continue
        words = widget.currentText() if isinstance(widget, QtWidgets.QComboBox) else widget.text()
        if not words:
            continue
        needed = widget.minimumSizeHint()
        height = needed.height()
        if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap():
            height = widget.heightForWidth(widget.width())
        if widget.width() < needed.width() or widget.height() < height:
            found.append(f"{type(widget).__name__} {widget.objectName()}: {words}")
    return found


def contrast(picture: QtGui.QImage) -> float:
    """The contrast ratio (WCAG 2.1) of a picture's commonest colour and the one that stands out most from it."""
    counts: dict[int, int] = {}
    for x in range(picture.width()):
        for y in range(picture.height()):
            colour = picture.pixel(x, y)
            counts[colour] = counts.get(colour, 0) + 1
    ground = _luminance(max(counts, key=lambda colour: counts[colour]))
    most = 1.0
    for colour in counts:
        other = _luminance(colour)
        most = max(most, (max(ground, other) + 0.05) / (min(ground, other) + 0.05))
    return most


def _luminance(colour: int) -> float:
    parts = QtGui.QColor(colour)
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (parts.redF(), parts.greenF(), parts.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def dark_palette() -> QtGui.QPalette:
    """A palette like that of Slicer's dark style (Base/QTGUI/qSlicerStyle, Libs/Slicer's DarkSlicerStyle)."""
    palette = QtGui.QPalette()
    group = QtGui.QPalette.ColorRole
    dark, darker, light = QtGui.QColor(53, 53, 53), QtGui.QColor(35, 35, 35), QtGui.QColor(240, 240, 240)
    for role in (group.Window, group.Button):
        palette.setColor(role, dark)
    for role in (group.Base, group.AlternateBase, group.ToolTipBase):
        palette.setColor(role, darker)
    for role in (group.WindowText, group.Text, group.ButtonText, group.ToolTipText):
        palette.setColor(role, light)
    palette.setColor(group.PlaceholderText, QtGui.QColor(150, 150, 150))
    palette.setColor(group.Highlight, QtGui.QColor(42, 130, 218))
    palette.setColor(group.HighlightedText, light)
    for role in (group.WindowText, group.Text, group.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role, QtGui.QColor(130, 130, 130))
    return palette
