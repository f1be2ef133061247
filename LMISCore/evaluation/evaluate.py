"""Measure a checkpoint on one split of a data set: overlap, outlines, calibration, what the text does, robustness.

Every figure is taken at the pictures' native resolution with the card's own mask threshold; those of the right
sentence also at the network's. Each slice's image features are computed once and shared by all its sentences. A run on
Test is written to the test log, always.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import LMISCore
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint
from LMISCore.data.manifest import CASE_PATTERN, Pair, data_hash, read_pairs
from LMISCore.data.slices import case_geometries
from LMISCore.errors import InputError
from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation import test_log
from LMISCore.evaluation.asking import Asker, reads_text
from LMISCore.evaluation.collect import Progress, Task, collect, fit_cases
from LMISCore.evaluation.figures import POLICY
from LMISCore.evaluation.places import zones_of
from LMISCore.evaluation.quality import SurfaceRule
from LMISCore.evaluation.results import all_figures
from LMISCore.evaluation.robustness import CHANGES
from LMISCore.evaluation.rows import COLUMNS, table_of
from LMISCore.metrics.bootstrap import BLOCK_SIZE, DRAWS, LEVEL, block_weights, neighbour_blocks
from LMISCore.metrics.calibration import BINS
from LMISCore.text.findings import Vocabulary
from LMISCore.text.states import TextEncoder

SEED = 3407


@dataclass
class Kept:
    """What a picture of the answers needs besides the figures; filled by :func:`evaluate`.

    Attributes:
        pairs: the N slices.
        masks: by slice, the right sentence's answer at native resolution, packed (``quality.unpack_mask``).
        kinds: by case, "hu" or "picture".
    """

    pairs: list[Pair] = field(default_factory=list)
    masks: dict[int, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


def evaluate(
    checkpoint: Checkpoint | str | Path | None,
    data: str | Path,
    split: str = "Test",
    *,
    image_only: Checkpoint | str | Path | None = None,
    cases: Sequence[str] = ("*",),
    device: str = "auto",
    encoder: TextEncoder | str | Path | None = None,
    robustness: bool = True,
    surface: SurfaceRule | None = SurfaceRule(),  # noqa: B008 (frozen)
    seed: int = SEED,
    draws: int = DRAWS,
    log: str | Path | None = None,
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint and return all figures as plain JSON values.

    Args:
        checkpoint: loaded, a path, or None for the weights that come with the package.
        data: folder in the LViT layout or a ``.csv`` manifest.
        split: Train, Val or Test.
        image_only: a checkpoint of the same recipe trained with ``text.ignore``, for comparison.
        cases: shell-style patterns of the cases to take.
        device: auto, cpu, cuda or mps.
        encoder: the text encoder, or its name or folder, where the card's name alone does not find it.
        robustness: also measure under five changes of the input picture.
        surface: how outlines are compared; None leaves HD95 and surface Dice out.
        seed: of the drawn sentences, the noise and the intervals.
        draws: resamples for the intervals.
        log: test log that a run on Test is added to; None takes ``Training/test_runs.jsonl`` under the working
            directory, or ``test_runs.jsonl`` in it.
        progress: called with (done, total, stage); returning False stops.
        kept: filled with the right sentence's masks, for a contact sheet.

    Raises:
        InputError: in one sentence, for data, checkpoints or a log that cannot be used.
        Cancelled: if the progress callback returned False; the test log is left as it was.
    """
    started = time.perf_counter()
    main = _load(checkpoint)
    pattern = main.card.recipe.get("data", {}).get("case_pattern") or CASE_PATTERN
    pairs = read_pairs(data, split, cases, pattern)
    # Of the whole split, so that leaving out a case does not start a new count of looks at Test.
    whole_hash = data_hash(read_pairs(data, split, pattern=pattern))
    log_path = Path(log) if log is not None else test_log.default_log_path()
    earlier = test_log.earlier_runs(log_path, whole_hash)
    if split == "Test":
        test_log.require_writable(log_path)
    task = _prepare(main, image_only, pairs, device, encoder, robustness, surface, seed)
    answers = collect(task, progress or (lambda done, total, stage: None))
    blocks = neighbour_blocks([(pair.patient, pair.case) for pair in pairs])
    weights = block_weights(blocks, draws, np.random.default_rng([seed, 0]))
    result: dict[str, Any] = {
        "checkpoint": _describe(main),
        "image_only_checkpoint": _describe(task.image_only.checkpoint) if task.image_only else None,
        "data": {
            "name": Path(data).stem,
            "split": split,
            "hash": whole_hash,
            "cases_pattern": list(cases),
            "n": len(pairs),
            "patients": _tally(pair.patient for pair in pairs),
            "cases": _tally(pair.case for pair in pairs),
        },
        "earlier_test_runs": earlier,
        "policy": POLICY,
        "settings": {
            "resolution": "native",
            "mask_threshold": float(main.card.thresholds["mask"]),
            "presence_threshold": float(main.card.thresholds["presence"]),
            "block_size": BLOCK_SIZE,
            "blocks": int(blocks.max()) + 1,
            "draws": draws,
            "level": LEVEL,
            "seed": seed,
            "device": task.asker.engine.device.name,
            "surface_tolerance": None if surface is None else surface.tolerance,
            "calibration_bins": BINS,
        },
        **all_figures(task, answers, weights),
        "columns": COLUMNS,
        "slices": table_of(task, answers),
        "warnings": [*task.asker.engine.warnings, *(task.image_only.engine.warnings if task.image_only else [])],
        "version": LMISCore.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    if split == "Test":
        test_log.append_run(log_path, test_log.entry_of(result))
    if kept is not None:
        kept.pairs, kept.masks = pairs, answers.masks
        kept.kinds = {case: fitted.kind for case, fitted in task.fits.plain.items()}
    return result


def _load(checkpoint: Checkpoint | str | Path | None) -> Checkpoint:
    return checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)


def _prepare(
    main: Checkpoint,
    image_only: Checkpoint | str | Path | None,
    pairs: list[Pair],
    device: str,
    encoder: TextEncoder | str | Path | None,
    robustness: bool,
    surface: SurfaceRule | None,
    seed: int,
) -> Task:
    asker = Asker(main, device, encoder)
    other: Asker | None = None
    if image_only is not None:
        loaded = _load(image_only)
        if reads_text(loaded.card):
            raise InputError(
                f"The checkpoint {loaded.path} was trained with text; expected an image-only one, whose recipe says "
                "text.ignore: true."
            )
        shared = asker.cache.encoder
        same = shared.hash == loaded.card.text_encoder["hash"]
        other = Asker(loaded, device, shared if same else None)
    sentences = [asker.rule(pair.text) for pair in pairs]
    vocabulary = Vocabulary.from_card(main.card.vocabulary)
    conditions = [asked.right_sentences(sentences)]
    if reads_text(main.card):
        conditions += [
            asked.side_swapped(sentences),
            asked.empty_sentences(sentences),
            asked.other_patients(sentences, [pair.patient for pair in pairs], seed),
            asked.shuffled(sentences, seed),
            asked.negated(sentences, vocabulary),
            asked.out_of_vocabulary(sentences, vocabulary, main.card.recipe.get("pairs", {}).get("others", ()), seed),
        ]
    finding = next(iter(main.card.vocabulary["findings"]), None) if reads_text(main.card) else None
    fits = fit_cases(asker, other, pairs, list(CHANGES) if robustness else [], seed)
    return Task(
        asker=asker,
        image_only=other,
        pairs=pairs,
        geometries=case_geometries(pairs),
        fits=fits,
        conditions=conditions,
        finding=finding,
        zones=zones_of(main.card),
        surface=surface,
        robustness=robustness,
        seed=seed,
    )


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    card = checkpoint.card
    return {"name": card.name, "file": checkpoint.path.name, "hash": checkpoint.hash, "network": card.network}


def _tally(names: Iterable[str]) -> dict[str, int]:
    tally: dict[str, int] = {}
    for name in names:
        tally[name] = tally.get(name, 0) + 1
    return dict(sorted(tally.items()))
