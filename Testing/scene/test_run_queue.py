"""Runs one after another, and how far they are: the queue, the progress line, the words for failures."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from LanguageSegmentLib.failures import sentenceFor
from LanguageSegmentLib.progress_text import ProgressClock, stageWords, timeWords
from LanguageSegmentLib.run_queue import Request, RunQueue
from LMISCore.errors import Cancelled, InputError, LMISError, MissingDependencyError, OutOfMemoryError


class ScriptedRun:
    """Ends when a test says so."""

    def __init__(self) -> None:
        self.ends: object = None
        self.cancelled = self.closed = 0

    def poll(self) -> bool:
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends is None

    def result(self) -> Any:
        return self.ends

    def cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        self.closed += 1


class Asked:
    """A request that keeps what became of it."""

    def __init__(self, queue: RunQueue, broken: Exception | None = None) -> None:
        self.run = ScriptedRun()
        self.results: list[Any] = []
        self.errors: list[BaseException] = []
        self.started = 0
        self._broken = broken
        queue.add(Request(self._make, self.results.append, self.errors.append))

    def _make(self, progress: Any) -> ScriptedRun:
        self.started += 1
        if self._broken is not None:
            raise self._broken
        return self.run


@pytest.fixture
def queue() -> RunQueue:
    return RunQueue(lambda done, total, stage: True)


def test_the_second_run_starts_when_the_first_has_ended(queue: RunQueue) -> None:
    first = Asked(queue)
    assert queue.waiting == 0
    second = Asked(queue)
    assert queue.waiting == 1
    for _ in range(3):
        assert queue.poll()
    assert (first.started, second.started, queue.waiting) == (1, 0, 1)
    first.run.ends = "result"
    assert queue.poll() and first.results == ["result"] and second.started == 0
    queue.poll()
    assert second.started == 1 and first.run.closed == 1
    second.run.ends = "other"
    assert not queue.poll() and second.results == ["other"] and not queue.isBusy


def test_a_run_that_fails_lets_the_next_start(queue: RunQueue) -> None:
    first, second, third = Asked(queue), Asked(queue, InputError("No volume.")), Asked(queue)
    queue.poll()
    first.run.ends = LMISError("Broken.")
    for _ in range(3):
        queue.poll()
    assert [str(error) for error in first.errors + second.errors] == ["Broken.", "No volume."]
    assert third.started == 1 and not first.results


def test_a_cancel_stops_the_running_one_and_drops_those_that_wait(queue: RunQueue) -> None:
    first, second = Asked(queue), Asked(queue)
    queue.poll()
    queue.cancel()
    queue.cancel()
    assert first.run.cancelled == 1 and isinstance(second.errors[0], Cancelled) and queue.isCancelling
    first.run.ends = Cancelled("Cancelled.")
    assert not queue.poll() and isinstance(first.errors[0], Cancelled) and second.started == 0
    assert not queue.isCancelling


def test_closing_calls_nobody_any_more(queue: RunQueue) -> None:
    first, second = Asked(queue), Asked(queue)
    queue.poll()
    queue.close()
    first.run.ends = "late"
    assert not queue.poll() and first.run.closed == 1
    assert not any([first.results, first.errors, second.results, second.errors])


def test_a_result_that_cannot_be_put_into_the_scene_is_a_failure(queue: RunQueue) -> None:
    asked = Asked(queue)
    errors: list[BaseException] = []
    queue.add(Request(lambda progress: asked.run, lambda result: result.missing, errors.append))
    asked.run.ends = "result"
    for _ in range(4):
        queue.poll()
    assert asked.results == ["result"] and isinstance(errors[0], AttributeError) and not queue.isBusy


def test_a_request_may_ask_for_another_when_it_is_done(queue: RunQueue) -> None:
    asked: list[Asked] = []
    run = ScriptedRun()
    run.ends = "result"
    queue.add(Request(lambda progress: run, lambda result: asked.append(Asked(queue)), print))
    queue.poll()
    assert queue.poll() and queue.poll() and asked[0].started == 1


class _Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_from_the_pace_of_the_stage() -> None:
    time = _Time()
    clock = ProgressClock(time)
    assert clock.line(0, 0, "loading the network").percent is None
    time.now = 20.0
    assert clock.line(0, 100, "segmenting").text == "Segmenting"
    time.now = 30.0
    line = clock.line(25, 100, "segmenting")
    assert (line.percent, line.text) == (25, "Segmenting, about 30 s left")
    time.now = 60.0
    assert clock.line(100, 100, "segmenting").text == "Segmenting"
    assert clock.line(100, 100, "restoring").text == "Bringing the masks onto the volume"


def test_the_pace_counts_from_where_the_stage_began() -> None:
    time = _Time()
    clock = ProgressClock(time)
    clock.line(50, 100, "segmenting")
    time.now = 10.0
    assert clock.line(75, 100, "segmenting").text == "Segmenting, about 10 s left"


def test_no_time_is_guessed_from_hardly_any_steps() -> None:
    time = _Time()
    clock = ProgressClock(time)
    clock.line(0, 1000, "segmenting")
    time.now = 5.0
    assert "left" not in clock.line(10, 1000, "segmenting").text
    assert "left" in clock.line(20, 1000, "segmenting").text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "a few seconds left"),
        (33, "about 35 s left"),
        (150, "about 2 min left"),
        (1500, "about 25 min left"),
    ],
)
def test_a_time_is_rounded_to_what_can_be_known(seconds: float, words: str) -> None:
    assert timeWords(seconds) == words


def test_a_stage_without_words_of_its_own_is_shown_as_it_is() -> None:
    assert stageWords("counting") == "Counting"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("No file; give one."), "No file; give one."),
        (OutOfMemoryError("It does not fit."), "It does not fit; choose the processor (CPU) as device"),
        (OutOfMemoryError("It does not fit; close others."), "It does not fit; close others."),
        (MissingDependencyError("torch is not installed."), "press Install packages"),
        (MemoryError(), "Memory ran out; close other programs"),
        (OSError(errno.ENOSPC, "No space", "/disk/x"), "The disk is full at /disk/x; free some space"),
        (PermissionError(errno.EACCES, "denied", "/locked"), "no right to write /locked; choose another folder"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/gone"), "/gone could not be used (No such file)"),
        (KeyError("x"), "a defect of the module (KeyError)"),
    ],
)
def test_every_failure_is_one_sentence_with_a_next_step(error: BaseException, words: str) -> None:
    sentence = sentenceFor(error)
    assert words in sentence and sentence.endswith(".") and "\n" not in sentence
    assert sentence.count(". ") == 0
