"""RecLMIS's training-only half: what takes part in it, what is hidden, and which option each of its parts obeys."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from LMISCore.errors import InputError
from LMISCore.losses.reclmis import RecLMISLoss
from LMISCore.networks import create_network
from LMISCore.networks.blocks import returning_clamp
from LMISCore.networks.places import order_waves, word_waves
from LMISCore.networks.reclmis_interactor import Interactor
from LMISCore.networks.reclmis_interest import TokenMixer

WIDTH, TEXT, WORDS, PATCHES = 4, 12, 5, 6


def built(**options: Any) -> Any:
    torch.manual_seed(0)
    return create_network("reclmis", text_width=TEXT, **{"width": WIDTH, "layers": 1, **options})


def inputs(batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, 32, 48, generator=generator)
    states = torch.randn(batch, WORDS, TEXT, generator=generator)
    mask = torch.ones(batch, WORDS, dtype=torch.bool)
    mask[1:, 3:] = False
    return image, states, mask


def halves(network: Any, **hidden: Tensor) -> dict[str, Tensor]:
    """What the loss reads, without dropout, statistics as kept."""
    image, states, mask = inputs()
    with torch.no_grad():
        tokens, _ = network.eval().join(network.encode_image(image).levels[4], states, mask)
        found: dict[str, Tensor] = network.auxiliary(tokens, **hidden)
    return found


@pytest.mark.parametrize("order", ["waves", "causal"])
def test_waves_alone_tell_one_hidden_token_from_another(order: str) -> None:
    everything = {
        "hidden_words": torch.ones(2, WORDS, dtype=torch.bool),
        "hidden_patches": torch.ones(2, PATCHES, dtype=torch.bool),
    }
    network = built(order=order)
    for reconstructor in (network.auxiliary.image_from_text, network.auxiliary.text_from_image):
        # Nothing but the waves: what a causal mask lets through is the same for equal tokens.
        assert reconstructor.causal == (order == "causal")
    found = halves(network, **everything)
    for name in ("text_rebuilt", "image_rebuilt"):
        apart = float((found[name][0, 0] - found[name][0, 1]).abs().max())
        assert (apart > 1e-3) == (order == "waves"), name


def test_a_words_waves_depend_on_its_own_sentence_alone() -> None:
    waves = word_waves(torch.tensor([5, 3]), 8, 6)
    assert waves.shape == (2, 8, 6)
    torch.testing.assert_close(waves[0, :5], order_waves(5, 6))
    torch.testing.assert_close(waves[1, :3], order_waves(3, 6))
    torch.testing.assert_close(word_waves(torch.tensor([5, 3]), 5, 6), waves[:, :5])


def test_padding_is_neither_counted_nor_compared_but_in_the_release() -> None:
    _, _, mask = inputs()
    ours, theirs = halves(built()), halves(built(padding="release"))
    for name in ("text_counted", "words_compared"):
        assert torch.equal(ours[name].bool(), mask), name
        assert theirs[name].bool().all(), name


def test_hidden_words_are_rebuilt_without_looking_at_padding() -> None:
    network = built()
    seen: list[tuple[Any, ...]] = []
    network.auxiliary.text_from_image.register_forward_pre_hook(lambda _, given: seen.append(given))
    halves(network)
    _, _, queries, _, query_mask = seen[0]
    other = queries.masked_fill(~query_mask.unsqueeze(-1), 7.0)
    with torch.no_grad():
        first, again = (network.auxiliary.text_from_image(*seen[0][:2], q, None, query_mask) for q in (queries, other))
    assert torch.equal(query_mask, inputs()[2])
    torch.testing.assert_close(first[query_mask], again[query_mask])


def test_words_and_patches_are_hidden_by_their_own_share() -> None:
    # Without waves a hidden token is zero and nothing else is.
    network = built(order="causal", hide_words=0.4, hide_patches=0.84)
    counts = []
    for part in (network.auxiliary.text_from_image, network.auxiliary.image_from_text):
        part.register_forward_pre_hook(lambda _, given: counts.append((given[2] == 0).all(-1).sum(1).tolist()))
    image, states, mask = inputs()
    network.train()(image, states, torch.ones_like(mask))
    assert sorted(counts) == [[2, 2], [5, 5]]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_dropout_of_the_interest_is_the_one_asked_for(share: float) -> None:
    network = built(interest_dropout=share).train()
    image, states, mask = inputs()
    with torch.no_grad():
        tokens, _ = network.join(network.encode_image(image).levels[4], states, mask)
        first, again = (network.auxiliary.interest(tokens) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.allclose(one, other, atol=1e-6) == (share == 0)


@pytest.mark.parametrize("kept", ["dropout", "text_attention", "image_attention"])
def test_the_interactor_drops_patches_and_both_attentions(kept: str) -> None:
    torch.manual_seed(0)
    interactor = Interactor(8, 2, residual=True, hide_padding=True, waves=True).train()
    for name, module in interactor.named_modules():
        if isinstance(module, nn.Dropout):
            assert module.p == 0.1
            module.p = 0.5 if name.startswith(kept) else 0.0
    given = torch.randn(2, 8, 2, 2), torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    with torch.no_grad():
        assert not torch.allclose(interactor(*given).patches, interactor(*given).patches, atol=1e-6)
        interactor.eval()
        assert torch.equal(interactor(*given).patches, interactor(*given).patches)


def test_words_are_normalised_by_the_real_ones() -> None:
    torch.manual_seed(0)
    mixer = TokenMixer(8).train()
    words, (_, _, mask) = torch.randn(2, WORDS, 8), inputs()
    real = torch.cat(
        [mixer.convolution((words * m[:, None])[None].mT).mT[0][m] for words, m in zip(words, mask, strict=True)]
    )
    found = mixer(words, mask)
    expected = torch.relu((real - real.mean(0)) / (real.var(0, correction=0) + 1e-5).sqrt())
    torch.testing.assert_close(found[mask], expected, rtol=1e-4, atol=1e-5)
    assert not found[~mask].any()
    torch.testing.assert_close(mixer.norm.running_mean, 0.1 * real.mean(0))
    plain, oracle = TokenMixer(8).train(), nn.BatchNorm1d(8).train()
    expected = torch.relu(oracle(plain.convolution(words.mT))).mT
    torch.testing.assert_close(plain(words), expected)
    torch.testing.assert_close(plain.norm.running_var, oracle.running_var)


@pytest.mark.parametrize("variant", ["default", "release"])
def test_one_word_alone_cannot_be_trained_with_and_that_is_said(variant: str) -> None:
    network = built(variant=variant)
    image, states, mask = inputs(batch=1)
    with pytest.raises(InputError, match=r"sentences have 1 token altogether, .* a larger training\.batch\.$"):
        network.train()(image, states[:, :1], mask[:, :1])
    assert torch.isfinite(network.eval()(image, states[:, :1], mask[:, :1]).logits).all()


def test_the_loss_starts_from_the_papers_weights() -> None:
    loss = RecLMISLoss()
    assert (loss.segmentation, loss.contrastive, loss.text, loss.image, loss.dice_scale) == (5, 0.2, 1, 1, 1)
    network = built().train()
    total, terms = loss(network(*inputs()), torch.zeros(2, 32, 48))
    by_hand = 5 * terms["segmentation"] + 0.2 * terms["contrastive"] + terms["text"] + terms["image"]
    torch.testing.assert_close(total, by_hand)


def test_the_loss_refuses_a_network_without_what_it_compares() -> None:
    RecLMISLoss().check_network(built())
    RecLMISLoss(contrastive=0, text=0, image=0).check_network(built(auxiliary=False))
    with pytest.raises(InputError, match=r"set loss\.contrastive, loss\.text and loss\.image to 0"):
        RecLMISLoss(contrastive=0, text=0).check_network(built(auxiliary=False))


def test_a_learned_scale_beyond_its_range_can_return() -> None:
    network = built(contrast_scale="learned")
    with torch.no_grad():
        network.auxiliary.log_scale.fill_(9.0)
    scale = network.train()(*inputs()).intermediates["scale"]
    assert float(scale.detach()) == 100
    (inwards,) = torch.autograd.grad(scale, network.auxiliary.log_scale)
    assert float(inwards) > 0


def test_a_returning_clamp_passes_the_gradient_inside_and_on_the_way_back() -> None:
    for sign, expected in ((1.0, [0.0, 1.0, 1.0]), (-1.0, [-1.0, -1.0, 0.0])):
        x = torch.tensor([-2.0, 0.5, 3.0], requires_grad=True)
        clamped = returning_clamp(x, 0.0, 1.0)
        assert clamped.tolist() == [0.0, 0.5, 1.0]
        (sign * clamped).sum().backward()
        assert x.grad is not None and x.grad.tolist() == expected
