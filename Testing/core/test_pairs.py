"""Sentences drawn for a slice agree with the part of the mask they come with."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from LMISCore.data.lungs import FRONTAL_ZONES, LungGeometry, lung_geometry, named_zones
from LMISCore.text.places import lvit_axial_words
from LMISCore.training.pairs import KINDS, FindingWords, PairSampler, SlicePlaces, count_pieces, side_cut, side_sentence

GEOMETRY = LungGeometry(midline=32.0, top=6, bottom=36)
WORDS = FindingWords(("pulmonary infection", "infection"), ("The heart is normal.", "Small {side} effusion."))
EVEN = dict.fromkeys(KINDS, 1.0)


def places(*spots: tuple[int, int], report: str = "as reported") -> SlicePlaces:
    """A slice of 64x64 with square lesions of 8x8 at (row, column)."""
    lesion = np.zeros((64, 64), dtype=bool)
    for row, column in spots:
        lesion[row : row + 8, column : column + 8] = True
    return SlicePlaces(lesion, GEOMETRY, report)


RIGHT_POSTERIOR, LEFT_ANTERIOR = (27, 10), (7, 45)


def test_midline_and_extent_are_measured_over_the_whole_scan() -> None:
    masks = np.zeros((3, 40, 60), dtype=np.uint8)
    masks[0, 5:20, 10:20] = 255
    masks[0, 5:20, 30:50] = 255
    masks[1, 8:30, 12:48] = 255
    assert lung_geometry(masks) == LungGeometry(30.0, 5, 30)
    assert lung_geometry(np.zeros((2, 4, 4))) is None


def test_sides_are_the_patients() -> None:
    assert GEOMETRY.side((4, 64), "right")[:, :32].all() and not GEOMETRY.side((4, 64), "right")[:, 32:].any()
    assert (GEOMETRY.side((4, 64), "left") ^ GEOMETRY.side((4, 64), "right")).all()


def test_thirds_cover_the_picture_once() -> None:
    thirds = [GEOMETRY.zone((64, 64), zone) for zone in ("anterior", "middle", "posterior")]
    assert (np.sum(thirds, axis=0) == 1).all()
    assert thirds[0][15].all() and thirds[1][16].all() and thirds[2][26].all()


def test_a_third_is_named_from_a_tenth_of_the_lesion_on() -> None:
    lesion = np.zeros((64, 64), dtype=bool)
    lesion[26:35, 0:10] = True
    lesion[10, 0:9] = True
    assert named_zones(lesion, GEOMETRY) == ["posterior"]
    lesion[10, 9:11] = True
    assert named_zones(lesion, GEOMETRY) == ["anterior", "posterior"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_with_the_mask_it_speaks_of(kind: str) -> None:
    slice_ = places(RIGHT_POSTERIOR, LEFT_ANTERIOR, report="the report")
    sampler = PairSampler(EVEN, WORDS)
    rng = np.random.default_rng(0)
    for _ in range(60):
        drawn = sampler.make(kind, slice_, rng)
        text = drawn.text.lower()
        if kind in ("report", "name", "rewritten"):
            assert np.array_equal(drawn.mask, slice_.lesion)
        if kind in ("empty_place", "other_finding"):
            assert not drawn.mask.any()
        if kind == "name":
            assert not {"left", "right", "anterior", "posterior"} & set(text.replace(".", "").split())
        if kind in ("side", "zone"):
            side = "left" if "left" in text else "right"
            assert ("left" in text) != ("right" in text)
            assert np.array_equal(drawn.mask, side_cut(slice_.lesion, GEOMETRY, side))
        if kind == "empty_place":
            assert ("right" in text and "posterior" not in text) or ("left" in text and "anterior" not in text)


def test_an_unaffected_lung_is_asked_for_as_empty() -> None:
    drawn = {
        PairSampler(EVEN, WORDS).make("empty_place", places(RIGHT_POSTERIOR), np.random.default_rng(s)).text
        for s in range(80)
    }
    assert any("left lung" in text and "anterior" not in text and "middle" not in text for text in drawn)


def test_shares_decide_how_often_a_kind_is_drawn() -> None:
    sampler = PairSampler({"side": 3.0, "report": 1.0}, WORDS)
    rng = np.random.default_rng(0)
    kinds = Counter(sampler.draw(places(RIGHT_POSTERIOR), rng).kind for _ in range(400))
    assert set(kinds) == {"side", "report"}
    assert kinds["side"] / 400 == pytest.approx(0.75, abs=0.07)


def test_what_a_slice_does_not_allow_is_never_drawn() -> None:
    everywhere = SlicePlaces(np.ones((64, 64), dtype=bool), GEOMETRY, "r")
    assert "empty_place" not in PairSampler(EVEN, WORDS).options(everywhere)
    unknown = SlicePlaces(everywhere.lesion, None, "r")
    assert set(PairSampler(EVEN, WORDS).options(unknown)) == {"report", "name", "other_finding"}
    assert PairSampler({"side": 1.0}, WORDS).draw(unknown, np.random.default_rng(0)).kind == "report"


def test_a_speck_does_not_make_a_lung_affected() -> None:
    lesion = np.zeros((64, 64), dtype=bool)
    lesion[30, 3:15] = True
    speck = SlicePlaces(lesion, GEOMETRY, "r")
    assert "side" not in PairSampler(EVEN, WORDS).options(speck)
    empty = {PairSampler(EVEN, WORDS).make("empty_place", speck, np.random.default_rng(s)).text for s in range(40)}
    assert not any("right lung" in t and "anterior" not in t.lower() and "middle" not in t.lower() for t in empty)


def test_pieces_below_thirteen_pixels_do_not_count() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[0, :12] = True
    mask[5, :13] = True
    mask[10:14, 10:14] = True
    assert count_pieces(mask) == 2


def test_own_sentences_need_no_rewriting() -> None:
    sampler = PairSampler(EVEN, WORDS)
    for seed in range(100):
        text = sampler.draw(places(RIGHT_POSTERIOR, LEFT_ANTERIOR), np.random.default_rng(seed)).text
        assert lvit_axial_words(text) == text


def test_thirds_are_named_as_the_picture_lies() -> None:
    on_top = places((7, 45))
    frontal = PairSampler(EVEN, WORDS, FRONTAL_ZONES)
    drawn = [frontal.make("zone", on_top, np.random.default_rng(seed)) for seed in range(20)]
    assert all("upper left lung" in item.text.lower() for item in drawn)
    rows = np.flatnonzero(drawn[0].mask.any(1))
    assert (rows.min(), rows.max()) == (7, 14), "the upper third of the rows 6 to 35, and the lesion from row 7 on"
    empty = " ".join(frontal.make("empty_place", on_top, np.random.default_rng(seed)).text for seed in range(60))
    assert "lower left lung" in empty and "middle right lung" in empty
    assert not any(word in empty for word in ("anterior", "posterior", "upper left"))


def test_without_names_of_thirds_lungs_alone_are_named() -> None:
    sampler = PairSampler(EVEN, WORDS, ())
    one = places(RIGHT_POSTERIOR)
    assert set(sampler.options(one)) == set(KINDS) - {"zone"}
    for seed in range(60):
        text = sampler.draw(one, np.random.default_rng(seed)).text
        assert not any(word in text for word in ("anterior", "middle", "posterior", ", all ")) and "  " not in text


def test_the_plainest_side_sentence() -> None:
    assert side_sentence("pulmonary infection", "left") == "Pulmonary infection in the left lung."
