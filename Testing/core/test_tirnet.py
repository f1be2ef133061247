"""TIRNet: the common suite, and what only it has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_suite import TEXT_WIDTH, NetworkSuite

from LMISCore.errors import InputError
from LMISCore.networks import TIRNet, create_network
from LMISCore.networks.blocks import count_parameters, largest_group
from LMISCore.networks.normalised_product import normalised_product


def place_weights(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """What each decoder stage knows of rows and columns."""
    return [weight for name, weight in network.named_parameters() if ".place" in name]


class TestTIRNet(NetworkSuite):
    name = "tirnet"

    def test_released_variant_lets_padding_take_part(self) -> None:
        network = self.network(variant="release").eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            right = network(image, states, mask).logits
            other = states.masked_fill(~mask.unsqueeze(-1), 3.0)
            assert not torch.allclose(network(image, other, mask).logits, right, atol=1e-5)

    def test_shade_and_light_are_probabilities(self) -> None:
        network = self.network().eval()
        with torch.no_grad():
            maps = network(*self.inputs()).maps
        for name, value in maps.items():
            if not name.startswith("similarity"):
                assert float(value.min()) >= 0 and float(value.max()) <= 1, name
            else:
                assert float(value.abs().max()) <= 10 + 1e-4

    def test_scaling_by_the_training_sentences_sets_nearly_equal_sentences_apart(self, device: torch.device) -> None:
        network: Any = self.network().to(device).eval()
        generator = torch.Generator().manual_seed(2)
        # As sentence encoders do: a large part that all sentences share, a small one that tells them apart.
        states = (torch.randn(1, 1, TEXT_WIDTH, generator=generator) * 5).repeat(40, 4, 1)
        states = (states + 0.1 * torch.randn(40, 1, TEXT_WIDTH, generator=generator)).to(device)
        mask = torch.ones(40, 4, dtype=torch.bool, device=device)
        left, right = slice(0, 1), slice(1, 2)

        def distance() -> float:
            with torch.no_grad():
                vectors = network.sentence_vector(states, mask)
            return float(1 - torch.cosine_similarity(vectors[left], vectors[right]))

        before = distance()
        network.fit_text(states, mask)
        assert distance() > 10 * before
        scaled = ((states - network.text_mean) / network.text_deviation).mean(1)
        torch.testing.assert_close(scaled.mean(0), torch.zeros(TEXT_WIDTH, device=device), atol=1e-3, rtol=0)
        torch.testing.assert_close(
            scaled.std(0, correction=0), torch.ones(TEXT_WIDTH, device=device), atol=1e-3, rtol=0
        )

    def test_one_sentence_alone_is_not_scaled(self) -> None:
        network: Any = self.network().eval()
        _, states, mask = self.inputs()
        before = network.sentence_vector(states, mask)
        network.fit_text(states[:1].repeat(5, 1, 1), mask[:1].repeat(5, 1))
        assert torch.equal(network.sentence_vector(states, mask), before)

    def test_mirrored_places_differ_only_where_position_is_known(self) -> None:
        # Without padding's help: one value everywhere, so that all inner pixels look alike to a convolution.
        image, (_, states, mask) = torch.full((1, 3, 128, 128), 0.5), self.inputs()
        halves = []
        for position in (False, True):
            network: Any = self.network(position=position).eval()
            if position:
                for weight in place_weights(network):
                    torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(4))
            with torch.no_grad():
                light = network(image, states[:1], mask[:1]).maps["positive_1"][0, 0]
            row = light[64]
            halves.append(float((row[50:54] - row.flip(0)[50:54]).abs().max()))
        assert halves[0] < 0.1 * halves[1]

    def test_position_starts_without_effect_and_learns(self) -> None:
        network: Any = self.network().train()
        image, states, mask = self.inputs()
        blind: Any = self.network(position=False).train()
        blind.load_state_dict({k: v for k, v in network.state_dict().items() if ".place" not in k})
        torch.testing.assert_close(network(image, states, mask).logits, blind(image, states, mask).logits)
        network(image, states, mask).logits.square().sum().backward()
        assert len(place_weights(network)) == 4
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in place_weights(network))

    def test_the_released_variant_neither_scales_text_nor_knows_places(self) -> None:
        network: Any = self.network(variant="release").eval()
        assert not [name for name in network.state_dict() if "place" in name or name.startswith("text_mean")]
        _, states, mask = self.inputs()
        before = network.sentence_vector(states, mask)
        network.fit_text(states, mask)
        assert torch.equal(network.sentence_vector(states, mask), before)
        assert (network.options["text_scale"], network.options["position"]) == ("none", False)


def test_published_width_has_the_published_number_of_parameters() -> None:
    assert count_parameters(TIRNet(width=64, text_width=512, variant="release")) == 14_206_681


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (48, 16), (24, 8), (6, 2), (7, 1)])
def test_groups_are_the_largest_that_divide(channels: int, groups: int) -> None:
    assert largest_group(channels) == groups


@pytest.mark.parametrize("channels", [8, 48])
def test_normalised_product_equals_two_group_norms(channels: int) -> None:
    query, key = torch.randn(2, channels, 5, 6) * 3 + 1, torch.randn(2, channels, 5, 6) - 2
    groups = largest_group(channels)
    norm = torch.nn.functional.group_norm
    expected = (norm(query, groups) * norm(key, groups)).sum(1, keepdim=True)
    torch.testing.assert_close(normalised_product(query, key, groups), expected, rtol=1e-4, atol=1e-4)


def test_unknown_networks_and_options_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="expected one of reclmis, tirnet, tmca"):
        create_network("unet")
    with pytest.raises(InputError, match="depth"):
        create_network("tirnet", depth=3)
    with pytest.raises(InputError, match="'default' or 'release'"):
        create_network("tirnet", variant="paper", text_width=TEXT_WIDTH)
