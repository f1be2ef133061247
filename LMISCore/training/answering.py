"""From a batch to its loss: the network and its loss as one module, in one process or spread over several."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from LMISCore.networks.recompute import autocast, recomputing
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.states import TextStates
from LMISCore.training.datasets import BatchMaker
from LMISCore.training.distributed_norm import share_norms

FITTING_SENTENCES = 2000


class Answering(nn.Module):
    """A network whose output goes straight into its loss.

    So whatever a loss exchanges between processes is exchanged inside ``forward``, in the same order everywhere, and
    the parameters that it leaves out can be told from its result.

    Args:
        network: trained.
        dtype: of autocast; None for float32 throughout.
        recompute: whether cheap maps are made again on the way back instead of being kept.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype | None, recompute: bool = False) -> None:
        super().__init__()
        self.network: Any = network
        self.dtype = dtype
        self.recompute = recompute

    def forward(
        self,
        loss: Any,
        images: Tensor,
        text: TextStates,
        masks: Tensor,
        sentences: int,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch and its terms.

        Args:
            loss: called with the network's output and the masks.
            images: ``(B, 3, h, w)``.
            text: of B K sentences, the first of every picture first.
            masks: ``(B K, h, w)`` in {0, 1}.
            sentences: K.
            generator: for what the network draws.
        """
        with recomputing(self.recompute):
            with autocast(images.device.type, self.dtype):
                features = self.network.encode_image(images).repeat(sentences)
                output = self.network.decode(features, text.states, text.mask, generator)
            total, terms = loss(output, masks)
        return total, {name: term.detach() for name, term in terms.items()}


def fit_text(network: Any, maker: BatchMaker, cache: EmbeddingCache, device: torch.device) -> None:
    """Show the network the sentences of some hundred steps, so that it can scale them."""
    text = cache.states(sorted(maker.sentences(FITTING_SENTENCES))).to(device)
    network.fit_text(text.states, text.mask)


def padded(text: TextStates, length: int) -> TextStates:
    """Sentences padded to at least that many tokens, as they are beside a longer one."""
    more = length - text.mask.shape[1]
    if more <= 0:
        return text
    return TextStates(F.pad(text.states, (0, 0, 0, more)), F.pad(text.mask, (0, more)))


def spread(answering: Answering, device: torch.device, shared_norms: bool, probe: tuple[Any, ...]) -> nn.Module:
    """The same module with its gradients averaged over all processes and, if wished, shared batch normalisation.

    Args:
        answering: of which every process has one; the first one's weights are taken by all.
        device: of the network.
        shared_norms: whether batch normalisation is over all processes' share of the batch.
        probe: arguments for one call, to find out which parameters the loss leaves without a gradient.
    """
    if shared_norms:
        share_norms(answering, device)
    kept = {name: value.clone() for name, value in answering.named_buffers()}
    total, _ = answering(*probe)
    left_out = has_unused_parameters(answering, total)
    with torch.no_grad():
        for name, value in answering.named_buffers():
            value.copy_(kept[name])
    # Running statistics are equal everywhere already, or made so after each step. PyTorch has renamed the switch.
    known = inspect.signature(DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    switches: dict[str, Any] = {"find_unused_parameters": left_out, "gradient_as_bucket_view": True, buffers: False}
    return DistributedDataParallel(answering, **switches)


def has_unused_parameters(module: nn.Module, total: Tensor) -> bool:
    """Whether any parameter has no part in ``total``: it waits for a gradient that never comes."""
    reached: set[int] = set()
    seen: set[Any] = set()
    waiting: list[Any] = [total.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        waiting += [following for following, _ in node.next_functions]
    return any(id(parameter) not in reached for parameter in module.parameters() if parameter.requires_grad)


def exchanging(module: nn.Module, now: bool) -> AbstractContextManager[None]:
    """Inside of it gradients are summed up, and exchanged between the processes only if ``now``."""
    if now or not isinstance(module, DistributedDataParallel):
        return nullcontext()
    return module.no_sync()


@torch.no_grad()
def update_average(averaged: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the exponential average of weights and running statistics towards the network's.

    The decay starts low, ``(1 + step) / (10 + step)``, so that the first random weights are forgotten quickly.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    source: dict[str, Tensor] = network.state_dict()
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(source[name].detach(), weight)
        else:
            value.copy_(source[name])
