"""RecLMIS's parts against PyTorch's own modules, hand-made loops and the probabilities they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.losses.overlap import soft_dice_loss
from LMISCore.losses.reclmis import RecLMISLoss, contrastive_loss, rebuilding_loss, token_match
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.networks.places import order_waves, place_waves
from LMISCore.networks.randomness import draw_hidden
from LMISCore.networks.reclmis_attention import Attention
from LMISCore.networks.reclmis_interactor import Interactor
from LMISCore.networks.reclmis_interest import Interest
from LMISCore.networks.reclmis_reconstruct import Reconstructor


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_attention_equals_torchs_own() -> None:
    attention = Attention(8, 4)
    oracle = torch.nn.MultiheadAttention(8, 4, batch_first=True)
    with torch.no_grad():
        oracle.in_proj_weight.copy_(attention.inwards.weight)
        oracle.in_proj_bias.copy_(attention.inwards.bias.normal_())
        oracle.out_proj.load_state_dict(attention.outwards.state_dict())
        query, keys = drawn(2, 3, 8), drawn(2, 5, 8, seed=1)
        hidden = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
        found, weights = attention(query, keys, hidden[:, None])
        expected, expected_weights = oracle(query, keys, keys, key_padding_mask=hidden)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(weights, expected_weights)


def test_key_weights_multiply_the_softmax_which_sums_to_one_again() -> None:
    attention = Attention(8, 4)
    query, keys = drawn(2, 3, 8), drawn(2, 5, 8, seed=1)
    with torch.no_grad():
        _, plain = attention(query, keys)
        _, zeroed = attention(query, keys, None, torch.tensor([[1.0, 1, 1, 1, 0]]).expand(2, -1))
        _, even = attention(query, keys, None, torch.full((2, 5), 0.2))
    assert float(zeroed[..., 4].max()) < 1e-8
    torch.testing.assert_close(zeroed.sum(-1), torch.ones(2, 3))
    torch.testing.assert_close(even, plain)


def test_a_row_that_may_see_nothing_stays_finite() -> None:
    found, weights = Attention(8, 4)(drawn(1, 2, 8), drawn(1, 3, 8), torch.ones(1, 2, 3, dtype=torch.bool))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(weights, torch.full((1, 2, 3), 1 / 3))


def test_interest_sums_to_one_over_the_real_tokens() -> None:
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    log_weights = Interest(8, 0.0, bias=True)(drawn(2, 4, 8), mask)
    torch.testing.assert_close(log_weights.exp().sum(1), torch.ones(2))
    assert log_weights.exp()[1, 2:].sum() == 0


def test_each_row_hides_its_own_number_of_real_tokens(device: torch.device) -> None:
    mask = torch.arange(20)[None] < torch.tensor([[20], [11], [9], [2], [1]])
    log_weights = drawn(5, 20).masked_fill(~mask, -1e30).log_softmax(1).to(device)
    generator = torch.Generator(device).manual_seed(1)
    for _ in range(20):
        hidden = draw_hidden(log_weights, 0.3, mask.to(device), generator).cpu()
        assert hidden.sum(1).tolist() == [6, 3, 2, 1, 1]
        assert not (hidden & ~mask).any()


def test_tokens_are_hidden_as_often_as_drawing_one_after_the_other_says() -> None:
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    # Two of four without replacement: P(i) = w_i + sum over j of w_j w_i / (1 - w_j).
    expected = [w + sum(v * w / (1 - v) for j, v in enumerate(weights) if j != i) for i, w in enumerate(weights)]
    rows = torch.from_numpy(weights).float().log().expand(40000, -1)
    hidden = draw_hidden(rows, 0.5, None, torch.Generator().manual_seed(0))
    assert hidden.sum(1).unique().tolist() == [2]
    # Four standard errors of a share over 40,000 rows are below 0.01.
    np.testing.assert_allclose(hidden.float().mean(0).numpy(), expected, atol=0.01)


def test_a_generator_makes_the_draw_repeatable_and_leaves_the_global_one_alone() -> None:
    log_weights = drawn(3, 50).log_softmax(1)
    before = torch.get_rng_state()
    first, again = (draw_hidden(log_weights, 0.4, None, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, draw_hidden(log_weights, 0.4, None, torch.Generator().manual_seed(6)))


def test_a_later_token_reaches_an_earlier_one_unless_order_is_causal() -> None:
    for causal in (True, False):
        torch.manual_seed(0)
        reconstructor = Reconstructor(8, 2, causal).eval()
        queries, source, weights = drawn(1, 5, 8), drawn(1, 4, 8, seed=1), torch.full((1, 4), 0.25)
        changed = queries.clone()
        changed[:, 4] += 1
        with torch.no_grad():
            difference = (reconstructor(source, weights, changed) - reconstructor(source, weights, queries)).abs()
        assert (float(difference[:, :4].max()) > 1e-4) != causal
        assert float(difference[:, 4].max()) > 1e-4


def test_a_source_token_of_no_weight_is_not_heard() -> None:
    torch.manual_seed(0)
    reconstructor = Reconstructor(8, 2, False).eval()
    queries, source = drawn(1, 5, 8), drawn(1, 4, 8, seed=1)
    weights = torch.tensor([[0.4, 0.6, 0.0, 0.0]])
    changed = source.clone()
    changed[:, 2:] += 1
    with torch.no_grad():
        plain = reconstructor(source, weights, queries)
        torch.testing.assert_close(reconstructor(changed, weights, queries), plain)
        assert not torch.allclose(reconstructor(changed, weights.flip(1), queries), plain, atol=1e-3)


def test_the_position_fits_maps_of_any_size_and_its_own_unchanged() -> None:
    interactor = Interactor(8, 4, residual=True, hide_padding=True, waves=True)
    assert interactor._position(torch.zeros(1, 8, 4, 4)) is interactor.position
    wide = interactor._position(torch.zeros(1, 8, 4, 8))
    assert wide.shape == (1, 32, 8)
    # The rows' half of the channels does not change along a row, the columns' half not down a column.
    rows, columns = wide.view(4, 8, 8)[..., :4], wide.view(4, 8, 8)[..., 4:]
    torch.testing.assert_close(rows, rows[:, :1].expand_as(rows))
    torch.testing.assert_close(columns, columns[:1].expand_as(columns))


def test_waves_tell_every_place_from_every_other() -> None:
    for waves in (order_waves(40, 12), place_waves(7, 5, 16)):
        distance = torch.cdist(waves, waves) + 10 * torch.eye(len(waves))
        assert float(distance.min()) > 0.1
    assert float(order_waves(10, 4)[0, 0]) < -0.7 < 0.7 < float(order_waves(10, 4)[-1, 0])


def test_the_match_of_sentences_and_images_equals_a_loop() -> None:
    normal = torch.nn.functional.normalize
    words, patches = normal(drawn(2, 3, 4), dim=-1), normal(drawn(2, 5, 4, seed=1), dim=-1)
    compared = torch.tensor([[True, True, True], [True, True, False]])
    word_weights = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    patch_weights = drawn(2, 5, seed=2).softmax(1)
    found = token_match(words, word_weights, compared, patches, patch_weights)
    for a in range(2):
        for b in range(2):
            real = [t for t in range(3) if compared[a, t]]
            cosine = [[float(words[a, t] @ patches[b, v]) for v in range(5)] for t in range(3)]
            by_words = sum(float(word_weights[a, t]) * max(cosine[t]) for t in real)
            by_patches = sum(float(patch_weights[b, v]) * max(cosine[t][v] for t in real) for v in range(5))
            assert float(found[a, b]) == pytest.approx((by_words + by_patches) / 2, abs=1e-6)


def test_the_contrastive_loss_is_the_mean_of_both_directions_without_what_is_left_out() -> None:
    match = torch.tensor([[2.0, 1.0, 0.0], [0.5, 3.0, 9.0], [0.0, 9.0, 1.0]])
    left_out = torch.zeros(3, 3, dtype=torch.bool)
    left_out[1, 2] = left_out[2, 1] = True
    e = np.exp
    rows = [e(2) / (e(2) + e(1) + e(0)), e(3) / (e(0.5) + e(3)), e(1) / (e(0) + e(1))]
    columns = [e(2) / (e(2) + e(0.5) + e(0)), e(3) / (e(1) + e(3)), e(1) / (e(0) + e(1))]
    expected = -(np.log(rows).mean() + np.log(columns).mean()) / 2
    assert float(contrastive_loss(match, left_out)) == pytest.approx(expected, rel=1e-6)


def test_only_counted_tokens_enter_the_rebuilding_loss() -> None:
    rebuilt, target = torch.zeros(1, 3, 2), torch.tensor([[[1.0, 1], [2, 2], [9, 9]]])
    counted = torch.tensor([[True, True, False]])
    assert float(rebuilding_loss(rebuilt, target, counted)) == pytest.approx((1 + 4) / 2)
    assert float(rebuilding_loss(rebuilt, target)) == pytest.approx((1 + 4 + 81) / 3)


def test_the_released_scale_of_dice_is_a_larger_smoothing_constant() -> None:
    logits, mask = drawn(2, 1, 4, 4), (drawn(2, 4, 4, seed=3) > 0).float()
    probability, target = logits.sigmoid().flatten(1) * 0.5, mask.flatten(1) * 0.5
    overlap = (probability * target).sum(1)
    sizes = (probability**2).sum(1) + (target**2).sum(1)
    by_hand = float((1 - (2 * overlap + 1e-5) / (sizes + 1e-5)).mean())
    assert float(soft_dice_loss(logits, mask, 1e-5 / 0.5**2)) == pytest.approx(by_hand, abs=1e-7)
    loss = RecLMISLoss(contrastive=0, text=0, image=0, dice_scale=0.5)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], mask)
    total, _ = loss(NetworkOutput(logits), mask)
    assert float(total) == pytest.approx(5 * (0.5 * by_hand + 0.5 * float(cross_entropy)), rel=1e-6)
    with pytest.raises(InputError, match="dice_scale is 0"):
        RecLMISLoss(dice_scale=0)
