"""Each network learns eight pairs by heart that only the sentence tells apart, and follows the sentence."""

from __future__ import annotations

from typing import Any

import pytest
from overfit_maker import SENTENCES, draw_pairs, overfit

from LMISCore.networks import NETWORKS
from LMISCore.text.encoders import create_encoder
from LMISCore.text.states import TextStates

# Small enough for a processor: options and the side of the pictures; every network of the package must stand here.
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "reclmis": ({"width": 8}, 64),
    "tirnet": ({"width": 8}, 64),
    # Its finest features are at a quarter of the picture's resolution.
    "tmca": ({"width": 24, "depths": [1, 1, 1, 1], "embedding": 32}, 96),
}


@pytest.fixture(name="text", scope="module")
def text_states() -> TextStates:
    return create_encoder("minilm").encode(SENTENCES)


def test_the_drawn_chests_are_affected_on_both_sides_and_masks_keep_to_theirs() -> None:
    pairs = draw_pairs()
    left, right = pairs.masks[:4], pairs.masks[4:]
    half = pairs.masks.shape[-1] // 2
    assert float(left.sum((1, 2)).min()) > 20 < float(right.sum((1, 2)).min())
    assert not left[..., :half].any() and not right[..., half:].any()
    assert pairs.sentences == [SENTENCES[0]] * 4 + [SENTENCES[1]] * 4
    assert 0 <= float(pairs.images.min()) < float(pairs.images.max()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_eight_pairs_are_learnt_by_heart_and_exchanged_sentences_miss_the_mask(name: str, text: TextStates) -> None:
    options, side = CASES[name]
    answers = overfit(name, options, draw_pairs(side=side), text)
    assert answers.own.min() >= 0.95
    assert answers.swapped.max() < 0.3
