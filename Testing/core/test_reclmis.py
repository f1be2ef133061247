"""RecLMIS: the common suite, and what only it has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_suite import TEXT_WIDTH, NetworkSuite
from torch import nn

from LMISCore.errors import InputError
from LMISCore.losses.reclmis import RecLMISLoss, auxiliary_terms
from LMISCore.networks import RecLMIS, create_network
from LMISCore.networks.blocks import count_parameters
from LMISCore.networks.reclmis import MENDED
from LMISCore.networks.reclmis_gate import GatedStage


class TestRecLMIS(NetworkSuite):
    name = "reclmis"

    def compared(self, network: Any, seed: int = 0, **changes: Any) -> dict[str, torch.Tensor]:
        """What the loss reads, for the suite's inputs."""
        image, states, mask = self.inputs(**changes)
        generator = torch.Generator().manual_seed(seed)
        output = network.train().decode(network.encode_image(image), states, mask, generator)
        found: dict[str, torch.Tensor] = output.intermediates
        return found

    def test_released_variant_lets_padding_take_part(self) -> None:
        for variant, takes_part in (("release", True), ("default", False)):
            network: Any = self.network(variant=variant).eval()
            image, states, mask = self.inputs()
            other = states.masked_fill(~mask.unsqueeze(-1), 30.0)
            with torch.no_grad():
                deepest = network.encode_image(image).levels[4]
                right, changed = (network.join(deepest, words, mask)[0].patches for words in (states, other))
            assert torch.equal(right[0], changed[0])
            assert torch.equal(right[1], changed[1]) != takes_part

    @pytest.mark.parametrize("name", sorted(MENDED))
    def test_each_mended_defect_has_a_switch_of_its_own(self, name: str) -> None:
        ours, theirs = MENDED[name]
        own: Any = self.network()
        released: Any = self.network(variant="release")
        assert (own.options[name], released.options[name]) == (ours, theirs)
        mixed: Any = self.network(**{name: theirs})
        assert {key for key in MENDED if mixed.options[key] != own.options[key]} == {name}
        with pytest.raises(InputError, match=f"{name} is 'other', expected '{ours}' or '{theirs}'"):
            self.network(**{name: "other"})

    def test_without_residuals_all_patches_start_nearly_alike(self) -> None:
        spread = {}
        for interactor in ("residual", "plain"):
            network: Any = self.network(interactor=interactor, position="zeros").eval()
            # With the batch's own statistics, as in the first training step.
            network.encoder.train()
            image, states, mask = self.inputs()
            with torch.no_grad():
                tokens, _ = network.join(network.encode_image(image).levels[4], states, mask)
            spread[interactor] = float(tokens.patches.std(1).mean() / tokens.patches.std())
        assert spread["plain"] < 0.05 < 0.2 < spread["residual"]

    def test_a_bias_that_cancels_in_the_softmax_is_noticed(self) -> None:
        found = self.unreached(self.network(variant="release").train())
        assert {name for name in found if "interest" in name} == {
            "auxiliary.word_interest.score.bias",
            "auxiliary.patch_interest.score.bias",
        }

    def test_the_image_target_gets_a_gradient_only_in_the_release(self) -> None:
        for target, moves in (("detached", False), ("moving", True)):
            found = self.compared(self.network(target=target))
            assert found["image_target"].requires_grad == moves
            assert found["image_rebuilt"].requires_grad and not found["text_target"].requires_grad

    def test_contrast_weights_pass_a_second_softmax_only_in_the_release(self) -> None:
        once = self.compared(self.network())
        twice = self.compared(self.network(contrast_weights="twice"))
        for name in ("word_weights", "patch_weights"):
            torch.testing.assert_close(twice[name], once[name].softmax(-1))
        padded = (once["word_weights"][1, 3:].detach(), twice["word_weights"][1, 3:].detach())
        assert float(padded[0].sum()) == 0 < float(padded[1].sum())

    def test_equal_sentences_and_equal_images_are_no_negatives(self) -> None:
        network: Any = self.network().train()
        image, states, mask = self.inputs(batch=4)
        mask[:] = True
        states[2] = states[0]
        image[3] = image[1]
        left_out = network(image, states, mask).intermediates["left_out"]
        assert left_out.nonzero().tolist() == [[0, 2], [1, 3], [2, 0], [3, 1]]
        network = self.network(repeats="negatives").train()
        assert not network(image, states, mask).intermediates["left_out"].any()

    @pytest.mark.parametrize("train", [False, True])
    def test_padding_changes_no_auxiliary_loss(self, train: bool) -> None:
        image, states, mask = self.inputs(batch=3)
        noise = torch.randn(3, 3, TEXT_WIDTH, generator=torch.Generator().manual_seed(3))
        longer = torch.cat([states, noise], 1), torch.cat([mask, torch.zeros(3, 3) > 0], 1)
        terms = []
        for words, real in ((states, mask), longer):
            network: Any = self.network().train(train)
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            hidden, patches = torch.zeros(real.shape, dtype=torch.bool), torch.zeros(3, 6, dtype=torch.bool)
            hidden[:, 1] = patches[:, 2] = True
            with torch.no_grad():
                tokens, _ = network.join(network.encode_image(image).levels[4], words, real)
                found = network.auxiliary(tokens, hidden_words=hidden, hidden_patches=patches)
            terms.append(auxiliary_terms(found) | {"mean": network.auxiliary.mixer.norm.running_mean})
        assert terms[0].keys() == {"contrastive", "text", "image", "mean"}
        for name, value in terms[0].items():
            torch.testing.assert_close(terms[1][name], value, msg=name)

    def test_all_that_training_draws_follows_the_generator(self, device: torch.device) -> None:
        network: Any = self.network(interest_dropout=0.5).to(device).train()
        inputs = [x.to(device) for x in self.inputs()]
        states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
        found = []
        for seed in (1, 1, 2):
            # The statistics that batch normalisation keeps do not enter a training step's result.
            generator = torch.Generator(device).manual_seed(seed)
            found.append(network(*inputs, generator))
        first, same, other = found
        assert torch.equal(first.logits, same.logits) and not torch.equal(first.logits, other.logits)
        for name, value in first.intermediates.items():
            assert torch.equal(value, same.intermediates[name]), name
        assert not torch.equal(first.intermediates["text_rebuilt"], other.intermediates["text_rebuilt"])
        for before, after in zip(states, [torch.get_rng_state(), *torch.cuda.get_rng_state_all()], strict=True):
            assert torch.equal(before, after)

    def test_the_training_only_half_is_run_in_training_alone(self) -> None:
        network: Any = self.network()
        calls = []
        network.auxiliary.register_forward_hook(lambda *_: calls.append(1))
        assert network.eval()(*self.inputs()).intermediates == {} and calls == []
        assert network.train()(*self.inputs()).intermediates and calls == [1]

    def test_stripping_keeps_the_logits_and_drops_the_half(self) -> None:
        network: Any = self.network().eval()
        stripped = network.stripped()
        with torch.no_grad():
            assert torch.equal(stripped(*self.inputs()).logits, network(*self.inputs()).logits)
        assert not [name for name in stripped.state_dict() if name.startswith("auxiliary")]
        assert stripped.options == {**network.options, "auxiliary": False}
        assert stripped.stripped() is stripped and network.auxiliary is not None

    def test_training_without_the_half_must_be_said(self) -> None:
        network: Any = self.network(auxiliary=False).train()
        output = network(*self.inputs())
        with pytest.raises(InputError, match=r"set loss.contrastive, loss.text and loss.image to 0"):
            RecLMISLoss()(output, torch.zeros(2, 32, 48))
        total, terms = RecLMISLoss(contrastive=0, text=0, image=0)(output, torch.zeros(2, 32, 48))
        assert set(terms) == {"segmentation"} and torch.equal(total, 5 * terms["segmentation"])

    def test_a_learned_scale_starts_at_clips_and_stays_below_100(self) -> None:
        network: Any = self.network(contrast_scale="learned")
        assert float(self.compared(network)["scale"].detach()) == pytest.approx(1 / 0.07, rel=1e-5)
        with torch.no_grad():
            network.auxiliary.log_scale.fill_(9.0)
        assert float(self.compared(network)["scale"].detach()) == 100
        assert float(self.compared(self.network())["scale"]) == 100

    def test_token_states_are_scaled_by_the_training_sentences(self) -> None:
        network: Any = self.network()
        states = torch.randn(50, 6, TEXT_WIDTH, generator=torch.Generator().manual_seed(3)) * 4 + 7
        states[..., 2] = 5.0
        mask = torch.ones(50, 6, dtype=torch.bool)
        mask[:, 4:] = False
        network.fit_text(states, mask)
        scaled = network.text_scaling(states)[mask]
        varied = [column for column in range(TEXT_WIDTH) if column != 2]
        torch.testing.assert_close(scaled.mean(0)[varied], torch.zeros(len(varied)), atol=1e-4, rtol=0)
        torch.testing.assert_close(scaled.std(0, correction=0)[varied], torch.ones(len(varied)), atol=1e-4, rtol=0)
        assert float(scaled[:, 2].unique()) == 5.0


def test_the_published_width_has_the_published_numbers_of_parameters() -> None:
    with torch.device("meta"):
        assert count_parameters(RecLMIS(variant="release")) == 60_677_951
        assert count_parameters(RecLMIS(variant="release", auxiliary=False)) == 17_305_917
        assert count_parameters(RecLMIS(variant="release", layers=3)) < 60_677_951


def test_a_prepared_skip_is_equal_to_joining_gated_skip_and_enlarged_map() -> None:
    torch.manual_seed(0)
    stage = GatedStage(4, 6).eval()
    skip, deep = torch.randn(2, 4, 8, 6), torch.randn(2, 4, 4, 3)
    with torch.no_grad():
        part, gate = stage.prepare(skip)
        joined = torch.cat([skip * gate, torch.nn.functional.interpolate(deep, scale_factor=2)], dim=1)
        torch.testing.assert_close(stage(deep, part), stage.second(stage.first(joined)))


@pytest.mark.parametrize("name", ["hide_words", "hide_patches"])
def test_shares_outside_0_to_1_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 1.5, expected a share from 0 to 1"):
        create_network("reclmis", width=4, text_width=TEXT_WIDTH, **{name: 1.5})
