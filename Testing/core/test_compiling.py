"""``training.compile``: a compiled network learns what the plain one does, and where nothing compiles it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from training_makers import recipe, training_ground, weights  # noqa: F401

from LMISCore.errors import InputError
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network
from LMISCore.training import compiling
from LMISCore.training.compiling import compile_network, require_compiler
from LMISCore.training.parts import recomputes
from LMISCore.training.recipe import ImageRecipe, PairsRecipe, Recipe, TrainingRecipe
from LMISCore.training.trainer import Trainer, train

# As large as the batches below.
SOME = Recipe("some", image=ImageRecipe(size=(32, 32)), pairs=PairsRecipe(sentences=2))
PLAIN = replace(SOME, training=TrainingRecipe(batch=2))
COMPILED = replace(SOME, training=TrainingRecipe(batch=2, compile="always"))
SMALL: dict[str, dict[str, Any]] = {
    "tirnet": {"width": 4},
    "reclmis": {"width": 4, "layers": 1},
    "tmca": {"width": 8, "depths": [1, 1, 1, 1], "embedding": 8},
}


class Counting:
    """A compiler that runs a traced graph as it is, and counts graphs and their calls."""

    def __init__(self) -> None:
        self.graphs = self.calls = 0

    def __call__(self, graph: torch.fx.GraphModule, example: list[Any]) -> Any:
        self.graphs += 1

        def run(*given: Any) -> Any:
            self.calls += 1
            return graph.forward(*given)

        return run


@pytest.fixture(name="compiler")
def _compiler(monkeypatch: pytest.MonkeyPatch) -> Any:
    torch._dynamo.reset()
    counting = Counting()
    monkeypatch.setattr(compiling, "BACKEND", counting)
    yield counting
    torch._dynamo.reset()


def step(network: Any, name: str, tokens: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients of one batch of two pictures with two sentences each, in float64."""
    rng = torch.Generator().manual_seed(tokens)
    images = torch.rand(2, 3, 32, 32, generator=rng).double()
    states, mask = torch.randn(4, tokens, 16, generator=rng).double(), torch.ones(4, tokens, dtype=torch.bool)
    mask[1, 2:] = False
    truth = (torch.rand(4, 32, 32, generator=rng) > 0.5).double()
    network.zero_grad()
    output = network.decode(network.encode_image(images).repeat(2), states, mask, torch.Generator().manual_seed(5))
    total, _ = LOSSES[name]()(output, truth)
    total.backward()
    return total.detach(), {key: p.grad.clone() for key, p in network.named_parameters() if p.grad is not None}


def build(name: str) -> Any:
    torch.manual_seed(0)
    return create_network(name, text_width=16, **SMALL[name]).double().train()


@pytest.mark.parametrize("name", SMALL)
def test_a_compiled_network_has_the_same_loss_gradients_and_running_statistics(name: str, compiler: Counting) -> None:
    plain, compiled = build(name), build(name)
    names = list(compiled.state_dict())
    before = [value.clone() for value in compiled.state_dict().values()]
    compile_network(compiled, LOSSES[name](), COMPILED, None)
    # The check leaves nothing behind.
    assert all(torch.equal(a, b) for a, b in zip(compiled.state_dict().values(), before, strict=True))
    assert compiled.training and all(p.grad is None for p in compiled.parameters())
    for tokens in (6, 9, 4):
        loss, expected = step(plain, name, tokens)
        found, own = step(compiled, name, tokens)
        assert torch.allclose(found, loss, rtol=1e-12) and own.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(own[key], value, atol=1e-12, rtol=1e-8, msg=key)
    assert list(compiled.state_dict()) == names
    for (key, value), other in zip(plain.named_buffers(), compiled.buffers(), strict=True):
        torch.testing.assert_close(other, value, msg=key)
    # Each method is one graph, and those that read text another one for all further lengths.
    methods = len(compiled.traceable())
    assert methods < compiler.graphs <= 2 * methods
    # Once for the check.
    assert compiler.calls == 4 * methods


def test_never_leaves_the_network_as_it_is(compiler: Counting) -> None:
    network = build("tirnet")
    before = dict(vars(network))
    compile_network(network, LOSSES["tirnet"](), PLAIN, None)
    require_compiler(PLAIN, torch.device("cpu"))
    assert vars(network) == before and compiler.graphs == 0


def test_a_run_compiles_its_steps_and_keeps_plain_weights(ground: Path, tmp_path: Path, compiler: Counting) -> None:
    trainer = Trainer(recipe(ground, "training.compile=always"), tmp_path / "compiled", "cpu")
    tried = compiler.calls
    assert not trainer.answering.recompute
    trainer.run()
    # Two methods in each of six steps; Val, which asks the averaged weights, is not compiled. The check came before.
    assert compiler.calls == tried + 12
    train(recipe(ground), tmp_path / "plain", "cpu")
    expected = weights(tmp_path / "plain")
    for name, value in weights(tmp_path / "compiled").items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-4, msg=name)


def test_where_nothing_compiles_one_sentence_says_what_is_missing(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(graph: Any, example: Any) -> Any:
        raise RuntimeError("no compiler was found.\nTry something else.")

    torch._dynamo.reset()
    monkeypatch.setattr(compiling, "BACKEND", broken)
    with pytest.raises(InputError) as caught:
        Trainer(recipe(ground, "training.compile=always"), tmp_path, "cpu")
    said = str(caught.value)
    assert "PyTorch cannot compile for cpu" in said and "no compiler was found;" in said
    assert said.endswith("or set training.compile=never.") and "\n" not in said
    assert not list(tmp_path.iterdir())


def test_a_compiler_with_wrong_gradients_is_found_out(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(graph: torch.fx.GraphModule, example: list[Any]) -> Any:
        def half(value: Any) -> Any:
            fit = isinstance(value, Tensor) and value.requires_grad
            return value / 2 + (value / 2).detach() if fit else value

        # The same values with half of the gradient at each graph's end.
        return lambda *given: tuple(half(value) for value in graph.forward(*given))

    torch._dynamo.reset()
    monkeypatch.setattr(compiling, "BACKEND", wrong)
    with pytest.raises(InputError, match=r"gives \d+ of \d+ parameters \(such as .*\) other gradients than"):
        Trainer(recipe(ground, "training.compile=always"), tmp_path, "cpu")
    torch._dynamo.reset()


def test_what_is_to_be_made_again_is_the_compilers_to_decide(ground: Path) -> None:
    with pytest.raises(InputError, match=r"training\.recompute is always, expected auto or never beside"):
        recipe(ground, "training.compile=always", "training.recompute=always")
    reclmis = build("reclmis")
    assert recomputes(PLAIN.training, reclmis, torch.device("cpu"))
    assert not recomputes(COMPILED.training, reclmis, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_pytorchs_own_compiler_gives_the_same_gradients_or_is_refused(name: str) -> None:
    torch._dynamo.reset()
    plain, compiled = build(name), build(name)
    try:
        compile_network(compiled, LOSSES[name](), COMPILED, None)
    except InputError as error:
        # With PyTorch 2.13 on a processor TIRNet and TMCA; RecLMIS is right.
        assert name != "reclmis" and "other gradients than the network itself has" in str(error)
        return
    for tokens in (6, 9):
        (loss, expected), (found, own) = step(plain, name, tokens), step(compiled, name, tokens)
        assert torch.allclose(found, loss, rtol=1e-9)
        largest = max(float(value.abs().max()) for value in expected.values())
        for key, value in expected.items():
            torch.testing.assert_close(own[key], value, atol=1e-7 * largest, rtol=1e-5, msg=key)
