"""Prepared pictures beyond a limit lie in a file, and training does not notice."""

from __future__ import annotations

import errno
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_makers import recipe, training_ground, weights

from LMISCore.errors import InputError
from LMISCore.training import datasets, picture_store
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import load_slices
from LMISCore.training.picture_store import MEGABYTE, PictureStore
from LMISCore.training.trainer import train

__all__ = ["training_ground"]


def pictures(number: int, size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(256, size=(2, 1, size, size), dtype=np.uint8) for _ in range(number)]


def test_pictures_beyond_the_limit_are_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_store, "PIECE", MEGABYTE)
    given = pictures(60, 200)
    store = PictureStore(1, tmp_path / "not" / "there")
    kept = [store.keep(array) for array in given]
    assert store.in_memory <= MEGABYTE < store.in_memory + given[0].nbytes
    assert store.in_memory + store.in_file == sum(array.nbytes for array in given) > 4 * MEGABYTE
    for array, own in zip(given, kept, strict=True):
        assert own.shape == array.shape and own.dtype == np.uint8
        assert np.array_equal(own, array)
    assert not list(tmp_path.iterdir()), "the file has no name that could be left over"


def test_a_picture_larger_than_a_piece_of_the_file_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_store, "PIECE", 1000)
    store = PictureStore(0, tmp_path)
    given = pictures(5, 300)
    kept = [store.keep(array) for array in given]
    assert all(np.array_equal(own, array) for own, array in zip(kept, given, strict=True))
    assert store.in_memory == 0


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(
        InputError, match=r"^Prepared pictures take more than 0 MB .* \(No space left on device\); make"
    ):
        PictureStore(0, tmp_path).keep(pictures(1, 8)[0])


def test_training_from_a_file_gives_the_same_weights(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores: list[PictureStore] = []
    real = datasets._kept

    def watched(item: Any, store: Any) -> Any:
        stores.append(store)
        return real(item, store)

    monkeypatch.setattr(datasets, "_kept", watched)
    for name, megabytes in (("memory", 4000), ("file", 0)):
        train(recipe(ground, "training.steps=1", f"image.memory={megabytes}"), tmp_path / name, "cpu")
    assert stores[0].in_file == 0 < stores[0].in_memory
    assert stores[-1].in_memory == 0 < stores[-1].in_file
    expected, found = weights(tmp_path / "memory"), weights(tmp_path / "file")
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_pictures_that_are_not_equalised_are_kept_once(ground: Path) -> None:
    wanted = recipe(ground, "image.convention=unit")
    plain = load_slices(wanted, read_split(wanted, "Train"), 2, colour="rgb", store=PictureStore(0, ground))
    one = load_slices(wanted, read_split(wanted, "Train"), 2)
    assert all(item.equalised is item.plain for item in one)
    for item, other in zip(plain, one, strict=True):
        assert item.plain.shape[1] == 3 and item.plain.strides[1] == 0, "three equal channels are one in memory"
        assert np.array_equal(item.plain[:, :1], other.plain)
