"""The training loop: one recipe in, one checkpoint with its card out.

The step's batch depends on the seed and the step's number alone, so a run that was killed continues where its last
state was saved. The checkpoint kept is the one with the best mean Dice on Val; Test is never opened.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from LMISCore.atomic import write_text
from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.data.manifest import data_hash, text_hash
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.devices import choose_device, choose_precision
from LMISCore.metrics.thresholds import DEFAULT_PRESENCE, PresenceThreshold
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.encoders import create_encoder
from LMISCore.training.card import build_card
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import BatchMaker, Slice, colour_of, load_slices
from LMISCore.training.parts import build_loss, build_network, build_optimiser, rate_at
from LMISCore.training.recipe import Recipe
from LMISCore.training.state import NAME as STATE_NAME
from LMISCore.training.state import load_state, save_state
from LMISCore.training.validation import overlap, presence_threshold

Progress = Callable[[int, int, str], object]
CHECKPOINT_NAME = "checkpoint.safetensors"
LOG_NAME = "log.jsonl"
FITTING_SENTENCES = 2000


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with."""

    checkpoint: Path
    best_dice: float
    best_step: int
    steps: int
    stopped: str


class Trainer:
    """One run of a recipe in one folder.

    Args:
        recipe: what to train.
        folder: where checkpoint, log and resume state go.
        device: "auto", "cpu", "cuda" or "mps".
        progress: called with (done, total, stage); returning False stops after saving the state.
        resume: continue from the folder's state if it has one.

    Raises:
        InputError: if the data, the recipe or the state cannot be used.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: str | Path,
        device: str = "auto",
        progress: Progress | None = None,
        resume: bool = True,
    ) -> None:
        self.recipe = recipe
        self.folder = Path(folder)
        self.progress: Progress = progress or (lambda done, total, stage: None)
        # Data first: what is missing most often, and found out at once.
        train_pairs, val_pairs = read_split(recipe, "Train"), read_split(recipe, "Val")
        choice = choose_device(device)
        self.device = choice.device
        self.precision = choose_precision(recipe.training.precision, choice.name)
        self.cache = EmbeddingCache(create_encoder(recipe.text.encoder, device=choice.name))
        # Seeds the initial weights; batches have generators of their own.
        torch.manual_seed(recipe.training.seed)
        network = build_network(recipe, self.cache.encoder.width)
        self.network: Any = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_loss(recipe)
        shared = {pair.patient for pair in train_pairs} & {pair.patient for pair in val_pairs}
        if shared:
            raise InputError(
                f"Patient {sorted(shared)[0]} is in both Train and Val; a patient may be in one split only."
            )
        self.hashes = {
            "train": data_hash(train_pairs),
            "val": data_hash(val_pairs),
            "train_text": text_hash(train_pairs),
            "val_text": text_hash(val_pairs),
        }
        self.counts = {"train": len(train_pairs), "val": len(val_pairs)}
        self.cases = {
            "train": sorted({pair.case for pair in train_pairs}),
            "val": sorted({pair.case for pair in val_pairs}),
        }
        self.train = load_slices(recipe, train_pairs, recipe.image.variants, self.progress)
        self.colour = colour_of(self.train)
        self.val = load_slices(recipe, val_pairs, 1, self.progress, self.colour)
        if not any(item.places.lesion.any() for item in self.val):
            raise InputError(
                f"None of the {len(self.val)} masks of Val has a foreground pixel, so nothing can be measured on them; "
                "choose other cases with data.val, or check the masks."
            )
        self._fit_text()
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        training = recipe.training
        self.optimiser = build_optimiser(training, self.network.parameters())
        self.step = 0
        self.best: dict[str, Any] = {"dice": -1.0, "step": 0}
        self.seen: set[str] = set()
        self.seconds = 0.0
        if resume and (self.folder / STATE_NAME).is_file():
            self._resume()

    def _fit_text(self) -> None:
        """Show the network the sentences of some hundred steps, so that it can scale them."""
        maker = BatchMaker(self.train, self.recipe)
        sentences = sorted(maker.sentences(FITTING_SENTENCES))
        text = self.cache.states(sentences).to(self.device)
        self.network.fit_text(text.states, text.mask)

    def run(self) -> TrainingResult:
        """Train to the last step, or until Val has not improved for ``patience`` steps.

        Raises:
            Cancelled: if the progress callback returned False; the state is saved.
            InputError: if the loss is no longer finite; the last good checkpoint is kept.
        """
        recipe = self.recipe.training
        maker = BatchMaker(self.train, self.recipe)
        stopped = "all steps done"
        if self.step == 0:
            write_text(self.folder / LOG_NAME, "")
        since = time.perf_counter()
        while self.step < recipe.steps:
            if self._out_of_patience():
                stopped = f"Val has not improved for {recipe.patience} steps"
                break
            terms = self._step(maker)
            last = self.step == recipe.steps
            if self.step % recipe.validate_every == 0 or last:
                self.seconds += time.perf_counter() - since
                since = time.perf_counter()
                self._validate(terms)
            if self.progress(self.step, recipe.steps, f"training, loss {terms['loss']:.3f}") is False:
                self._save_state()
                raise Cancelled(f"Training was stopped after step {self.step}; run the same command to go on.")
        self._finish(stopped)
        return TrainingResult(
            self.folder / CHECKPOINT_NAME, float(self.best["dice"]), int(self.best["step"]), self.step, stopped
        )

    def _out_of_patience(self) -> bool:
        """Whether the last validation, just made or made before an interruption, was one too many without a gain."""
        recipe = self.recipe.training
        validated = self.step > 0 and self.step % recipe.validate_every == 0
        return validated and self.step - int(self.best["step"]) >= recipe.patience

    def _step(self, maker: BatchMaker) -> dict[str, float]:
        recipe = self.recipe.training
        batch = maker.batch(self.step)
        self.seen.update(batch.sentences)
        rate = rate_at(self.step, recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        text = self.cache.states(batch.sentences).to(self.device)
        images = batch.images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=self.precision.dtype, enabled=self.precision.dtype is not None):
            features = self.network.encode_image(images)
            features = features.repeat(self.recipe.sentences)
            output = self.network.decode(features, text.states, text.mask, self._generator())
        total, terms = self.loss(output, batch.masks.to(self.device))
        value = float(total.detach())
        if not math.isfinite(value):
            raise InputError(
                f"The loss became {value} at step {self.step + 1}; lower training.learning_rate or set "
                f"training.clip_norm=1; the last good checkpoint is {self.folder / CHECKPOINT_NAME}."
            )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
        self.optimiser.step()
        self.step += 1
        update_average(self.averaged, self.network, recipe.ema, self.step)
        return {"loss": value, **{name: float(term.detach()) for name, term in terms.items()}, "rate": rate}

    def _generator(self) -> torch.Generator:
        """Randomness of this step inside the network, from the seed and the step's number alone."""
        seed = int(np.random.SeedSequence([self.recipe.training.seed, 4, self.step]).generate_state(1)[0])
        return torch.Generator(self.device).manual_seed(seed)

    def _validate(self, terms: dict[str, float]) -> None:
        found = overlap(self.averaged, self.val, self.recipe.image.convention, self.cache, self.device)
        line = {
            "step": self.step,
            **{name: round(value, 6) for name, value in terms.items()},
            "val_mean_dice": found.mean_dice,
            "val_mean_iou": found.mean_iou,
            "val_pooled_dice": found.pooled_dice,
            "val_images": found.images,
            "training_seconds": round(self.seconds, 1),
        }
        with (self.folder / LOG_NAME).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if found.mean_dice > self.best["dice"]:
            self.best = {"dice": found.mean_dice, "iou": found.mean_iou, "pooled": found.pooled_dice, "step": self.step}
            self._save_checkpoint(self.averaged)
        self._save_state()

    def _save_state(self) -> None:
        notes = {
            "recipe": self.recipe.as_dict(),
            "hashes": self.hashes,
            "best": self.best,
            "seen": sorted(self.seen),
            "seconds": self.seconds,
        }
        save_state(self.folder, self.step, self.network, self.averaged, self.optimiser, notes)

    def _resume(self) -> None:
        self.step, notes = load_state(self.folder, self.network, self.averaged, self.optimiser)
        if notes["hashes"] != self.hashes:
            raise InputError(
                f"The data differ from those the run in {self.folder} began with; train into another folder."
            )
        changed = _changed(notes["recipe"], self.recipe.as_dict())
        if changed:
            raise InputError(
                f"The recipe differs in {', '.join(changed)} from the one the run in {self.folder} began with; "
                "restore it or train into another folder."
            )
        self.best, self.seconds = notes["best"], float(notes["seconds"])
        self.seen = set(notes["seen"])

    def _finish(self, stopped: str) -> None:
        """Choose the presence threshold on Val with the best weights and write both into the card."""
        checkpoint = load_checkpoint(self.folder / CHECKPOINT_NAME, device=str(self.device))
        if self.recipe.text.ignore:
            # These weights never saw a sentence: a threshold chosen on answers to one would mean nothing.
            chosen = PresenceThreshold(DEFAULT_PRESENCE, None, None, 0, 0, "default: trained without text")
        else:
            finding = next(iter(self.recipe.card.findings), self.recipe.pairs.names[0])
            chosen = presence_threshold(
                checkpoint.network, self.val, finding, self.recipe.image.convention, self.cache, self.device
            )
        self._save_checkpoint(checkpoint.network, chosen, stopped)

    def _save_checkpoint(
        self, network: nn.Module, presence: PresenceThreshold | None = None, stopped: str | None = None
    ) -> None:
        run = {
            "steps": self.step,
            "best_step": self.best["step"],
            "val_mean_dice_before_rounding": self.best["dice"],
            "training_seconds": round(self.seconds, 1),
            "device": str(self.device),
            "precision": self.precision.name,
        }
        data = {"pairs": self.counts, "cases": self.cases, "hashes": self.hashes}
        card = build_card(
            self.recipe,
            dict(getattr(network, "options", {})),
            self.cache.encoder.describe(),
            self.colour,
            data,
            run,
            len(self.seen),
            presence,
            stopped,
        )
        save_checkpoint(self.folder / CHECKPOINT_NAME, network, card, dtype=self.recipe.card.dtype)


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


def _changed(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values differ; a longer run of the same recipe is not a resume, so ``steps`` counts too."""
    changed: list[str] = []
    for key in sorted({*before, *now}):
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            changed += _changed(a, b, f"{prefix}{key}.")
        elif a != b and f"{prefix}{key}" != "data.source":
            changed.append(f"{prefix}{key}")
    return changed


def train(
    recipe: Recipe, folder: str | Path, device: str = "auto", progress: Progress | None = None, resume: bool = True
) -> TrainingResult:
    """Train a recipe into a folder; see :class:`Trainer`."""
    return Trainer(recipe, folder, device, progress, resume).run()


__all__: Sequence[str] = ["Slice", "Trainer", "TrainingResult", "train"]
