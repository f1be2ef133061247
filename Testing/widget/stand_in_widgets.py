"""Stand-ins for the CTK and MRML widgets of the panel, with the properties, slots and signals that it uses.

Looked up in CTK (Libs/Widgets/ctkCollapsibleButton.cpp, ctkSliderWidget.h, ctkPathLineEdit.h) and in Slicer
(Libs/MRML/Widgets/qMRMLNodeComboBox.h, qMRMLWidget.h). ``SIGNALS`` gives the signatures that they have in C++.
"""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal, Slot


class qMRMLWidget(QtWidgets.QWidget):
    """Hands a scene on to the widgets in it."""

    SIGNALS: ClassVar = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    mrmlSceneChanged = Signal(object)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        self.mrmlSceneChanged.emit(scene)


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header that hides what is below it; checked is the opposite of collapsed, as in CTK."""

    SIGNALS: ClassVar = {"contentsCollapsed(bool)": "contentsCollapsed"}
    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self._forcing = False
        self._hidden: set[int] = set()
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._header().height(), 0, 0)
        self.setBackgroundRole(QtGui.QPalette.ColorRole.Window)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _isCollapsed(self) -> bool:
        return self._collapsed

    @Slot(bool)
    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, _isCollapsed, setCollapsed, notify=contentsCollapsed)

    def _collapse(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self.setMaximumHeight(self._header().height() if collapsed else 16777215)
        self._forcing = True
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(not collapsed and id(child) not in self._hidden)
        self._forcing = False
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """A child that is told to show itself while all is collapsed waits until it is not."""
        kinds = {QtCore.QEvent.Type.ShowToParent: False, QtCore.QEvent.Type.HideToParent: True}
        if event.type() in kinds and not self._forcing:
            (self._hidden.add if kinds[event.type()] else self._hidden.discard)(id(watched))
            if self._collapsed and not kinds[event.type()]:
                self._forcing = True
                watched.setVisible(False)  # type: ignore[attr-defined]
                self._forcing = False
        return super().eventFilter(watched, event)

    def _header(self) -> QtCore.QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 2 * self.fontMetrics().height()
        return QtCore.QSize(width, self.fontMetrics().height() + 8)

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        inner = QtCore.QSize() if self._collapsed or layout is None else layout.totalSizeHint()
        return inner.expandedTo(self._header())

    def minimumSizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        inner = QtCore.QSize() if self._collapsed or layout is None else layout.totalMinimumSize()
        return inner.expandedTo(self._header())

    def hitButton(self, place: QtCore.QPoint) -> bool:
        return place.y() < self._header().height()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        # PySide publishes no types for the fields of style options.
        option: Any = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self._header().height())
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        side = self.fontMetrics().height()
        arrow: Any = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(4, (option.rect.height() - side // 2) // 2, side // 2, side // 2)
        kind = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(kind.PE_IndicatorArrowRight if self._collapsed else kind.PE_IndicatorArrowDown, arrow)
        place = option.rect.adjusted(side + 4, 0, -4, 0)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.ButtonText))
        painter.drawText(place, QtCore.Qt.AlignmentFlag.AlignVCenter, self.text())


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box for numbers with decimals."""

    SIGNALS: ClassVar = {"valueChanged(double)": "valueChanged"}
    valueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QtWidgets.QDoubleSpinBox(self)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        self._isTracking = True
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._onBox)
        self._slider.valueChanged.connect(lambda number: self._box.setValue(number / 1000))
        self._setRange()

    def _setRange(self) -> None:
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(round(1000 * self._box.minimum()), round(1000 * self._box.maximum()))
        self._slider.setValue(round(1000 * self._box.value()))
        self._slider.blockSignals(blocked)

    def _onBox(self, value: float) -> None:
        self._setRange()
        self.valueChanged.emit(value)

    def _getValue(self) -> float:
        return self._box.value()

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def _getDecimals(self) -> int:
        return self._box.decimals()

    def _setDecimals(self, decimals: int) -> None:
        self._box.setDecimals(decimals)

    def _getMinimum(self) -> float:
        return self._box.minimum()

    def _setMinimum(self, value: float) -> None:
        self._box.setMinimum(value)
        self._setRange()

    def _getMaximum(self) -> float:
        return self._box.maximum()

    def _setMaximum(self, value: float) -> None:
        self._box.setMaximum(value)
        self._setRange()

    def _getStep(self) -> float:
        return self._box.singleStep()

    def _setStep(self, value: float) -> None:
        self._box.setSingleStep(value)
        self._slider.setSingleStep(round(1000 * value))

    def _getPage(self) -> float:
        return self._slider.pageStep() / 1000

    def _setPage(self, value: float) -> None:
        self._slider.setPageStep(round(1000 * value))

    def _getTracking(self) -> bool:
        return self._isTracking

    def _setTracking(self, tracking: bool) -> None:
        self._isTracking = tracking
        self._slider.setTracking(tracking)

    value = Property(float, _getValue, setValue, notify=valueChanged)
    decimals = Property(int, _getDecimals, _setDecimals)
    minimum = Property(float, _getMinimum, _setMinimum)
    maximum = Property(float, _getMaximum, _setMaximum)
    singleStep = Property(float, _getStep, _setStep)
    pageStep = Property(float, _getPage, _setPage)
    tracking = Property(bool, _getTracking, _setTracking)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path that is typed or browsed for."""

    SIGNALS: ClassVar = {"currentPathChanged(QString)": "currentPathChanged"}
    currentPathChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        button = QtWidgets.QToolButton(self)
        button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo, 1)
        layout.addWidget(button)
        self._combo.editTextChanged.connect(self.currentPathChanged)

    def _getPath(self) -> str:
        return self._combo.currentText()

    @Slot(str)
    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    currentPath = Property(str, _getPath, setCurrentPath, notify=currentPathChanged)
