"""Parts of training in many processes that one process can show."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn

from LMISCore.errors import InputError
from LMISCore.networks.collective import cross_entropy_over_all, gathered, mean_over_all, total
from LMISCore.text.states import TextStates
from LMISCore.training.answering import has_unused_parameters, padded
from LMISCore.training.distributed import ALONE, Processes
from LMISCore.training.distributed_watch import Failure, Watch, sentence

# Its stores have no published types.
dist: Any = torch.distributed
FAST: dict[str, Any] = {"interval": 0.02, "missed": 5, "grace": 0.05}


class Ended:
    """Remembers that a process would have ended."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.when = threading.Event()

    def __call__(self, code: int) -> None:
        self.code = code
        self.when.set()


def watches(count: int) -> tuple[Any, list[Watch], list[Ended]]:
    store, ended = dist.HashStore(), [Ended() for _ in range(count)]
    return store, [Watch(store, rank, count, leave=ended[rank], **FAST) for rank in range(count)], ended


def test_processes_that_beat_leave_each_other_alone() -> None:
    _, watching, ended = watches(3)
    for watch in watching:
        watch.start()
    assert not ended[0].when.wait(0.5)
    for watch in watching:
        watch.stop()
    assert [one.code for one in ended] == [None] * 3


def test_a_process_without_a_beat_ends_all_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    _, watching, ended = watches(3)
    for watch in watching:
        watch.start()
    watching[1].stop()
    assert ended[0].when.wait(5) and ended[2].when.wait(5)
    assert (ended[0].code, ended[2].code) == (2, 2)
    said = capsys.readouterr().err.splitlines()
    assert (
        said
        == [
            "lmis: Training ended because process 2 of 3 ended (it no longer answers); what was saved last is kept, so "
            "mend the cause and run the same command to go on."
        ]
        * 2
    )


def test_the_first_reason_that_is_left_is_everybodys() -> None:
    _, watching, _ = watches(2)
    assert watching[0].failure() is None
    assert watching[1].report(Failure(1, "The disk is full.")) == Failure(1, "The disk is full.")
    assert watching[0].report(Failure(0, "The connection was lost.")) == Failure(1, "The disk is full.")
    assert watching[0].failure() == Failure(1, "The disk is full.")
    assert "process 2 of 2 ended (The disk is full);" in sentence(Failure(1, "The disk is full."), 2)


def test_a_process_whose_launcher_is_gone_ends(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended()
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=5))
    client = dist.TCPStore("127.0.0.1", store.port, is_master=False, timeout=timedelta(seconds=5))
    watch = Watch(client, 0, 1, leave=ended, **FAST)
    watch.start()
    assert not ended.when.wait(0.3)
    del store
    assert ended.when.wait(10) and ended.code == 2
    assert "Training ended because torchrun ended;" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "size"), [(1, 1), (6, 4), (7, 3), (8, 8), (3, 5)])
def test_shares_are_all_of_a_batch_and_differ_by_one_at_most(number: int, size: int) -> None:
    shares = [list(range(number))[Processes(rank, size).share(number)] for rank in range(size)]
    assert [one for share in shares for one in share] == list(range(number))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_every_exchange_gives_back_what_it_got() -> None:
    assert ALONE.first and not ALONE.grouped and ALONE.device("mps") == "mps"
    assert ALONE.any(True) and not ALONE.any(False) and ALONE.highest(3) == 3
    assert ALONE.everyone("a") == ["a"] and ALONE.of_the_first(lambda: 5) == 5
    x, y = torch.randn(3, 2), torch.rand(3, 2).round()
    assert total(x) is x and gathered(x, y) == (x, y)
    assert float(mean_over_all(x, y)) == pytest.approx(float((x * y).sum() / y.sum()))
    assert float(mean_over_all(x, torch.zeros(3, 2))) == 0
    assert torch.equal(cross_entropy_over_all(x, y), nn.functional.binary_cross_entropy_with_logits(x, y))


def test_each_process_takes_a_gpu_of_its_own_and_says_when_there_are_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    watching = watches(3)[1]
    assert Processes(5, 8, 1, watching[0]).device("auto") == "cuda:1" and taken == [1]
    assert Processes(5, 8, 1, watching[0]).device("cpu") == "cpu"
    with pytest.raises(InputError, match=r"Process 3 on this machine found 2 GPUs; give torchrun --nproc-per-node 2"):
        Processes(6, 8, 2, watching[0]).device("cuda")
    with pytest.raises(InputError, match=r"The device cuda:0 was asked for, but torchrun started 8 processes"):
        Processes(6, 8, 0, watching[0]).device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Processes(5, 8, 1, watching[0]).device("auto") == "cpu"


def test_a_parameter_that_the_loss_leaves_out_is_found() -> None:
    network = nn.ModuleDict({"used": nn.Linear(2, 2), "left": nn.Linear(2, 2)})
    found: Tensor = network["used"](torch.ones(1, 2)).sum()
    assert has_unused_parameters(network, found)
    assert not has_unused_parameters(network, found + 0 * network["left"](torch.ones(1, 2)).sum())


def test_sentences_are_padded_as_beside_a_longer_one() -> None:
    text = TextStates(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    longer = padded(text, 5)
    assert longer.states.shape == (2, 5, 4) and longer.mask.sum(1).tolist() == [3, 3]
    assert not longer.states[:, 3:].any() and padded(text, 2) is text


def test_reasons_are_plain_json() -> None:
    store, watching, _ = watches(1)
    watching[0].report(Failure(0, "Grün"))
    assert json.loads(store.get("lmis/failed")) == [0, "Grün"]
