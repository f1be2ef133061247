"""TIRNet without one of its parts: what stands in for it, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from LMISCore.errors import InputError
from LMISCore.losses.msis import MSISLoss
from LMISCore.networks import create_network
from LMISCore.networks.tirnet_plain import SentenceAddition, SkipAddition

ABLATIONS: tuple[dict[str, bool], ...] = ({"rtmb": False}, {"cdcb": False}, {"rtmb": False, "cdcb": False})


def network(**options: bool) -> Any:
    torch.manual_seed(0)
    return create_network("tirnet", width=4, text_width=6, **options)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 32, 48, generator=generator)
    return image, torch.randn(2, 5, 6, generator=generator), torch.ones(2, 5, dtype=torch.bool)


def test_the_sentences_projection_is_added_to_every_pixel_alike() -> None:
    part = SentenceAddition(2, 3)
    with torch.no_grad():
        part.project.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 2, 0]]))
        part.project.bias.copy_(torch.tensor([0.5, 0]))
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    added = part(x, torch.tensor([[3.0, 5.0, 7.0]])) - x
    assert added[0, 0].tolist() == [[3.5, 3.5], [3.5, 3.5]]
    assert added[0, 1].tolist() == [[10.0, 10.0], [10.0, 10.0]]
    assert part.light(x).tolist() == [[[[0.5, 0.5], [0.5, 0.5]]]]


def test_the_whole_skip_connection_is_added_to_the_refined_base() -> None:
    part = SkipAddition(nn.Identity())
    assert torch.equal(
        part(torch.full((1, 2, 3, 3), 2.0), torch.full((1, 2, 3, 3), 0.25)), torch.full((1, 2, 3, 3), 2.25)
    )


@pytest.mark.parametrize("options", ABLATIONS, ids=str)
def test_without_a_part_every_parameter_still_learns_and_the_sentence_is_still_read(options: dict[str, bool]) -> None:
    without = network(**options)
    image, states, mask = inputs()
    output = without.train()(image, states, mask)
    total, terms = MSISLoss(rgc=1.0 if options.get("rtmb", True) else 0.0)(output, image[:, 0] > 0.5)
    total.backward()
    assert [name for name, p in without.named_parameters() if p.grad is None or not p.grad.any()] == []
    without.eval()
    with torch.no_grad():
        assert not torch.allclose(without(image, states, mask).logits, without(image, -states, mask).logits)
    assert (float(terms["rgc"].detach()) == 0.0) == (not options.get("rtmb", True))


def test_each_part_brings_its_own_maps() -> None:
    def kinds(**options: bool) -> set[str]:
        maps = network(**options).eval()(*inputs()).maps
        return {name.rsplit("_", 1)[0] for name in maps}

    light, detail = {"similarity", "positive", "negative"}, {"detail_weight", "detail_gate"}
    assert kinds() == light | detail
    assert kinds(rtmb=False) == detail
    assert kinds(cdcb=False) == light
    assert kinds(rtmb=False, cdcb=False) == set()


def test_the_options_rebuild_the_network_without_the_part_and_are_refused_as_words() -> None:
    for options in ABLATIONS:
        first = network(**options)
        again = create_network("tirnet", **first.options)
        assert again.state_dict().keys() == first.state_dict().keys()
        again.load_state_dict(first.state_dict())
        with torch.no_grad():
            assert torch.equal(again.eval()(*inputs()).logits, first.eval()(*inputs()).logits)
    with pytest.raises(InputError, match="rtmb is 'no', expected true or false"):
        network(rtmb="no")  # type: ignore[arg-type]
