"""The written-out gradient of TIRNet's normalised product against PyTorch's own group normalisation."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.networks.normalised_product import group_moments, normalised_product


def maps(channels: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Query and key with means far from 0, and a weight of each pixel."""
    generator = torch.Generator().manual_seed(channels)
    query = torch.randn(2, channels, 9, 7, generator=generator, dtype=torch.float64) * 2 + 3
    key = torch.randn(2, channels, 9, 7, generator=generator, dtype=torch.float64) - 1
    weight = torch.randn(2, 1, 9, 7, generator=generator, dtype=torch.float64)
    return query.to(dtype).requires_grad_(), key.to(dtype).requires_grad_(), weight.to(dtype)


def plain(query: Tensor, key: Tensor, groups: int) -> Tensor:
    return (F.group_norm(query, groups) * F.group_norm(key, groups)).sum(1, keepdim=True)


@pytest.mark.parametrize(("channels", "groups"), [(32, 32), (64, 32), (12, 4), (5, 1)])
def test_value_and_gradients_are_those_of_group_normalisation(channels: int, groups: int) -> None:
    query, key, weight = maps(channels)
    expected, found = plain(query, key, groups), normalised_product(query, key, groups)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    wanted = torch.autograd.grad((expected * weight).sum(), (query, key))
    torch.testing.assert_close(torch.autograd.grad((found * weight).sum(), (query, key)), wanted, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_one_input_alone_is_the_same() -> None:
    query, key, weight = maps(32)
    both = torch.autograd.grad((normalised_product(query, key, 32) * weight).sum(), (query, key))
    for place in (0, 1):
        given = [query.detach(), key.detach()]
        given[place] = given[place].clone().requires_grad_()
        alone = torch.autograd.grad((normalised_product(given[0], given[1], 32) * weight).sum(), given[place])
        torch.testing.assert_close(alone[0], both[place])


def test_without_gradients_the_value_is_the_same() -> None:
    query, key, _ = maps(32)
    with torch.no_grad():
        torch.testing.assert_close(normalised_product(query, key, 32), plain(query, key, 32), rtol=1e-10, atol=1e-10)


def test_moments_in_bfloat16_are_those_of_the_rounded_values() -> None:
    rounded = maps(32, torch.bfloat16)[0].detach()
    for found, expected in zip(group_moments(rounded, 8), group_moments(rounded.float(), 8), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0.02, atol=1e-3)
