"""What every network must do; a network's test file inherits this class and names the network.

The suite knows only the common contract: image, token states and mask in, logits and maps out.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network, without_training_parts

TEXT_WIDTH = 12
# Of the largest gradient, in double precision.
ROUNDING = 1e-14


class NoDoubles(TorchFunctionMode):
    """Refuses doubles of a tensor and of all that comes of it until it is brought to the CPU, as Apple's devices do."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.there = [tensor]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        touched = any(each is known for each in (*args, *kwargs.values()) for known in self.there)
        doubled = func is Tensor.double or torch.float64 in (*args, *kwargs.values())
        if touched and doubled:
            raise TypeError("this device has no float64")
        found = func(*args, **kwargs)
        if func is Tensor.cpu:
            return found.clone()
        if touched and isinstance(found, Tensor):
            self.there.append(found)
        return found


class NetworkSuite:
    """Inherit and set ``name``; ``options`` keeps the network small."""

    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {"width": 4}

    def network(self, **more: Any) -> nn.Module:
        torch.manual_seed(0)
        return create_network(self.name, text_width=TEXT_WIDTH, **{**self.options, **more})

    def inputs(
        self, size: tuple[int, int] = (32, 48), batch: int = 2, tokens: int = 5
    ) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1)
        image = torch.rand(batch, 3, *size, generator=generator)
        states = torch.randn(batch, tokens, TEXT_WIDTH, generator=generator)
        mask = torch.ones(batch, tokens, dtype=torch.bool)
        mask[1:, tokens - 2 :] = False
        return image, states, mask

    def card(self, network: Any) -> Card:
        return Card(
            name="suite",
            network=self.name,
            network_options=network.options,
            text_encoder={"name": "none", "hash": "0" * 64, "width": TEXT_WIDTH, "length": 8},
            image={"size": [32, 32], "convention": "unit", "plane": "picture", "orientation": "", "colour": "grey"},
        )

    @pytest.mark.parametrize("size", [(32, 32), (32, 48), (33, 47), (16, 100)])
    def test_logits_and_maps_have_the_pictures_size_whatever_it_is(self, size: tuple[int, int]) -> None:
        with torch.no_grad():
            output = self.network().eval()(*self.inputs(size))
        assert output.logits.shape == (2, 1, *size)
        assert output.maps
        for value in output.maps.values():
            assert value.shape[:2] == (2, 1)
            assert torch.isfinite(value).all()

    def test_every_map_has_a_meaning(self) -> None:
        network = self.network().eval()
        with torch.no_grad():
            output = network(*self.inputs())
        meanings: Any = network.MAP_MEANINGS
        assert {name.rsplit("_", 1)[0] for name in output.maps} == set(meanings)

    def test_gradients_reach_every_trainable_parameter(self, device: torch.device) -> None:
        self.check_gradients(self.network().to(device).train())

    def check_gradients(self, network: nn.Module) -> None:
        """In one of four steps: what lies behind a gate that starts shut is reached once it opened.

        Batch normalisation goes by its kept statistics: its batch's own take away the bias before it, which is reached
        all the same as soon as the network answers. In double precision rounding errors cannot be taken for gradients.
        """
        assert self.unreached(network) == set()

    def unreached(self, network: nn.Module) -> set[str]:
        """Parameters that get no gradient."""
        network.double()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()
        first = next(network.parameters())
        image, states, mask = (x.to(first.device) for x in self.inputs(batch=4))
        image, states = image.double(), states.double()
        target = (image[:, 0] > 0.5).long()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        without = {name for name, _ in network.named_parameters()}
        for _ in range(4):
            total, _ = LOSSES[self.name]()(network(image, states, mask), target)
            optimiser.zero_grad()
            total.backward()
            largest = {n: float(p.grad.abs().max()) for n, p in network.named_parameters() if p.grad is not None}
            # What cancels out in exact arithmetic leaves rounding errors.
            without -= {name for name, size in largest.items() if size > ROUNDING * max(largest.values())}
            optimiser.step()
        return without

    def test_one_training_step_lowers_the_loss(self, device: torch.device) -> None:
        network = self.network().to(device).train()
        image, states, mask = (x.to(device) for x in self.inputs())
        target = (image[:, 0] > 0.5).long()
        loss = LOSSES[self.name]()
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        values = []
        for _ in range(8):
            total, _ = loss(network(image, states, mask), target)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            values.append(float(total.detach()))
        assert values[-1] < values[0]

    def test_same_input_gives_the_same_bits(self, device: torch.device) -> None:
        network = self.network().to(device).eval()
        inputs = [x.to(device) for x in self.inputs()]
        with torch.no_grad():
            assert torch.equal(network(*inputs).logits, network(*inputs).logits)

    def test_another_text_gives_another_mask(self) -> None:
        network = self.network().eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            right = network(image, states, mask).logits
            swapped = network(image, states.flip(0), mask).logits
        assert not torch.allclose(right, swapped, atol=1e-5)

    def test_a_picture_is_answered_alike_whatever_stands_beside_it(self, device: torch.device) -> None:
        network = self.network().to(device).eval()
        image, states, mask = (x.to(device) for x in self.inputs(batch=3))
        with torch.no_grad():
            alone = network(image[1:2], states[1:2], mask[1:2]).logits
            torch.testing.assert_close(network(image, states, mask).logits[1:2], alone)

    def test_red_and_blue_are_told_apart(self) -> None:
        network = self.network().eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            coloured, swapped = network(image, states, mask).logits, network(image.flip(1), states, mask).logits
        assert not torch.allclose(coloured, swapped, atol=1e-5)

    def test_every_network_is_called_alike(self) -> None:
        network: Any = self.network().train()
        found = inspect.signature(network.forward).parameters
        assert list(found) == ["image", "text_states", "text_mask", "generator"]
        assert found["generator"].default is None
        image, states, mask = self.inputs()
        first, again = (network(image, states, mask, torch.Generator().manual_seed(1)).logits for _ in range(2))
        assert torch.equal(first, again)

    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-3), (torch.bfloat16, 0.2)])
    def test_it_works_in_other_precisions(self, dtype: torch.dtype, tolerance: float) -> None:
        network = self.network()
        image, states, mask = self.inputs()
        with torch.no_grad():
            expected = network.eval()(image, states, mask).logits
            found = network.to(dtype)(image.to(dtype), states.to(dtype), mask).logits
        assert found.dtype == dtype
        assert float((found.float() - expected).abs().max()) < tolerance * float(expected.abs().max() + 1)
        total, _ = LOSSES[self.name]()(network.train()(image.to(dtype), states.to(dtype), mask), image[:, 0] > 0.5)
        total.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)

    def test_text_is_measured_without_double_precision_on_the_device(self) -> None:
        network: Any = self.network()
        _, states, mask = self.inputs(batch=6)
        with NoDoubles(states):
            network.fit_text(states, mask)

    def test_numbered_maps_say_what_the_number_is(self) -> None:
        network: Any = self.network()
        assert "3" in network.MAP_NUMBER.format(3)
        assert len(network.MAP_NUMBER) <= 60

    def test_padding_does_not_change_the_logits(self, device: torch.device) -> None:
        network = self.network().to(device).eval()
        image, states, mask = (x.to(device) for x in self.inputs())
        noise = torch.randn(2, 4, TEXT_WIDTH, generator=torch.Generator().manual_seed(3)).to(device)
        none = torch.zeros(2, 4, dtype=torch.bool, device=device)
        longer = torch.cat([states, noise], dim=1), torch.cat([mask, none], dim=1)
        with torch.no_grad():
            torch.testing.assert_close(network(image, *longer).logits, network(image, states, mask).logits)

    def test_features_are_computed_once_and_shared_by_sentences(self, device: torch.device) -> None:
        network: Any = self.network().to(device).eval()
        image, states, mask = (x.to(device) for x in self.inputs())
        with torch.no_grad():
            features = network.encode_image(image[:1])
            for row in range(2):
                apart = network(image[:1], states[row : row + 1], mask[row : row + 1]).logits
                torch.testing.assert_close(
                    network.decode(features, states[row : row + 1], mask[row : row + 1]).logits, apart
                )
            together = network.decode(features.repeat(2), states, mask).logits
            apart = network(image[:1].repeat(2, 1, 1, 1), states, mask).logits
        torch.testing.assert_close(together, apart)

    def test_weights_survive_saving(self, tmp_path: Path) -> None:
        network: Any = self.network().eval()
        save_checkpoint(tmp_path / "weights.safetensors", network, self.card(network))
        loaded = load_checkpoint(tmp_path / "weights.safetensors").network
        with torch.no_grad():
            assert torch.equal(loaded(*self.inputs()).logits, network(*self.inputs()).logits)

    def test_what_only_training_needs_can_be_left_out(self, device: torch.device, tmp_path: Path) -> None:
        network: Any = self.network().to(device).eval()
        stripped: Any = without_training_parts(network)
        inputs = [x.to(device) for x in self.inputs()]
        with torch.no_grad():
            assert torch.equal(stripped(*inputs).logits, network(*inputs).logits)
        save_checkpoint(tmp_path / "weights.safetensors", stripped, self.card(stripped))
        loaded = load_checkpoint(tmp_path / "weights.safetensors").network
        assert loaded.state_dict().keys() == stripped.state_dict().keys() <= network.state_dict().keys()
        assert self.reached_by_an_answer(stripped) == {name for name, _ in stripped.named_parameters()}

    def reached_by_an_answer(self, network: Any) -> set[str]:
        """Parameters on which the logits of an answer depend."""
        names, weights = zip(*network.named_parameters(), strict=True)
        inputs = [x.to(weights[0].device) for x in self.inputs()]
        found = torch.autograd.grad(network.eval()(*inputs).logits.sum(), weights, allow_unused=True)
        return {name for name, gradient in zip(names, found, strict=True) if gradient is not None}

    def test_a_training_step_under_autocast_stays_finite(self, device: torch.device) -> None:
        network = self.network().to(device).train()
        image, states, mask = (x.to(device) for x in self.inputs())
        with torch.autocast(device.type, dtype=torch.bfloat16):
            output = network(image, states, mask)
        total, _ = LOSSES[self.name]()(output, (image[:, 0] > 0.5).long())
        total.backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)

    def test_autocast_stays_close(self, device: torch.device) -> None:
        network = self.network().to(device).eval()
        inputs = [x.to(device) for x in self.inputs()]
        with torch.no_grad():
            exact = network(*inputs).logits
            with torch.autocast(device.type, dtype=torch.bfloat16):
                rough = network(*inputs).logits
        assert float((rough.float() - exact).abs().max()) < 0.1 * float(exact.abs().max() + 1)

    def test_it_can_be_exported(self) -> None:
        network = self.network().eval()
        inputs = self.inputs((32, 32))
        exported = torch.export.export(network, inputs)
        with torch.no_grad():
            torch.testing.assert_close(exported.module()(*inputs).logits, network(*inputs).logits)

    def test_wrong_shapes_are_named(self) -> None:
        network = self.network().eval()
        image, states, mask = self.inputs()
        with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\)"):
            network(image[:, :1], states, mask)
        with pytest.raises(ValueError, match=f"expected \\(B, L, {TEXT_WIDTH}\\)"):
            network(image, states[..., :3], mask)
        with pytest.raises(ValueError, match="as many images as sentences"):
            network(image[:1], states, mask)
