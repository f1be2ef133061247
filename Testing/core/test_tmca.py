"""TMCA: the common suite, its three parts and their switches, and what makes it obey words of place."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from network_suite import TEXT_WIDTH, NetworkSuite

from LMISCore.errors import InputError
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network, without_training_parts

PARTS = ("semantic_distance", "alignment", "enhancement")


class TestTMCA(NetworkSuite):
    name = "tmca"
    options: ClassVar[dict[str, Any]] = {"width": 8, "depths": [1, 1, 1, 1], "embedding": 8}

    @pytest.mark.parametrize("part", PARTS)
    def test_each_part_can_be_switched_off_and_leaves_no_idle_weights(self, part: str) -> None:
        network: Any = self.network(**{part: False}).train()
        self.check_gradients(network)
        stripped: Any = without_training_parts(network)
        assert self.reached_by_an_answer(stripped) == {name for name, _ in stripped.named_parameters()}
        assert network.options[part] is False

    def test_the_switches_take_out_what_they_name(self) -> None:
        image, states, mask = self.inputs()
        outputs = {part: self.network(**{part: False}).train()(image, states, mask) for part in PARTS}
        assert "semantic" not in outputs["semantic_distance"].intermediates
        assert "temperature" in outputs["semantic_distance"].intermediates
        assert outputs["alignment"].intermediates == {}
        assert outputs["alignment"].maps
        assert outputs["enhancement"].maps == {}
        loss = LOSSES["tmca"]()
        target = (image[:, 0] > 0.5).long()
        assert float(loss(outputs["alignment"], target)[1]["alignment"]) == 0
        assert float(loss(outputs["enhancement"], target)[1]["alignment"].detach()) > 0

    def test_answers_carry_nothing_for_the_loss(self) -> None:
        network = self.network()
        assert network.eval()(*self.inputs()).intermediates == {}
        assert without_training_parts(network).train()(*self.inputs()).intermediates == {}

    def test_the_enhancement_starts_without_effect_and_learns(self) -> None:
        network: Any = self.network().eval()
        without: Any = self.network(enhancement=False).eval()
        without.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("enhancement")})
        inputs = self.inputs()
        with torch.no_grad():
            torch.testing.assert_close(network(*inputs).logits, without(*inputs).logits)
            before = network(*inputs).logits
            for part in network.enhancement:
                part.strength.fill_(1.0)
            assert not torch.allclose(network(*inputs).logits, before, atol=1e-4)

    def test_focus_is_the_sigmoid_of_the_scaled_cosine(self) -> None:
        network: Any = self.network().eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            output = network(image, states, mask)
            features = network.encode_image(image).levels[1]
            real = torch.stack([states[row, mask[row]].mean(0) for row in range(2)])
            text = network.shared.text[1](real)
            pixels = network.shared.image[1](features.permute(0, 2, 3, 1))
            cosine = torch.cosine_similarity(pixels, text[:, None, None, :], dim=-1)
        torch.testing.assert_close(output.maps["focus_2"][:, 0], (10 * cosine).sigmoid(), atol=1e-3, rtol=1e-3)

    def test_scaling_by_the_training_sentences_sets_nearly_equal_sentences_apart(self, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(2)
        # As sentence encoders do: a large part that all sentences share, a small one that tells them apart.
        states = (torch.randn(1, 1, TEXT_WIDTH, generator=generator) * 5).repeat(40, 4, 1)
        states = (states + 0.1 * torch.randn(40, 1, TEXT_WIDTH, generator=generator)).to(device)
        mask = torch.ones(40, 4, dtype=torch.bool, device=device)
        image = self.inputs()[0][:1].to(device)

        def difference(network: Any) -> float:
            with torch.no_grad():
                left, right = (network(image, states[row : row + 1], mask[row : row + 1]).logits for row in (0, 1))
            return float((left - right).abs().max())

        fitted, plain = (self.network(text_scale=scale).to(device).eval() for scale in ("fitted", "none"))
        before = difference(fitted)
        for network in (fitted, plain):
            network.fit_text(states, mask)  # type: ignore[operator]
        assert difference(fitted) > 5 * before
        assert difference(plain) == pytest.approx(before, rel=1e-4)

    def test_pixels_that_look_alike_differ_only_where_position_is_known(self) -> None:
        image = torch.full((1, 3, 256, 256), 0.5)
        for position in (False, True):
            network: Any = self.network(position=position).eval()
            with torch.no_grad():
                row = network.encode_image(image).levels[0][0, :, 32]
            # Far from the border, where no convolution sees the zeros beyond it.
            apart = float((row[:, 24] - row[:, 40]).abs().max())
            assert (apart > 0.1) == position

    def test_a_sentence_without_tokens_says_nothing(self) -> None:
        network = self.network().eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            silent = network(image, states, torch.zeros_like(mask)).logits
            torch.testing.assert_close(network(image, states.flip(0), torch.zeros_like(mask)).logits, silent)
        assert torch.isfinite(silent).all()

    @pytest.mark.parametrize("value", [float("inf"), float("nan")])
    def test_padding_may_hold_anything(self, value: float) -> None:
        network = self.network().eval()
        image, states, mask = self.inputs()
        with torch.no_grad():
            spoilt = network(image, states.masked_fill(~mask.unsqueeze(-1), value), mask).logits
            torch.testing.assert_close(spoilt, network(image, states, mask).logits)


def test_options_that_cannot_be_are_refused_in_one_sentence() -> None:
    for options in ({"depths": [1, 1]}, {"depths": [1, 1, 1, 0]}, {"text_scale": "often"}, {"width": 0}):
        with pytest.raises(InputError, match=r"'tmca' cannot be built .*expected"):
            create_network("tmca", text_width=TEXT_WIDTH, **options)
