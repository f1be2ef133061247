"""What is measured on the validation split while training: the evaluation's figure, and presence of single lungs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from LMISCore.data.lungs import SIDES, SMALLEST_PIECE
from LMISCore.inference.engine import without_tf32
from LMISCore.inference.presence import slice_presence
from LMISCore.metrics.batched import count_batch, read_counts
from LMISCore.metrics.overlap import OverlapSummary, summarise
from LMISCore.metrics.platt import Platt
from LMISCore.metrics.thresholds import PresenceThreshold, choose_presence_threshold
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.datasets import Slice, clean_picture
from LMISCore.training.distributed import ALONE, Processes
from LMISCore.training.pairs import side_cut, side_sentence
from LMISCore.training.sending import sent, sent_text
from LMISCore.volumes.framing import Frame

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
    """Probabilities ``(B, h, w)`` float32 on the device for pictures ``(B, 3, h, w)`` with one sentence each."""
    text = sent_text(cache.states(sentences), device)
    images = sent(images, device).contiguous(memory_format=torch.channels_last)
    # As exact as the evaluation, which computes in float32.
    with without_tf32() if device.type == "cuda" else nullcontext():
        logits: Tensor = network(images, text.states, text.mask).logits
    logits = logits.float()
    if calibration is not None:
        logits = calibration.scale * logits + calibration.offset
    return logits.sigmoid()[:, 0]


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
    Slices of one shape are brought back and counted together, and all counts are read from the device at the end.
    """
    rows: list[int] = []
    parts: list[Tensor] = []
    for start in range(BATCH * processes.rank, len(slices), BATCH * processes.size):
        some = slices[start : start + BATCH]
        images = torch.stack([clean_picture(item, convention) for item in some])
        found = probabilities(network, images, [item.places.report for item in some], cache, device)
        for frame in dict.fromkeys(item.frame for item in some):
            own = [row for row, item in enumerate(some) if item.frame == frame]
            truth = sent(torch.from_numpy(np.stack([some[row].places.lesion for row in own])), device)
            answers = found if len(own) == len(some) else found[sent(torch.tensor(own), device)]
            parts.append(count_batch(_restored(answers, frame) >= MASK_THRESHOLD, truth > 0))
            rows += [start + row for row in own]
    counts = dict(zip(rows, read_counts(parts), strict=True))
    everyone = {row: own for part in processes.everyone(counts) for row, own in part.items()}
    return summarise([everyone[row] for row in range(len(slices))])


def _restored(probability: Tensor, frame: Frame) -> Tensor:
    """``Frame.restore`` of ``(B, h, w)``: ``(B, H, W)``."""
    (top, left), (height, width) = frame.corner, frame.inner
    inner = probability[:, top : top + height, left : left + width]
    if frame.inner == frame.shape:
        return inner
    rows, columns = (sent(torch.from_numpy(part), probability.device) for part in _restoring(frame))
    return rows @ inner @ columns.T


@lru_cache(maxsize=64)
def _restoring(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    return frame.restoring()


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
    asked = [(row, side) for row, item in enumerate(slices) if item.places.geometry is not None for side in SIDES]
    found: dict[tuple[int, str], float] = {}
    pixels: dict[tuple[int, str], int] = {}
    for start in range(0, len(asked), BATCH):
        some = asked[start : start + BATCH]
        images = torch.stack([clean_picture(slices[row], convention) for row, _ in some])
        sentences = [side_sentence(finding, side) for _, side in some]
        answers = probabilities(network, images, sentences, cache, device, calibration)
        found.update(zip(some, slice_presence(answers).tolist(), strict=True))
    for row, side in asked:
        places = slices[row].places
        assert places.geometry is not None
        pixels[row, side] = int(np.count_nonzero(side_cut(places.lesion, places.geometry, side)))
    judged = [place for place, count in pixels.items() if count == 0 or count >= SMALLEST_PIECE]
    scores = np.array([found[place] for place in judged])
    return choose_presence_threshold(scores, np.array([pixels[place] > 0 for place in judged], dtype=bool))
