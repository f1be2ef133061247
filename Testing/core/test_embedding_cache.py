"""The cache of token states: one run per distinct sentence, on disk only what belongs to this encoder and is whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.states import TextEncoder


class CountingEncoder(TextEncoder):
    """States that spell the sentence's characters; counts how often each sentence was encoded."""

    def __init__(self, identity: str = "a") -> None:
        super().__init__(torch.nn.Identity(), "cpu")
        self.name, self.width, self.length, self.hash = "counting", 2, 99, identity * 64
        self.runs: list[str] = []

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        self.runs.append(sentence)
        ids = torch.tensor([[1, *map(ord, sentence), 2]])
        return ids, torch.ones_like(ids, dtype=torch.bool)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.stack([ids, -ids], -1).float()


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_each_distinct_sentence_is_encoded_once() -> None:
    encoder = CountingEncoder()
    cache = EmbeddingCache(encoder)
    first = cache.states(["ab", "c", "ab"])
    second = cache.states(["c", "ab"])
    assert encoder.runs == ["ab", "c"] and len(cache) == 2
    assert torch.equal(first.states[0], first.states[2]) and torch.equal(first.states[1], second.states[0])


def test_shorter_sentences_are_padded_with_zeros_and_masked() -> None:
    found = EmbeddingCache(CountingEncoder()).states(["", "ab"])
    assert found.states.shape == (2, 4, 2)
    assert found.mask.tolist() == [[True, True, False, False], [True, True, True, True]]
    assert found.states[0].tolist() == [[1, -1], [2, -2], [0, 0], [0, 0]]


def test_no_sentences_give_no_states() -> None:
    assert EmbeddingCache(CountingEncoder()).states([]).states.shape == (0, 0, 2)


def test_a_second_run_reads_the_disk(tmp_path: Path) -> None:
    expected = EmbeddingCache(CountingEncoder(), tmp_path).states(["ab", "c"])
    again = CountingEncoder()
    found = EmbeddingCache(again, tmp_path).states(["ab", "c"])
    assert again.runs == []
    assert torch.equal(found.states, expected.states) and torch.equal(found.mask, expected.mask)


def test_no_report_text_reaches_the_disk(tmp_path: Path) -> None:
    EmbeddingCache(CountingEncoder(), tmp_path).states(["confidential words"])
    for path in files_of(tmp_path):
        assert b"confidential" not in path.read_bytes() and "confidential" not in str(path)


def test_another_encoder_never_gets_these_states(tmp_path: Path) -> None:
    EmbeddingCache(CountingEncoder("a"), tmp_path).states(["ab"])
    other = CountingEncoder("b")
    EmbeddingCache(other, tmp_path).states(["ab"])
    assert other.runs == ["ab"] and len(files_of(tmp_path)) == 2


def test_a_file_moved_in_from_another_encoder_is_computed_anew(tmp_path: Path) -> None:
    EmbeddingCache(CountingEncoder("a"), tmp_path).states(["ab"])
    (tmp_path / ("a" * 16)).rename(tmp_path / ("b" * 16))
    other = CountingEncoder("b")
    EmbeddingCache(other, tmp_path).states(["ab"])
    assert other.runs == ["ab"]


@pytest.mark.parametrize("damage", ["cut", "flipped bit", "emptied", "other content"])
def test_a_damaged_file_is_computed_anew_and_replaced(tmp_path: Path, damage: str) -> None:
    expected = EmbeddingCache(CountingEncoder(), tmp_path).states(["ab"]).states
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    spoiled = {
        "cut": whole[: len(whole) - 3],
        "flipped bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "emptied": b"",
        "other content": b"not a safetensors file at all",
    }[damage]
    path.write_bytes(spoiled)
    encoder = CountingEncoder()
    assert torch.equal(EmbeddingCache(encoder, tmp_path).states(["ab"]).states, expected)
    assert encoder.runs == ["ab"]
    assert path.read_bytes() == whole


def test_threads_sharing_a_folder_get_the_right_states_and_leave_no_scraps(tmp_path: Path) -> None:
    words = [f"sentence {number}" for number in range(12)]
    expected = EmbeddingCache(CountingEncoder()).states(words).states
    shared = EmbeddingCache(CountingEncoder(), tmp_path)
    caches = [shared, shared, EmbeddingCache(CountingEncoder(), tmp_path), EmbeddingCache(CountingEncoder(), tmp_path)]
    found: list[Tensor] = []

    def work(cache: EmbeddingCache) -> None:
        found.append(cache.states(words).states)

    threads = [threading.Thread(target=work, args=(cache,)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(states, expected) for states in found)
    names = [path.name for path in files_of(tmp_path)]
    assert len(names) == 12 and all(name.endswith(".safetensors") and not name.startswith(".") for name in names)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot write"):
        EmbeddingCache(CountingEncoder(), tmp_path / "file").states(["ab"])
