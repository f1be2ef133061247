"""PySide6 in the manners of PythonQt, by which Slicer's Python sees Qt; a stand-in, with PythonQt's strictness.

As in ``PythonQtClassInfo::member`` a name on a QObject is looked for among Qt's properties, which are read and written
as attributes, then among public slots and invokable methods, then among what PythonQt's generator wrapped. The last are
not known here, so those that the module uses are listed in ``allowed_names.json`` with the place where each was looked
up; every other name is a fault. Lists come back as tuples, ``name`` stands for ``objectName``, and a slot is
connected by the signal's signature and called with as many values as it takes.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

from faults import Faults
from PySide6 import QtCore, QtGui, QtWidgets

NAMES_FILE = Path(__file__).with_name("allowed_names.json")
# Taken by slicer.util's own loadUI and findChildren, and by Slicer's base class of module widgets.
_OF_SLICER = frozenset({"qt.QFile", "qt.QFile.ReadOnly", "qt.QUiLoader"})
_OF_PYTHONQT = frozenset({"children", "className", "QFile.exists", "QFile.open", "QUiLoader.load"})
_PROXY = "_python_qt"


class Names:
    """What is listed in ``allowed_names.json``, and what of it was used.

    Attributes:
        names: dotted names below qt, ctk and slicer.
        methods: ``Class.method`` that PythonQt's generator wraps.
        used: those of ``methods`` that were called.
    """

    def __init__(self) -> None:
        listed = json.loads(NAMES_FILE.read_text(encoding="utf-8"))
        written = frozenset(listed["names"]) | _OF_SLICER
        # With a class's member its class is listed, too.
        self.names = written | {name.rpartition(".")[0] for name in written}
        self.methods = frozenset(listed["methods"]) | _OF_PYTHONQT
        self.used: set[str] = set()

    def has_method(self, kind: type, name: str) -> bool:
        """Whether an object of a class has a wrapped method."""
        for each in (*(f"{base.__name__}.{name}" for base in kind.__mro__), name):
            if each in self.methods:
                self.used.add(each)
                return True
        return False


class PythonQt:
    """Wraps Qt's objects as they go to the module, and unwraps them on their way back.

    Args:
        faults: told of each name that PythonQt would not have.
        names: listed names.
    """

    def __init__(self, faults: Faults, names: Names) -> None:
        self.faults = faults
        self.names = names
        self.replaced: dict[str, Any] = {}

    def wrap(self, value: Any) -> Any:
        """Return a value as the module gets it."""
        if isinstance(value, list | tuple):
            return tuple(self.wrap(each) for each in value)
        kind = type(value)
        if isinstance(value, QtCore.QObject) or (kind.__module__.startswith("PySide6") and not _is_enum(kind)):
            proxy = getattr(value, _PROXY, None)
            if proxy is None:
                proxy = Proxy(self, value)
                if isinstance(value, QtCore.QObject):
                    setattr(value, _PROXY, proxy)
            return proxy
        return value

    def unwrap(self, value: Any) -> Any:
        """Return a value as Qt takes it."""
        if isinstance(value, Proxy):
            return object.__getattribute__(value, "_qt")
        if isinstance(value, list | tuple):
            return [self.unwrap(each) for each in value]
        return value

    def fault(self, text: str) -> AttributeError:
        """Tell of a name that PythonQt would not have, and return the error to raise."""
        self.faults.add(f"not in PythonQt: {text}")
        return AttributeError(text)

    def module(self) -> ModuleType:
        """The module ``qt``."""
        module = ModuleType("qt")
        module.__getattr__ = self._class  # type: ignore[method-assign]
        return module

    def _class(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"qt.{name}" not in self.names.names:
            raise self.fault(f"qt.{name} is not listed")
        if name in self.replaced:
            return self.replaced[name]
        for module in (QtCore, QtGui, QtWidgets):
            if hasattr(module, name):
                return Class(self, getattr(module, name))
        raise self.fault(f"Qt has no {name}")


class Class:
    """A class of Qt: makes objects, and holds enumeration values and static methods."""

    def __init__(self, python_qt: PythonQt, kind: Any) -> None:
        self._python_qt, self._kind = python_qt, kind

    def __call__(self, *values: Any) -> Any:
        return self._python_qt.wrap(self._kind(*self._python_qt.unwrap(values)))

    def __getattr__(self, name: str) -> Any:
        python_qt, full = self._python_qt, f"qt.{self._kind.__name__}.{name}"
        if full not in python_qt.names.names:
            raise python_qt.fault(f"{full} is not listed")
        value = getattr(self._kind, name)
        return _Call(python_qt, value) if callable(value) and not isinstance(value, type) else value


class _Call:
    """A method with its arguments and its result translated."""

    def __init__(self, python_qt: PythonQt, method: Callable[..., Any]) -> None:
        self._python_qt, self._method = python_qt, method

    def __call__(self, *values: Any) -> Any:
        return self._python_qt.wrap(self._method(*self._python_qt.unwrap(values)))


class Proxy:
    """An object of Qt as PythonQt shows it."""

    def __init__(self, python_qt: PythonQt, qt_object: Any) -> None:
        object.__setattr__(self, "_python_qt", python_qt)
        object.__setattr__(self, "_qt", qt_object)
        object.__setattr__(self, "_connected", {})

    def __getattr__(self, name: str) -> Any:
        python_qt: PythonQt = self._python_qt
        qt_object = self._qt
        if name in ("connect", "disconnect"):
            return MethodType(_connect if name == "connect" else _disconnect, self)
        if isinstance(qt_object, QtCore.QObject):
            meta = qt_object.metaObject()
            if meta.indexOfProperty(_property(name)) >= 0:
                return python_qt.wrap(qt_object.property(_property(name)))
            if name == "className":
                return meta.className
            if _has_slot(meta, name):
                return _Call(python_qt, getattr(qt_object, name))
        if python_qt.names.has_method(type(qt_object), name):
            return _Call(python_qt, getattr(qt_object, name))
        raise python_qt.fault(f"{type(qt_object).__name__}.{name} is neither a property, a slot nor listed")

    def __setattr__(self, name: str, value: Any) -> None:
        python_qt: PythonQt = self._python_qt
        qt_object, key = self._qt, _property(name)
        meta = qt_object.metaObject() if isinstance(qt_object, QtCore.QObject) else None
        number = -1 if meta is None else meta.indexOfProperty(key)
        if meta is None or number < 0 or not meta.property(number).isWritable():
            raise python_qt.fault(f"{type(qt_object).__name__}.{name} is no property that can be written")
        if not qt_object.setProperty(key, python_qt.unwrap(value)):
            raise python_qt.fault(f"{type(qt_object).__name__}.{name} does not take {value!r}")

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Proxy) and self._qt == other._qt

    def __hash__(self) -> int:
        return hash(id(self._qt))


def _connect(proxy: Proxy, signature: str, slot: Callable[..., Any]) -> bool:
    own = _own_signal(proxy, signature)
    python_qt: PythonQt = proxy._python_qt
    takes = _places(slot)
    guarded = python_qt.faults.guard(slot)

    def receive(*values: Any) -> None:
        guarded(*(python_qt.wrap(value) for value in values[:takes]))

    if own is None:
        # By the signature, so that values with a default arrive too.
        QtCore.QObject.connect(proxy._qt, QtCore.SIGNAL(signature), receive)
    else:
        own.connect(receive)
    proxy._connected.setdefault((signature, slot), []).append(receive)
    return True


def _disconnect(proxy: Proxy, signature: str, slot: Callable[..., Any]) -> bool:
    own = _own_signal(proxy, signature)
    for receive in proxy._connected.pop((signature, slot), []):
        if own is None:
            QtCore.QObject.disconnect(proxy._qt, QtCore.SIGNAL(signature), receive)
        else:
            own.disconnect(receive)
    return True


def _own_signal(proxy: Proxy, signature: str) -> Any:
    python_qt: PythonQt = proxy._python_qt
    qt_object = proxy._qt
    # A stand-in tells by what signature its signals go in C++, where VTK's types occur that Qt here does not know.
    own = getattr(type(qt_object), "SIGNALS", {})
    if signature in own:
        return getattr(qt_object, own[signature])
    if qt_object.metaObject().indexOfSignal(signature) < 0:
        raise python_qt.fault(f"{type(qt_object).__name__} has no signal {signature}")
    return None


def _has_slot(meta: QtCore.QMetaObject, name: str) -> bool:
    kinds = (QtCore.QMetaMethod.MethodType.Slot, QtCore.QMetaMethod.MethodType.Method)
    for number in range(meta.methodCount()):
        method = meta.method(number)
        public = method.access() == QtCore.QMetaMethod.Access.Public
        if public and method.methodType() in kinds and bytes(method.name().data()).decode() == name:
            return True
    return False


def _property(name: str) -> str:
    return "objectName" if name == "name" else name


def _places(slot: Callable[..., Any]) -> int:
    """How many values a slot takes; PythonQt drops what is too many."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(slot).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return 10
    return sum(each.kind in kinds for each in parameters)


def _is_enum(kind: type) -> bool:
    return any(base.__module__ == "enum" for base in kind.__mro__)
