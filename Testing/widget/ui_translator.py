"""Translation of the ``.ui`` file's texts by a function, where there is no compiled translation file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore


class Translator(QtCore.QTranslator):
    """Translates what Qt asks for.

    Args:
        translated: gives a text of a context in another language.
    """

    def __init__(self, translated: Callable[[str, str], str]) -> None:
        super().__init__()
        self._translated = translated

    def translate(self, context: str, source: str, disambiguation: Any = None, n: int = -1) -> str:
        return self._translated(context, source)

    def isEmpty(self) -> bool:
        return False
