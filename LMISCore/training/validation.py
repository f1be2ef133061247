"""What is measured on the validation split while training: the evaluation's figure, and presence of single lungs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from LMISCore.data.lungs import SIDES, SMALLEST_PIECE
from LMISCore.inference.presence import slice_presence
from LMISCore.metrics.overlap import Counts, OverlapSummary, count, summarise
from LMISCore.metrics.platt import Platt
from LMISCore.metrics.thresholds import PresenceThreshold, choose_presence_threshold
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.datasets import Slice, clean_picture
from LMISCore.training.pairs import side_cut, side_sentence

MASK_THRESHOLD = 0.5
BATCH = 8


@torch.inference_mode()
def probabilities(
    network: nn.Module,
    images: Tensor,
    sentences: Sequence[str],
    cache: EmbeddingCache,
    device: torch.device,
    calibration: Platt | None = None,
) -> Tensor:
    """Probabilities ``(B, h, w)`` float32 on the CPU for pictures ``(B, 3, h, w)`` with one sentence each."""
    text = cache.states(sentences).to(device)
    images = images.to(device).contiguous(memory_format=torch.channels_last)
    logits: Tensor = network(images, text.states, text.mask).logits
    logits = logits.float()
    if calibration is not None:
        logits = calibration.scale * logits + calibration.offset
    return logits.sigmoid()[:, 0].cpu()


def overlap(
    network: nn.Module,
    slices: Sequence[Slice],
    convention: str,
    cache: EmbeddingCache,
    device: torch.device,
    progress: Callable[[int, int, str], object] | None = None,
) -> OverlapSummary:
    """Dice and IoU of the sets' own sentences at the slices' native size, as ``lmis evaluate`` reports them."""
    counts: list[Counts] = []
    for start in range(0, len(slices), BATCH):
        some = slices[start : start + BATCH]
        images = torch.stack([clean_picture(item, convention) for item in some])
        found = probabilities(network, images, [item.places.report for item in some], cache, device)
        for item, probability in zip(some, found, strict=True):
            counts.append(count(item.frame.restore(probability.numpy()) >= MASK_THRESHOLD, item.places.lesion))
        if progress is not None:
            progress(min(start + BATCH, len(slices)), len(slices), "validating")
    return summarise(counts)


def presence_threshold(
    network: nn.Module,
    slices: Sequence[Slice],
    finding: str,
    convention: str,
    cache: EmbeddingCache,
    device: torch.device,
    calibration: Platt | None = None,
) -> PresenceThreshold:
    """Choose the presence threshold on the lungs of the validation slices, affected against unaffected ones.

    Each lung is asked for with the plainest sentence. Affected: at least 13 lesion pixels; unaffected: none; lungs in
    between are left out. Sets without lung masks keep the default threshold.
    """
    scores: list[float] = []
    present: list[bool] = []
    for item in slices:
        if item.places.geometry is None:
            continue
        image = clean_picture(item, convention).unsqueeze(0)
        for side in SIDES:
            pixels = int(np.count_nonzero(side_cut(item.places.lesion, item.places.geometry, side)))
            if 0 < pixels < SMALLEST_PIECE:
                continue
            found = probabilities(network, image, [side_sentence(finding, side)], cache, device, calibration)
            scores.append(float(slice_presence(found)[0]))
            present.append(pixels > 0)
    chosen = choose_presence_threshold(np.array(scores), np.array(present))
    if chosen.sensitivity is None:
        return chosen
    return replace(chosen, rule=f"{chosen.rule}; scores of single slices")
