"""Winograd's products answer as the direct convolution, and are taken where they pay only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.inference import prepared_winograd
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_layers import Convolution, channels_last, fused_kernels
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.inference.prepared_winograd import Winograd, gain, transforms
from LMISCore.networks import create_network


def direct(x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor | None, activation: str) -> Tensor:
    """What is expected, in float64."""
    found = F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), padding=1)
    if other is not None:
        found = found + other
    return {"none": found, "relu": found.relu(), "gelu": F.gelu(found)}[activation].float()


def test_the_three_matrices_filter_any_signal_with_any_three_taps() -> None:
    torch.manual_seed(0)
    of_patch, of_filter, of_results = transforms()
    signal, taps = torch.randn(6, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    expected = torch.stack([(taps * signal[first : first + 3]).sum() for first in range(4)])
    torch.testing.assert_close(of_results @ ((of_filter @ taps) * (of_patch @ signal)), expected)


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
@pytest.mark.parametrize("size", [(1, 8, 8), (2, 13, 22), (1, 30, 4), (3, 5, 6), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("patches", [1, 7, 448])
def test_products_answer_as_the_direct_convolution_at_every_size(
    patches: int, size: tuple[int, int, int], activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_winograd, "PATCHES", patches)
    torch.manual_seed(1)
    batch, height, width = size
    x, weight, bias = torch.randn(batch, 5, height, width), torch.randn(7, 5, 3, 3), torch.randn(7)
    other = channels_last(torch.randn(batch, 7, height, width))
    layer = Winograd(weight)
    with torch.inference_mode():
        for given in (x, channels_last(x)):
            for its_bias, its_other in ((bias, None), (None, other), (bias, other), (None, None)):
                found = layer(given, its_bias, its_other, activation)
                assert found.is_contiguous(memory_format=torch.channels_last)
                expected = direct(x, weight, its_bias, its_other, activation)
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_map_that_asks_for_a_gradient_gets_its_values_without_one() -> None:
    torch.manual_seed(1)
    x, weight = torch.randn(1, 4, 9, 9, requires_grad=True), torch.randn(3, 4, 3, 3)
    found = Winograd(weight)(x, torch.ones(3), None, "relu")
    assert not found.requires_grad
    torch.testing.assert_close(found, direct(x.detach(), weight, torch.ones(3), None, "relu"), rtol=1e-4, atol=1e-4)


def test_rounding_stays_below_two_millionths_of_the_map() -> None:
    torch.manual_seed(2)
    x, weight = torch.randn(1, 256, 28, 28).relu(), torch.randn(64, 256, 3, 3) / (9 * 256) ** 0.5
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    with torch.inference_mode():
        found = Winograd(weight)(x, None, None, "none")
    assert (found - expected).pow(2).mean().sqrt() < 2e-6 * expected.pow(2).mean().sqrt()


def test_products_are_expected_to_pay_on_many_channels_and_not_on_small_maps_or_few_channels() -> None:
    assert gain(256, 256, 56, 56) > 1.8
    assert gain(512, 512, 28, 28) > gain(128, 128, 112, 112) > gain(64, 64, 224, 224)
    assert gain(512, 512, 14, 14) == 0
    assert gain(3, 64, 224, 224) < 1 and gain(1, 64, 224, 224) < 1


def layer_of(weight: Tensor, size: int, **options: Any) -> tuple[Convolution, Tensor]:
    layer = Convolution(weight, torch.zeros(weight.shape[0]), **options)
    x = channels_last(torch.randn(1, weight.shape[1], size, size, dtype=options.get("dtype", torch.float32)))
    with torch.inference_mode():
        layer(x)
    return layer, x


def test_a_convolution_takes_the_products_in_float32_where_they_pay_and_lets_its_weight_go() -> None:
    weight = torch.randn(128, 128, 3, 3)
    layer, x = layer_of(weight, 28)
    if not fused_kernels(torch.float32):
        assert layer.winograd is None
        return
    assert layer.winograd is not None and layer.weight is None and layer.packed is None
    with torch.inference_mode():
        # The way once chosen stays right for maps of another size.
        for size in (6, 40):
            other = torch.randn(2, 128, size, size)
            expected = F.conv2d(other, weight, padding=1)
            torch.testing.assert_close(layer(channels_last(other)), expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(layer(x), F.conv2d(x, weight, padding=1), rtol=1e-3, atol=1e-3)
    assert layer_of(weight, 14)[0].winograd is None
    assert layer_of(weight[:, :, :1, :1], 28)[0].winograd is None
    if fused_kernels(torch.bfloat16):
        assert layer_of(weight, 28, dtype=torch.bfloat16)[0].winograd is None


@pytest.mark.parametrize("name", ["reclmis", "tirnet"])
def test_a_network_told_so_takes_no_products_and_gives_the_same_logits(name: str) -> None:
    torch.manual_seed(3)
    network: Any = create_network(name, text_width=12, width=32).eval()
    image, states, mask = torch.rand(1, 3, 112, 112), torch.randn(1, 5, 12), torch.ones(1, 5, dtype=torch.bool)
    taken, logits = [], []
    for allowed in (False, True):
        copy: Any = prepare(network)
        assert isinstance(copy, PreparedNetwork)
        copy.use_winograd(allowed)
        with torch.inference_mode():
            logits.append(copy(image, states, mask).logits)
        taken.append(sum(isinstance(module, Winograd) for module in copy.modules()))
    assert taken[0] == 0 and (taken[1] > 0) == fused_kernels(torch.float32)
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-4, atol=1e-4)
