"""The benchmark on real slices: which it takes, how it cuts their masks, and what counts as learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import overfit_real
import pytest
from lvit_maker import draw, write_lvit
from overfit_maker import SENTENCES, Answers
from PIL import Image

from LMISCore.errors import InputError
from LMISCore.networks import NETWORKS


@pytest.fixture(name="data")
def five_cases(tmp_path: Path) -> Path:
    """Five training cases, one of which has both lungs affected in no slice."""
    write_lvit(tmp_path)
    root = tmp_path / "Train_Folder"
    lines = ["Image,Description"]
    for case in range(1, 6):
        for index, kind in enumerate(("left", "right") if case == 3 else ("left", "both")):
            name = f"case_{case:02d}_s{index:04d}.png"
            for place, array in zip(("img", "labelcol", "lungs"), draw(kind, 10 * case + index), strict=True):
                Image.fromarray(array).save(root / place / name)
            lines.append(f"{name},words")
    for old in root.glob("*/scan_*"):
        old.unlink()
    (root / "Train_text.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_one_slice_with_both_lungs_affected_is_taken_of_each_case_and_cut_by_side(data: Path) -> None:
    pairs, names = overfit_real.real_pairs(data, 64)
    assert names == [f"case_{case:02d}_s0001.png" for case in (1, 2, 4, 5)]
    assert pairs.images.shape == (4, 3, 64, 64) and pairs.masks.shape == (8, 64, 64)
    left, right = pairs.masks[:4], pairs.masks[4:]
    # The patient's left is on the picture's right.
    assert not left[..., :32].any() and not right[..., 32:].any()
    for row, name in enumerate(names):
        with Image.open(data / "Train_Folder" / "labelcol" / name) as mask:
            assert np.array_equal((left + right)[row].numpy(), np.asarray(mask) > 0)
    assert pairs.sentences == [SENTENCES[0]] * 4 + [SENTENCES[1]] * 4


def test_too_few_slices_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 1 training cases .*, expected at least 4; give a set such as"):
        overfit_real.real_pairs(write_lvit(tmp_path), 64)


@pytest.mark.parametrize(("own", "swapped", "expected"), [(0.95, 0.29, True), (0.949, 0.0, False), (0.99, 0.31, False)])
def test_learnt_means_a_high_dice_of_its_own_and_a_low_one_of_the_other_sentence(
    own: float, swapped: float, expected: bool
) -> None:
    answers = Answers(np.full(8, own), np.array([0.0] * 7 + [swapped]), 25)
    assert overfit_real.learnt(answers) == expected
    page = overfit_real.table({"tirnet": answers}, ["a.png"], "cpu")
    assert "--network tirnet" in page and f"| {own:.3f} ({own:.3f}) |" in page


def test_every_network_has_a_setting() -> None:
    assert overfit_real.SETTINGS.keys() == NETWORKS.keys()
