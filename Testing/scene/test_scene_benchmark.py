"""The benchmark's arithmetic: the parts of a call add up to the whole, and shares are taken within a round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import scene_benchmark as benchmark

from LanguageSegmentLib.runner import SubprocessRunner

HEARD = [
    (11.0, "started"),
    (12.5, "reading"),
    (13.0, "loading the network"),
    (15.0, "reading the text"),
    (15.5, "segmenting"),
    (18.0, "segmenting"),
    (20.5, "restoring"),
    (20.6, "log"),
    (21.0, "result"),
    (21.5, "returned"),
]


def test_the_parts_of_a_call_add_up_to_it() -> None:
    found = benchmark.parts(10.0, HEARD)
    assert list(found.values()) == [1.0, 1.5, 0.5, 2.0, 0.5, 5.0, 0.5, 0.5]
    assert found[benchmark.NETWORK] == 5.0
    assert sum(found.values()) == 11.5


def test_the_time_of_a_stage_that_was_not_heard_goes_to_the_next() -> None:
    found = benchmark.parts(10.0, [event for event in HEARD if event[1] != "loading the network"])
    assert "volume read" not in found and sum(found.values()) == 11.5
    assert found["weights and text encoder loaded"] == 2.5


def test_a_call_that_did_not_return_is_refused() -> None:
    with pytest.raises(ValueError, match="did not return"):
        benchmark.parts(10.0, HEARD[:-1])


def test_a_share_is_taken_within_its_own_round() -> None:
    network = benchmark.NETWORK
    rounds = [{"volume read": 1.0, network: 1.0}, {"volume read": 75.0, network: 25.0}, {network: 1.0}]
    found = benchmark.shares(rounds)
    assert found[network] == 0.5 and found["volume read"] == 0.5 and found["not the network"] == 0.5
    text = benchmark.table({"volume": "a chest", "seconds": 2.0, "rounds": rounds, "shares": found})
    assert "| network on the slices | 1.00 | 50% |" in text and "| not the network | | 50% |" in text


def test_the_parts_end_with_stages_that_the_worker_tells() -> None:
    program = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).resolve().parents[2] / "LMISCore" / "inference").glob("*.py")
    )
    for stage in benchmark.PARTS.values():
        assert f'"{stage}"' in program or stage in ("started", "result", "returned"), stage


def test_the_runner_notes_each_message_and_hands_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: Any, job: dict[str, Any], onMessage: Any) -> None:
        onMessage({"type": "progress", "stage": "reading", "done": 0, "total": 0})
        onMessage({"type": "result", "rows": []})

    monkeypatch.setattr(SubprocessRunner, "start", start)
    events: list[tuple[float, str]] = []
    heard: list[dict[str, Any]] = []
    benchmark.timed_runner(events).start({}, heard.append)
    assert [name for _, name in events] == ["reading", "result", "started"]
    assert [message["type"] for message in heard] == ["progress", "result"]


@pytest.mark.parametrize("wrong", [["--repeats", "0"], ["--slices", "0"], ["--size", "4"]])
def test_numbers_that_measure_nothing_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(wrong)
    assert "at least" in capsys.readouterr().err
