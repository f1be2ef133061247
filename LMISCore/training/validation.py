"""What is measured on the validation split while training: the evaluation's figure, and presence of single lungs."""

from __future__ import annotations

from collections.abc import Sequence

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
from LMISCore.training.distributed import ALONE, Processes
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
    processes: Processes = ALONE,
) -> OverlapSummary:
    """Dice and IoU of the sets' own sentences at the slices' native size, as ``lmis evaluate`` reports them.

    Process r of W measures the batches r, r + W, ..., each made up as it is in one process; each slice counts once.
    """
    counts: dict[int, Counts] = {}
    for start in range(BATCH * processes.rank, len(slices), BATCH * processes.size):
        some = slices[start : start + BATCH]
        images = torch.stack([clean_picture(item, convention) for item in some])
        found = probabilities(network, images, [item.places.report for item in some], cache, device)
        for row, (item, probability) in enumerate(zip(some, found, strict=True), start):
            counts[row] = count(item.frame.restore(probability.numpy()) >= MASK_THRESHOLD, item.places.lesion)
    everyone = {row: own for part in processes.everyone(counts) for row, own in part.items()}
    return summarise([everyone[row] for row in range(len(slices))])


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

    Each lung is asked for with the plainest sentence.
    Affected: at least 13 lesion pixels; unaffected: none; lungs in between are left out. Sets without lung masks keep
    the default threshold.
    """
    found: dict[tuple[int, str], float] = {}
    pixels: dict[tuple[int, str], int] = {}
    for row, item in enumerate(slices):
        if item.places.geometry is None:
            continue
        image = clean_picture(item, convention).unsqueeze(0)
        for side in SIDES:
            answer = probabilities(network, image, [side_sentence(finding, side)], cache, device, calibration)
            found[row, side] = float(slice_presence(answer)[0])
            pixels[row, side] = int(np.count_nonzero(side_cut(item.places.lesion, item.places.geometry, side)))
    judged = [place for place, count in pixels.items() if count == 0 or count >= SMALLEST_PIECE]
    scores = np.array([found[place] for place in judged])
    return choose_presence_threshold(scores, np.array([pixels[place] > 0 for place in judged], dtype=bool))
