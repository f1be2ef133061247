"""The benchmark's arithmetic: ratios within a round, and a made-up chest that inference takes for a CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import segment_benchmark as benchmark

from LMISCore.volumes.intensity import decide_kind


def test_a_ratio_is_taken_within_its_own_round() -> None:
    five = "five sentences, cached"
    seconds = {(benchmark.BASE, 0): 10.0, (five, 0): 20.0, (benchmark.BASE, 1): 100.0, (five, 1): 400.0}
    rounds = [
        {
            "slices": 64,
            "round": number,
            "setting": setting,
            "text_seconds": 1.0,
            "segment_seconds": value,
            "peak_megabytes": 500.0,
            "flipped": None,
        }
        for (setting, number), value in seconds.items()
    ]
    (row,) = benchmark.ratios(rounds)
    assert (row["slices"], row["setting"], row["over"], row["rounds"]) == (64, five, benchmark.BASE, 2)
    # 2 and 4; a ratio of the means would be 420 / 110.
    assert row["segment_seconds"] == {"median": 3.0, "lowest": 2.0, "highest": 4.0}
    assert row["peak_megabytes"]["median"] == 1.0


def test_the_made_up_chest_is_read_as_hounsfield_units_and_is_the_same_every_time() -> None:
    first, again = benchmark.made_up_chest(2, 48), benchmark.made_up_chest(2, 48)
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == ((2, 48, 48), np.dtype(np.int16))
    assert decide_kind(first)[0] == "hu"


def test_peak_memory_is_in_megabytes() -> None:
    # Python with numpy and SimpleITK takes tens of megabytes, and no test machine has a terabyte.
    assert 20 < benchmark.peak_megabytes() < 1e6


def test_masks_are_compared_voxel_by_voxel_and_only_with_masks_of_as_many_sentences(tmp_path: Path) -> None:
    one, other, five = (tmp_path / name for name in ("one", "other", "five"))
    one.write_bytes(bytes([0b11110000, 0]))
    other.write_bytes(bytes([0b11110011, 0]))
    five.write_bytes(bytes(10))
    assert benchmark.share_that_differs(one, other) == 2 / 16
    assert benchmark.share_that_differs(one, five) is None


def test_every_switch_is_measured_beside_a_setting_that_is_measured_before_it() -> None:
    names = list(benchmark.SETTINGS)
    assert names[0] == benchmark.BASE and not benchmark.SETTINGS[benchmark.BASE].over
    for number, name in enumerate(names[1:], 1):
        assert benchmark.SETTINGS[name].over in names[:number]


def test_slices_of_air_are_asked_only_where_they_are_to_be_and_change_no_mask(tmp_path: Path) -> None:
    found = {}
    for name in (benchmark.BASE, benchmark.AIR, "the same, skipped"):
        masks = tmp_path / name
        found[name] = benchmark.measure(None, 2, 64, name, str(tmp_path), "cpu", str(masks))
        assert benchmark.share_that_differs(masks, tmp_path / benchmark.BASE) == 0
    assert all(row["segment_seconds"] > 0 for row in found.values())
