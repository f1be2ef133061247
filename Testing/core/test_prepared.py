"""Prepared networks answer as the networks they are made from, and each rewrite equals what it replaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from obedient import one_thread  # noqa: F401
from prepared_makers import SETTINGS, asked, built
from torch import Tensor, nn

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.inference.devices import DeviceChoice, PrecisionChoice
from LMISCore.inference.engine import Engine
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_layers import Convolution, folded, fused_kernels, spread
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.inference.prepared_reclmis import PreparedGate
from LMISCore.inference.prepared_tirnet import CentredProjection, _detail
from LMISCore.inference.slices import prepare_slices
from LMISCore.networks import create_network
from LMISCore.networks.reclmis_gate import PixelGate
from LMISCore.resources import resource
from LMISCore.text.states import TextStates
from LMISCore.volumes.files import read_volume

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_prepared_network_gives_the_networks_own_logits_and_maps(setting: str, batch: int, fused: bool) -> None:
    network, (image, states, mask) = built(setting), asked(batch)
    copy: Any = prepare(network)
    if isinstance(copy, PreparedNetwork):
        copy.use_fused(fused and fused_kernels(torch.float32))
    with torch.inference_mode():
        expected = network(image, states, mask)
        found = copy(image, states, mask)
    assert found.logits.shape == expected.logits.shape and expected.logits.std() > 1e-3
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    assert found.maps.keys() == expected.maps.keys()
    for name, values in found.maps.items():
        torch.testing.assert_close(values, expected.maps[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_sentence_gets_the_same_answer_alone_and_asked_of_a_batch(setting: str) -> None:
    network, (image, states, mask) = built(setting), asked(2)
    copy: Any = prepare(network)
    with torch.inference_mode():
        features = copy.encode_image(image)
        one = states[:1] if isinstance(copy, PreparedNetwork) else states[:1].expand(2, -1, -1)
        both = copy.decode(features, one, mask[:1].expand(len(one), -1)).logits
        for number in range(2):
            alone = copy.decode(features.rows(slice(number, number + 1)), states[:1], mask[:1]).logits
            torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("setting", SETTINGS)
def test_preparing_leaves_the_network_as_it_was(setting: str) -> None:
    network, (image, states, mask) = built(setting), asked(1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copy: Any = prepare(network)
    with torch.inference_mode():
        copy.decode(copy.encode_image(image), states, mask)
    after = network.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    own = {value.data_ptr() for value in after.values()}
    assert not [name for name, value in copy.state_dict().items() if value.data_ptr() in own]


def test_a_network_with_a_part_taken_out_has_no_prepared_copy() -> None:
    assert prepare(create_network("tirnet", width=4, text_width=4, cdcb=False)) is None
    assert prepare(create_network("tirnet", width=4, text_width=4, rtmb=False)) is None
    assert prepare(nn.Linear(2, 2)) is None


def test_a_sentence_is_read_once_however_many_slices_it_is_asked_of(monkeypatch: pytest.MonkeyPatch) -> None:
    network, (image, states, mask) = built("tirnet"), asked(1)
    copy: Any = prepare(network)
    read: list[Tensor] = []
    own = copy.read_text

    def watch(given: Tensor, its_mask: Tensor) -> Any:
        read.append(given)
        return own(given, its_mask)

    monkeypatch.setattr(copy, "read_text", watch)
    with torch.inference_mode():
        features = copy.encode_image(image)
        first = copy.decode(features, states, mask).logits
        torch.testing.assert_close(copy.decode(features, states, mask).logits, first)
        other = copy.decode(features, states.clone() * 2, mask).logits
    assert len(read) == 2 and not torch.equal(first, other)


def test_doubling_and_convolving_are_one_transposed_convolution() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 5, 6), torch.randn(4, 3, 3, 3)
    enlarged = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=1)
    torch.testing.assert_close(F.conv_transpose2d(x, spread(weight), stride=2, padding=1), enlarged)


def test_a_folded_convolution_does_what_convolution_and_normalisation_do() -> None:
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4).eval()
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.1, 2)
    x = torch.randn(1, 3, 6, 6)
    weight, bias = folded(convolution, norm)
    torch.testing.assert_close(F.conv2d(x, weight, bias, padding=1), norm(convolution(x)))


def test_detail_is_one_convolution_of_the_skip() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 3, 6, 7), torch.randn(4, 3, 1, 1)
    projected = F.conv2d(x, weight)
    detail = projected - F.avg_pool2d(projected, 3, stride=1, padding=1)
    torch.testing.assert_close(F.conv2d(x, _detail(weight), padding=1), detail)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_centred_projection_is_the_group_normalised_one(batch: int) -> None:
    torch.manual_seed(0)
    convolution, groups = nn.Conv2d(8, 8, 1, bias=False), 4
    x = torch.randn(batch, 8, 6, 7) + 5
    with torch.no_grad():
        found, scale = CentredProjection(convolution, groups, torch.float32)(
            x.contiguous(memory_format=torch.channels_last)
        )
        expected = F.group_norm(convolution(x), groups)
    torch.testing.assert_close(found * scale[:, :, None, None], expected, rtol=1e-4, atol=1e-4)


def test_a_gate_with_two_inputs_to_its_perceptron_is_the_gate_with_three() -> None:
    torch.manual_seed(0)
    gate, x = PixelGate(8), torch.randn(2, 8, 5, 6)
    with torch.no_grad():
        torch.testing.assert_close(PreparedGate(gate, torch.float32)(x), gate(x))
        rough = PreparedGate(gate, torch.bfloat16)(x.bfloat16().contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(rough, gate(x), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
@pytest.mark.parametrize("doubling", [False, True], ids=["same size", "doubling"])
def test_packed_convolutions_answer_as_the_plain_ones_at_every_size(doubling: bool, activation: Any) -> None:
    if not fused_kernels(torch.float32):
        assert not Convolution(torch.zeros(1, 1, 1, 1)).fused
        return
    torch.manual_seed(0)
    weight, bias = torch.randn(*((3, 8, 4, 4) if doubling else (8, 3, 3, 3))), torch.randn(8)
    packed, plain = (Convolution(weight, bias, activation, doubling=doubling) for _ in range(2))
    plain.fused = False
    for size in ((1, 3, 6, 6), (2, 3, 9, 5)):
        x = torch.randn(size).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            other = torch.randn_like(plain(x))
            torch.testing.assert_close(packed(x), plain(x), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(packed(x, other), plain(x, other), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(packed(x, other, bias * 2), plain(x, other, bias * 2), rtol=1e-4, atol=1e-4)
    assert packed.weight is None and packed.packed_bytes == weight.numel() * 4


def test_bundled_weights_mark_the_same_pixels_when_prepared() -> None:
    checkpoint = load_checkpoint(None)
    volume = read_volume(resource("sample", "chest_ct.nrrd"))
    pictures = prepare_slices(volume, checkpoint.card.image)
    batch = pictures.batch([pictures.count // 3, 2 * pictures.count // 3])
    torch.manual_seed(0)
    width = checkpoint.card.text_encoder["width"]
    texts = [TextStates(torch.randn(1, 9, width), torch.ones(1, 9, dtype=torch.bool)) for _ in range(3)]

    def masks(prepared: bool, dtype: torch.dtype | None) -> np.ndarray:
        precision = PrecisionChoice("", dtype, "")
        engine = Engine(
            load_checkpoint(None).network,
            DeviceChoice("cpu", ""),
            precision,
            checkpoint.card.image_size,
            prepared=prepared,
        )
        features = engine.features(batch)
        return np.stack([engine.probability(features, text).numpy() >= 0.5 for text in texts])

    expected = masks(False, None)
    assert 0.001 < expected.mean() < 0.999
    np.testing.assert_array_equal(masks(True, None), expected)
    assert (masks(True, torch.bfloat16) != expected).mean() < 0.001
