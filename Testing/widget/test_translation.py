"""All that a user reads can be translated; the German file is the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from logic_makers import Material, load_volume
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from session import SlicerSession
from translations import LANGUAGES, MODULE, Words, all_words, file_of, placeholders, read, text_of
from ui_translator import Translator

MARK = "\u2063"


@pytest.fixture
def speak(application: Any) -> Iterator[Callable[[Callable[[str, str], str]], None]]:
    """Lets module and ``.ui`` file speak by a function of context and text."""
    installed: list[Translator] = []

    def use(translated: Callable[[str, str], str]) -> None:
        application.translate(translated)
        installed.append(Translator(translated))
        QtCore.QCoreApplication.installTranslator(installed[0])

    yield use
    for each in installed:
        QtCore.QCoreApplication.removeTranslator(each)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    words, known = all_words(), read(file_of(language))
    assert len(words) > 150
    assert [each for each in words if each not in known] == []
    assert [each for each in known if each not in words] == []
    assert file_of(language).read_text(encoding="utf-8") == text_of(language, words, known)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_placeholders_and_line_ends(language: str) -> None:
    for words, text in read(file_of(language)).items():
        assert placeholders(text) == placeholders(words.source), words
        ends = tuple(text.endswith(end) == words.source.endswith(end) for end in (".", ":", "..."))
        assert all(ends), (words, text)


def test_an_unfinished_or_missing_translation_is_noticed(tmp_path: Path) -> None:
    one, two = Words("A", "one"), Words("B", "two & <three>")
    (tmp_path / "x.ts").write_text(text_of("de", [one, two], {two: "zwei & <drei>"}), encoding="utf-8")
    assert read(tmp_path / "x.ts") == {two: "zwei & <drei>"}


def test_what_a_run_shows_has_passed_the_translation(
    speak: Callable[..., None], open_window: Callable[..., Any], slicer_session: SlicerSession, material: Material
) -> None:
    speak(lambda context, text: MARK + text)
    window = open_window()
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type("Infection in the left lung. No effusion.")
    window.click("applyButton")
    window.wait_for_run()
    window.choose(0)
    window.click("explainButton")
    window.wait_for_run()
    window.click("commandButton")
    plain = [text for text in shown_texts(window) if any(letter.isalpha() for letter in text) and MARK not in text]
    assert plain == []


def shown_texts(window: Any) -> list[str]:
    """What the panel's widgets say and explain, without what belongs to the user or to the weights."""
    texts = []
    for widget in window.LanguageSegment.findChildren(QtWidgets.QWidget):
        if widget.objectName() in ("", "cardLabel") or widget.objectName().startswith("qt_"):
            continue
        texts.append(widget.toolTip() if widget.objectName() != "cardLabel" else "")
        if isinstance(widget, QtWidgets.QLabel | QtWidgets.QAbstractButton):
            texts.append(widget.text())
        if isinstance(widget, QtWidgets.QComboBox) and widget.objectName() != "mapComboBox":
            texts += [widget.itemText(number) for number in range(widget.count())]
    table = window.findingsTable
    texts += [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    texts += window.cells(1)
    # The agreement is told in the worker's words.
    texts += [table.item(0, column).toolTip() for column in range(2, table.columnCount() - 1)]
    return texts


def test_the_panel_speaks_german_with_the_german_file_and_nothing_is_cut_off(
    speak: Callable[..., None], open_window: Callable[..., Any]
) -> None:
    from looks import clipped

    known = read(file_of("de"))
    speak(lambda context, text: known.get(Words(context, text), text))
    window = open_window()
    assert window.applyButton.text() == "Anwenden" and window.sampleButton.text() == "Beispiel laden"
    assert "Wählen Sie ein Volumen." in window.applyButton.toolTip()
    for name in ("advanced", "threshold", "explanation", "export"):
        window.unfold(getattr(window, f"{name}CollapsibleButton").findChild(QtWidgets.QWidget))
    QTest.qWait(5)
    assert clipped(window.place) == []
    assert window.place.minimumSizeHint().width() <= window.area.viewport().width()


def test_texts_put_together_from_parts_are_refused(tmp_path: Path) -> None:
    from translations import python_words

    (tmp_path / "odd.py").write_text('_("a" + name)\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"odd\.py:1"):
        python_words(tmp_path / "odd.py")
    assert MODULE.name == "LanguageSegment"
