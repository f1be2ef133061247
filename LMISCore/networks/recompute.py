"""Maps that a training step makes again on its way back instead of keeping them.

What autograd keeps is most of a step's memory, and much of it is cheap to make: a normalised map from the one before
normalisation, an enlarged map from the small one. Inside :func:`recomputing`, a network says by :func:`recomputable`
how such a map is made; wherever an operation would keep it, the way to make it is kept instead. Values and gradients
stay the same but for rounding, and outside :func:`recomputing` nothing changes.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

Make = Callable[..., Tensor]


class Recipe:
    """How one map is made.

    Args:
        make: called with the sources; must not draw and must not change anything.
        sources: tensors, or recipes for them.
        device: type of the device whose autocast counts.
        shelf: where the map may wait for its next use.
    """

    def __init__(self, make: Make, sources: list[Any], device: str, shelf: Shelf) -> None:
        self.make = make
        self.sources = sources
        self.versions = [source._version for source in sources if isinstance(source, Tensor)]
        self.device = device
        cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        self.dtype = torch.get_autocast_dtype(device) if cast else None
        self.shelf = shelf
        self.uses = 0

    def used(self) -> Recipe:
        """Itself, once more to be called."""
        self.uses += 1
        return self

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Make it, or take it from the shelf.

        Raises:
            RuntimeError: if a source has been changed in the meantime.
        """
        self.uses -= 1
        if self.versions != [source._version for source in self.sources if isinstance(source, Tensor)]:
            raise RuntimeError("a map cannot be made again: one of its sources was changed in place after it was used")
        found = self.shelf.take(self)
        if found is None:
            sources = [kept_value(source) for source in self.sources]
            # Weights may be cast anew: nothing is left in autocast's cache for the step after this one.
            with autocast(self.device, self.dtype, cache=False):
                found = self.make(*sources)
        if self.uses > 0:
            self.shelf.put(self, found)
        return found


class Shelf:
    """One map that has been made again and has uses left: they mostly follow one another."""

    def __init__(self) -> None:
        self._recipe: Recipe | None = None
        self._value: Tensor | None = None

    def put(self, recipe: Recipe, value: Tensor) -> None:
        self._recipe, self._value = recipe, value

    def take(self, recipe: Recipe) -> Tensor | None:
        """The recipe's map, if it is there; it is then no longer."""
        if self._recipe is not recipe:
            return None
        value = self._value
        self._recipe = self._value = None
        return value


class View:
    """Another view of all of a map, such as its pixels in a row."""

    def __init__(self, recipe: Recipe, tensor: Tensor, stride: tuple[int, ...]) -> None:
        self.recipe, self.stride = recipe, stride
        self.shape, self.own_stride = tensor.shape, tensor.stride()

    def __call__(self) -> Tensor:
        made = self.recipe()
        if made.stride() != self.stride:
            made = torch.empty_strided(made.shape, self.stride, dtype=made.dtype, device=made.device).copy_(made)
        return made.as_strided(self.shape, self.own_stride)


class _Keeper:
    """The recipes of one forward pass, found by the memory that a map lies in: all of it, in whatever order."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self._known: dict[tuple[Any, ...], tuple[weakref.ref[Tensor], int, Recipe]] = {}

    def add(self, result: Tensor, make: Make, sources: tuple[Tensor, ...]) -> Recipe:
        # Detached, a source is kept without what it was made by, and notices changes all the same.
        kept = [self.pack(source.detach()) for source in sources]
        recipe = Recipe(make, kept, result.device.type, self.shelf)
        self._known[_place(result)] = weakref.ref(result), result._version, recipe
        return recipe

    def pack(self, tensor: Tensor) -> Any:
        """A tensor's recipe, or the tensor itself."""
        known = self._known.get(_place(tensor))
        if known is None:
            return tensor
        result, version, recipe = known
        living = result()
        # Once the map is gone its memory may be another's.
        if living is None or living._version != version:
            return tensor
        recipe.used()
        same = tensor.shape == living.shape and tensor.stride() == living.stride()
        return recipe if same else View(recipe, tensor, living.stride())


class _Active(threading.local):
    keeper: _Keeper | None = None


_ACTIVE = _Active()


@contextmanager
def recomputing(wished: bool = True) -> Iterator[None]:
    """Keep recipes instead of maps for everything computed inside; nothing happens if not ``wished``."""
    if not wished:
        yield
        return
    before, keeper = _ACTIVE.keeper, _Keeper()
    _ACTIVE.keeper = keeper
    try:
        with torch.autograd.graph.saved_tensors_hooks(keeper.pack, kept_value):
            yield
    finally:
        _ACTIVE.keeper = before


def is_recomputing() -> bool:
    """Whether maps are to be made again: inside :func:`recomputing`, where gradients are wanted."""
    return _ACTIVE.keeper is not None and torch.is_grad_enabled()


def recomputable(
    result: Tensor, make: Make, *sources: Tensor, again: list[weakref.ref[Recipe]] | None = None
) -> Tensor:
    """Say how ``result`` is made, before any operation uses it; returned as it came.

    Args:
        result: to be made again where an operation wants to keep it.
        make: gives it from the sources, under the autocast of now.
        sources: kept instead, or made again themselves.
        again: takes the recipe, for an operation that wants its own result on its way back; when all others that kept
            it are done it is gone, unless its map still lies on the shelf.
    """
    keeper = _ACTIVE.keeper
    if keeper is not None and torch.is_grad_enabled():
        recipe = keeper.add(result, make, sources)
        if again is not None:
            again.append(weakref.ref(recipe.used()))
    return result


def autocast(device: str, dtype: torch.dtype | None, cache: bool = True) -> AbstractContextManager[Any]:
    """Autocast to ``dtype`` on a type of device, or none of it where that is None."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, dtype=dtype, enabled=dtype is not None, cache_enabled=cache)


def kept_value(kept: Any) -> Tensor:
    """What was kept: a tensor, or made by its recipe."""
    found: Tensor = kept() if isinstance(kept, Recipe | View) else kept
    return found


def _place(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor.numel(), tensor.dtype
