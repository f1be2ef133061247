"""Maps that are made again on the way back: the same values and gradients, and less that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.losses import LOSSES
from LMISCore.networks import create_network, recompute
from LMISCore.networks.recompute import recomputable, recomputing
from LMISCore.networks.sparing import max_pool, norm_relu, rectified_maximum, rectified_mean
from LMISCore.training.parts import recomputes
from LMISCore.training.recipe import TrainingRecipe

NETWORKS = [("reclmis", "default"), ("reclmis", "release"), ("tirnet", "default"), ("tirnet", "release")]


def loss_of(
    name: str, variant: str, again: bool, dtype: torch.dtype | None = None, side: int = 32
) -> tuple[Tensor, Any]:
    """One training loss of a small network with drawn weights and inputs, and the network."""
    torch.manual_seed(0)
    network: Any = create_network(name, width=8, text_width=16, variant=variant).train()
    rng = torch.Generator().manual_seed(1)
    given = torch.rand(3, 3, side, 48, generator=rng), torch.randn(3, 6, 16, generator=rng)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = False
    truth = (torch.rand(3, side, 48, generator=rng) > 0.5).float()
    if dtype is None:
        network, given, truth = network.double(), (given[0].double(), given[1].double()), truth.double()
    with recomputing(again):
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            output = network(*given, mask, torch.Generator().manual_seed(5))
        total, _ = LOSSES[name]()(output, truth)
    return total, network


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.grad for name, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize(("name", "variant"), NETWORKS)
def test_gradients_and_running_statistics_are_those_of_kept_maps(name: str, variant: str) -> None:
    kept, plain = loss_of(name, variant, again=False)
    found, sparing = loss_of(name, variant, again=True)
    assert torch.equal(kept, found)
    kept.backward()
    found.backward()
    expected, own = gradients(plain), gradients(sparing)
    assert expected.keys() == own.keys() and len(own) > 40
    for key, value in expected.items():
        torch.testing.assert_close(own[key], value, atol=1e-12, rtol=1e-9, msg=key)
    for (key, value), other in zip(plain.named_buffers(), sparing.buffers(), strict=True):
        torch.testing.assert_close(other, value, atol=1e-12, rtol=1e-9, msg=key)


@pytest.mark.parametrize("name", ["reclmis", "tirnet"])
def test_in_bfloat16_gradients_differ_by_rounding_alone(name: str) -> None:
    kept, plain = loss_of(name, "release", again=False, dtype=torch.bfloat16)
    found, sparing = loss_of(name, "release", again=True, dtype=torch.bfloat16)
    kept.backward()
    found.backward()
    expected, own = (torch.cat([g.flatten() for g in gradients(n).values()]) for n in (plain, sparing))
    assert float((own - expected).norm() / expected.norm()) < 2e-2
    assert float(F.cosine_similarity(own, expected, dim=0)) > 0.9998


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Bytes that autograd is given to keep, each piece of memory once."""
    pieces: dict[int, tuple[int, Tensor]] = {}

    def note(kept: Any) -> Any:
        if isinstance(kept, Tensor):
            memory = kept.untyped_storage()
            pieces[memory.data_ptr()] = memory.nbytes(), kept
        return kept

    real = recompute._Keeper.pack
    with monkeypatch.context() as patch:
        patch.setattr(recompute._Keeper, "pack", lambda self, tensor: note(real(self, tensor)))
        with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
            yield lambda: sum(size for size, _ in pieces.values())


@pytest.mark.parametrize(("name", "share"), [("reclmis", 0.65), ("tirnet", 0.75)])
def test_much_less_is_kept(name: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for again in (False, True):
        with counting(monkeypatch) as size:
            loss_of(name, "release", again, torch.bfloat16, side=256)
            found[again] = size()
    assert found[True] < share * found[False]


def with_ties(*shape: int) -> Tensor:
    """Few different values, so that maxima are shared and some are exactly 0."""
    values = torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(0))
    return values.double().requires_grad_()


@pytest.mark.parametrize(
    ("own", "plain"),
    [
        (max_pool, lambda x: F.max_pool2d(x, 2)),
        (rectified_mean, lambda x: F.relu(x).mean(1)),
        (rectified_maximum, lambda x: F.relu(x.amax(1))),
    ],
)
def test_each_operation_has_pytorchs_values_and_gradients(
    own: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor]
) -> None:
    x, y = with_ties(2, 5, 6, 8), with_ties(2, 5, 6, 8)
    with recomputing():
        found = own(x)
    expected = plain(y)
    assert torch.equal(found, expected)
    weight = torch.randn(expected.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    assert x.grad is not None and y.grad is not None
    torch.testing.assert_close(x.grad, y.grad)


def test_normalisation_with_relu_passes_the_numerical_check_of_gradients() -> None:
    norm = nn.BatchNorm2d(3).double()
    nn.init.constant_(norm.bias, 0.1)
    x = torch.randn(4, 3, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def squared(x: Tensor) -> Tensor:
        with recomputing():
            # The square keeps the map itself, which is then made again.
            return norm_relu(norm, x).square()

    assert torch.autograd.gradcheck(squared, (x,))


def test_maps_are_made_again_where_that_was_measured_to_save_memory_or_where_it_is_asked() -> None:
    reclmis, tirnet = (create_network(name, width=8, text_width=16) for name in ("reclmis", "tirnet"))
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    auto, always, never = (TrainingRecipe(recompute=wish) for wish in ("auto", "always", "never"))
    assert recomputes(auto, reclmis, cpu) and not recomputes(never, reclmis, cpu)
    assert not recomputes(auto, tirnet, cpu) and not recomputes(auto, reclmis, cuda)
    assert recomputes(always, tirnet, cpu) and recomputes(always, reclmis, cuda)


def test_outside_nothing_is_made_again() -> None:
    made = []

    def double(x: Tensor) -> Tensor:
        made.append(x)
        return 2 * x

    for again, times in ((False, 0), (True, 1)):
        x = torch.ones(3, requires_grad=True)
        with recomputing(again):
            recomputable(double(x), double, x).square().sum().backward()
        assert len(made) == 1 + times
        assert x.grad is not None and x.grad.tolist() == [8, 8, 8]
        made.clear()


def test_a_source_that_was_changed_since_is_noticed() -> None:
    x = torch.ones(3, requires_grad=True)
    source = x + 1
    with recomputing():
        total = recomputable(source.sigmoid(), torch.sigmoid, source).square().sum()
    source.detach().add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        total.backward()


def test_a_map_that_took_another_ones_memory_is_kept_as_it_is() -> None:
    x = torch.full((1000,), 3.0, requires_grad=True)
    with recomputing():
        gone = recomputable(x * 2, lambda x: x * 2, x)
        place = gone.data_ptr()
        del gone
        # The allocator gives the same piece again; if it should not, nothing is at stake.
        other = x * 5
        total = other.square().sum()
    total.backward()
    assert x.grad is not None and x.grad.unique().tolist() == [2 * 15 * 5]
    assert place
