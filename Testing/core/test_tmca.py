"""TMCA: the common suite, its three parts and their switches, and what makes it obey words of place."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from network_suite import TEXT_WIDTH, NetworkSuite
from torch import nn

from LMISCore.losses import LOSSES
from LMISCore.losses.tmca import TMCALoss
from LMISCore.networks import without_training_parts

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

    def fitted(self) -> tuple[Any, Any]:
        """A network in training that has measured some sentences, and what it gives its loss."""
        network: Any = self.network().train()
        image, states, mask = self.inputs()
        network.fit_text(states * 3 + 2, mask)
        return network, network(image, states, mask).intermediates

    def test_what_is_compared_by_meaning_lacks_the_training_sentences_mean(self) -> None:
        _, found = self.fitted()
        _, states, mask = self.inputs()
        means = torch.stack([states[row, mask[row]].mean(0) for row in range(2)])
        trained = means * 3 + 2
        torch.testing.assert_close(found["semantic"], means - trained.mean(0))

    def test_sentences_are_scaled_before_they_meet_the_image(self) -> None:
        network, found = self.fitted()
        _, states, mask = self.inputs()
        means = torch.stack([states[row, mask[row]].mean(0) for row in range(2)])
        trained = means * 3 + 2
        scaled = (means - trained.mean(0)) / trained.std(0, correction=0)
        for level in range(4):
            expected = nn.functional.normalize(network.shared.text[level](scaled), dim=1)
            torch.testing.assert_close(found[f"sentence_{level}"], expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("log", "clamped", "gradient"), [(3.0, 0.5, 1.0), (-9.0, 0.01, -1.0)])
    def test_the_temperature_keeps_its_range_and_can_return(self, log: float, clamped: float, gradient: float) -> None:
        network: Any = self.network().train()
        with torch.no_grad():
            network.log_temperature.fill_(log)
        found = network(*self.inputs()).intermediates["temperature"]
        assert float(found.detach()) == pytest.approx(clamped)
        # A step against this gradient leads back, one against the opposite would lead further out.
        for sign, moves in ((gradient, True), (-gradient, False)):
            (back,) = torch.autograd.grad(sign * found, network.log_temperature, retain_graph=True)
            assert bool(back * sign > 0) == moves

    def test_there_is_nothing_to_strip_twice(self) -> None:
        stripped: Any = without_training_parts(self.network())
        assert stripped.options["auxiliary"] is False and stripped.stripped() is stripped
        plain: Any = self.network(alignment=False)
        assert plain.stripped() is plain

    def test_a_maps_number_is_the_image_level_it_was_found_at(self) -> None:
        network: Any = self.network().eval()
        with torch.no_grad():
            maps = network(*self.inputs((64, 64))).maps
        assert [maps[f"focus_{level}"].shape[-1] for level in (1, 2, 3, 4)] == [16, 8, 4, 2]
        assert network.MAP_NUMBER.format(4) == "image level 4 of 4, the finest first"


def test_the_loss_starts_from_the_weights_of_our_reading() -> None:
    loss = TMCALoss()
    assert (loss.segmentation, loss.alignment, loss.softness, loss.sentence_share) == (1, 0.1, 0.5, 0.5)
