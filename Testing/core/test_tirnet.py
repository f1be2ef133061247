"""TIRNet: the common suite, and what only it has."""

from __future__ import annotations

import pytest
import torch
from network_suite import TEXT_WIDTH, NetworkSuite

from LMISCore.errors import InputError
from LMISCore.networks import TIRNet, create_network
from LMISCore.networks.blocks import count_parameters, largest_group
from LMISCore.networks.tirnet import normalised_product


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
                assert 0 <= float(value.min()) and float(value.max()) <= 1, name
            else:
                assert float(value.abs().max()) <= 10 + 1e-4


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
    with pytest.raises(InputError, match="expected one of tirnet"):
        create_network("unet")
    with pytest.raises(InputError, match="depth"):
        create_network("tirnet", depth=3)
    with pytest.raises(InputError, match="'default' or 'release'"):
        create_network("tirnet", variant="paper", text_width=TEXT_WIDTH)
