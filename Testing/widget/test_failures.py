"""What goes wrong while a report is run: one plain sentence with the next step, and a scene as it was."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from logic_makers import Material, load_volume
from panel_makers import ScriptedProcess
from PySide6 import QtCore
from PySide6.QtTest import QTest
from session import SlicerSession

from LanguageSegmentLib.packages import InstallPlan
from LanguageSegmentLib.serving import CANCEL_SECONDS, ServingWorker
from LanguageSegmentLib.table_text import SEGMENT, STATE
from LMISCore.errors import Cancelled

REPORT = "Infection in the left lung. Infection in the right lung."


@pytest.fixture
def asked(open_window: Callable[..., Any], slicer_session: SlicerSession, material: Material) -> Callable[..., Any]:
    """Opens the panel with a worker that answers by a script, with a volume and a typed report."""

    def make(*answers: Any, complaints: list[str] | None = None) -> Any:
        load_volume(slicer_session, material.volume("oblique"))
        window = open_window(ServingWorker(lambda: ScriptedProcess(list(answers), complaints)))
        window.type(REPORT)
        return window

    return make


def error(kind: str, text: str) -> list[dict[str, Any]]:
    return [{"type": "error", "kind": kind, "message": text}]


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (error("out_of_memory", "The memory of the graphics card ran out."), "choose the processor (CPU) as device"),
        (-9, "memory"),
        (3, "the worker"),
        (error("bad_input", "The volume has no slices; choose another."), "choose another"),
    ],
    ids=["out of memory", "killed", "crashed", "bad input"],
)
def test_a_run_that_fails_is_told_in_one_sentence_and_leaves_the_scene(
    asked: Callable[..., Any], slicer_session: SlicerSession, answer: Any, part: str
) -> None:
    window = asked(answer, complaints=["Fatal: something in C++"])
    window.click("applyButton")
    window.wait_for_run()
    (sentence,) = window.application.dialogs.errors
    assert part.lower() in sentence.lower() and sentence.endswith(".") and ". " not in sentence, sentence
    assert window.statusLabel.text() == sentence
    assert window.applyButton.text() == "Apply" and window.applyButton.isEnabled()
    assert slicer_session.nodes("vtkMRMLSegmentationNode") == [] and set(window.cells(STATE)) == {"not run"}


@pytest.mark.parametrize(("number", "part"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no right to write")])
def test_a_full_disk_and_a_locked_folder_are_told_with_their_place(
    asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, number: int, part: str
) -> None:
    def refuse(path: Path, *values: Any) -> None:
        raise OSError(number, "refused", "/temporary/folder")

    window = asked()
    monkeypatch.setattr("LanguageSegmentLib.run.writingNode", refuse)
    window.click("applyButton")
    window.wait_for_run()
    (sentence,) = window.application.dialogs.errors
    assert part in sentence and "/temporary/folder" in sentence


def test_a_table_that_cannot_be_saved_is_told(asked: Callable[..., Any], tmp_path: Path) -> None:
    window = asked(None)
    window.click("applyButton")
    window.wait(lambda: window.findingsTable.rowCount() == 2)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    window.application.dialogs.paths.append(str(tmp_path / "file" / "findings.csv"))
    window.click("csvButton")
    (sentence,) = window.application.dialogs.errors
    assert str(tmp_path / "file") in sentence and "choose a folder that exists" in sentence


def test_missing_packages_are_offered_and_a_refusal_is_no_error(
    asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = asked()
    logic = type(window.module.logic)
    monkeypatch.setattr(logic, "installPlan", staticmethod(lambda: InstallPlan(torch="torch>=2.6")))

    def refuse() -> None:
        raise Cancelled("Nothing was installed, as asked.")

    monkeypatch.setattr(logic, "installPackages", staticmethod(refuse))
    window.enter()
    assert "torch>=2.6 must be installed first" in window.deviceLabel.text()
    window.click("applyButton")
    assert window.statusLabel.text() == "Nothing was installed, as asked."
    assert window.application.dialogs.errors == [] and not window.panel.runs.isBusy
    monkeypatch.setattr(logic, "installPackages", staticmethod(lambda: SimpleNamespace(messages=["Installed torch."])))
    window.click("installButton")
    assert window.statusLabel.text() == "Installed torch."


def test_a_worker_that_does_not_stop_is_gone_within_a_second_of_cancel(
    asked: Callable[..., Any], slicer_session: SlicerSession
) -> None:
    window = asked(None)
    window.click("applyButton")
    window.wait(lambda: window.panel.runs.queue.isRunning)
    window.click("applyButton")
    assert window.wait(lambda: not window.panel.runs.isBusy) < CANCEL_SECONDS + 0.3 <= 1.0
    window.wait(lambda: window.applyButton.text() == "Apply" and "Cancelled" in window.statusLabel.text())
    assert slicer_session.nodes("vtkMRMLSegmentationNode") == []
    assert window.application.dialogs.errors == []


def test_a_run_cancelled_before_it_began_gives_the_button_back(asked: Callable[..., Any]) -> None:
    window = asked(None)
    # Both clicks come before the timer's first poll.
    window.applyButton.click()
    window.applyButton.click()
    assert not window.panel.runs.isBusy and "Cancelled" in window.statusLabel.text()
    assert window.applyButton.text() == "Apply" and window.applyButton.isEnabled()


def test_a_real_worker_is_cancelled_and_works_again(
    window: Any, slicer_session: SlicerSession, material: Material
) -> None:
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type(REPORT)
    window.click("applyButton")
    window.click("applyButton")
    window.wait_for_run()
    assert slicer_session.nodes("vtkMRMLSegmentationNode") == [] and "Cancelled" in window.statusLabel.text()
    window.click("applyButton")
    window.wait_for_run()
    assert all(window.cells(SEGMENT)) and len(window.cells()) == 2


def test_the_words_that_are_segmented_cannot_be_changed_meanwhile(asked: Callable[..., Any]) -> None:
    window = asked(None)
    window.click("applyButton")
    window.wait(lambda: window.findingsTable.rowCount() == 2)
    QTest.keyClicks(window.reportEdit, "not ")
    assert window.reportEdit.toPlainText() == REPORT and "when the run has ended" in window.reportEdit.toolTip()
    window.edit(0, "Something else.")
    assert window.reportEdit.toPlainText() == REPORT and "Wait for the run" in window.statusLabel.text()
    assert "Something else." not in window.cells()
    window.click("applyButton")
    window.wait(lambda: not window.panel.runs.isBusy)
    QTest.keyClicks(window.reportEdit, "Not ")
    assert window.reportEdit.toPlainText() != REPORT


def test_what_is_asked_for_meanwhile_waits_and_the_two_do_not_mix(
    window: Any, slicer_session: SlicerSession, material: Material, worker: Any
) -> None:
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type(REPORT)
    window.click("applyButton")
    window.wait_for_run()
    jobs = len(worker.jobs)
    window.choose(0)
    window.click("rerunButton")
    window.choose(1)
    window.click("rerunButton")
    window.wait(lambda: len(worker.jobs) == jobs + 2 and not window.panel.runs.isBusy)
    first, second = worker.jobs[jobs:]
    assert [job["only"] for job in (first, second)] == [["findings-1"], ["findings-2"]] or first["only"] != second[
        "only"
    ]
    assert window.cells(STATE) == ["affirmed", "affirmed"] and all(window.cells(SEGMENT))


def test_a_scene_that_is_closed_meanwhile_gets_nothing(
    window: Any, slicer_session: SlicerSession, material: Material
) -> None:
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type(REPORT)
    window.click("applyButton")
    QTest.qWait(60)
    slicer_session.scene.Clear(False)
    load_volume(slicer_session, material.volume("axis-aligned"))
    QTest.qWait(700)
    assert slicer_session.nodes("vtkMRMLSegmentationNode") == slicer_session.nodes("vtkMRMLTextNode") == []
    assert window.findingsTable.rowCount() == 0 and window.application.dialogs.errors == []
    assert window.applyButton.text() == "Apply" and window.statusLabel.text() == ""


def test_a_defect_is_told_as_one_and_reaches_the_log(
    asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: Any) -> None:
        raise ZeroDivisionError("a defect")

    window = asked()
    monkeypatch.setattr("LanguageSegmentLib.run.writingNode", fail)
    window.click("applyButton")
    for _ in range(100):
        QTest.qWait(20)
        if window.application.dialogs.errors:
            break
    (sentence,) = window.application.dialogs.errors
    assert "defect of the module (ZeroDivisionError)" in sentence
    (found,) = window.faults.found
    window.faults.found.clear()
    assert "ZeroDivisionError: a defect" in found
    QTest.keyClick(window.reportEdit, QtCore.Qt.Key.Key_A)
    assert window.applyButton.isEnabled()
