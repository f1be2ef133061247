"""The training loop: one recipe in, one checkpoint with its card out.

A step's batches depend on the seed and the step's number alone, so a run that was killed continues where its last
state was saved, to the same weights and the same log as one that was not. The checkpoint kept is the one with the best
mean Dice on Val; Test is never opened.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.data.manifest import data_hash, text_hash
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.devices import choose_device, choose_precision
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.card import build_card
from LMISCore.training.choices import NOTHING_CHOSEN, Chosen, choose_on_val
from LMISCore.training.curves import TensorBoard, write_curves
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import Batch, BatchMaker, Slice, colour_of, load_slices
from LMISCore.training.parts import build_encoder, build_loss, build_network, build_optimiser, rate_at
from LMISCore.training.recipe import Recipe
from LMISCore.training.resuming import require_same_data, require_same_recipe
from LMISCore.training.run_log import RunLog
from LMISCore.training.state import NAME as STATE_NAME
from LMISCore.training.state import State, read_state, remove_leftovers, save_state
from LMISCore.training.validation import overlap

Progress = Callable[[int, int, str], object]
CHECKPOINT_NAME = "checkpoint.safetensors"
FITTING_SENTENCES = 2000
SECONDS_BETWEEN_CURVES = 60.0


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
        self.log = RunLog(self.folder)
        state = read_state(self.folder) if resume and (self.folder / STATE_NAME).is_file() else None
        if state is not None:
            require_same_recipe(state, recipe)
        # Data first: what is missing most often, and found out at once.
        train_pairs, val_pairs = read_split(recipe, "Train"), read_split(recipe, "Val")
        choice = choose_device(device)
        self.device = choice.device
        self.precision = choose_precision(recipe.training.precision, choice.name)
        self.cache = EmbeddingCache(build_encoder(recipe, choice.name))
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
        if state is not None:
            require_same_data(state, self.hashes, self.folder / CHECKPOINT_NAME)
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
        self._since = self._saved = self._drawn = time.perf_counter()
        if state is not None:
            self._resume(state)

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
        remove_leftovers(self.folder)
        if self.step == 0:
            # A run begun anew must not go on from the state of the one before when it is killed early.
            (self.folder / STATE_NAME).unlink(missing_ok=True)
            self.log.begin()
        else:
            self.log.keep_until(self.step)
        self._since = self._saved = self._drawn = time.perf_counter()
        board = TensorBoard(self.folder, self.step)
        try:
            while self.step < recipe.steps:
                if self._out_of_patience():
                    stopped = f"Val has not improved for {recipe.patience} steps"
                    break
                terms = self._step(maker)
                if self.step % recipe.validate_every == 0 or self.step == recipe.steps:
                    self._validate(terms, board)
                elif self._state_is_due():
                    self._save_state()
                if self.progress(self.step, recipe.steps, f"training, loss {terms['loss']:.3f}") is False:
                    self._save_state()
                    raise Cancelled(f"Training was stopped after step {self.step}; run the same command to go on.")
        finally:
            board.close()
        self._finish(stopped)
        return TrainingResult(
            self.folder / CHECKPOINT_NAME, float(self.best["dice"]), int(self.best["step"]), self.step, stopped
        )

    def _state_is_due(self) -> bool:
        recipe = self.recipe.training
        by_steps = recipe.save_every > 0 and self.step % recipe.save_every == 0
        return by_steps or 0 < recipe.save_seconds <= time.perf_counter() - self._saved

    def _clock(self) -> None:
        """Count the time since the last call as training."""
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now

    def _out_of_patience(self) -> bool:
        """Whether the last validation, just made or made before an interruption, was one too many without a gain."""
        recipe = self.recipe.training
        validated = self.step > 0 and self.step % recipe.validate_every == 0
        return validated and self.step - int(self.best["step"]) >= recipe.patience

    def _step(self, maker: BatchMaker) -> dict[str, float]:
        """One update from the mean gradient of ``accumulate`` batches; returns the means of the loss's terms."""
        recipe = self.recipe.training
        rate = rate_at(self.step, recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for number in range(self.step * recipe.accumulate, (self.step + 1) * recipe.accumulate):
            total, terms = self._answer(maker.batch(number), number)
            for name, term in {"loss": total, **terms}.items():
                sums[name] = sums.get(name, 0.0) + float(term.detach())
            self._require_finite("loss", sums["loss"])
            (total / recipe.accumulate).backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm or math.inf)
        # A finite loss may still have a gradient that is not; one such update would ruin weights and state.
        self._require_finite("gradient", float(norm))
        self.optimiser.step()
        self.step += 1
        update_average(self.averaged, self.network, recipe.ema, self.step)
        return {**{name: value / recipe.accumulate for name, value in sums.items()}, "rate": rate}

    def _answer(self, batch: Batch, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch, with its terms."""
        self.seen.update(batch.sentences)
        text = self.cache.states(batch.sentences).to(self.device)
        images = batch.images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=self.precision.dtype, enabled=self.precision.dtype is not None):
            features = self.network.encode_image(images)
            features = features.repeat(self.recipe.sentences)
            output = self.network.decode(features, text.states, text.mask, self._generator(number))
        found: tuple[Tensor, dict[str, Tensor]] = self.loss(output, batch.masks.to(self.device))
        return found

    def _require_finite(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        checkpoint = self.folder / CHECKPOINT_NAME
        kept = f"the last good checkpoint is {checkpoint}" if checkpoint.is_file() else "there is no checkpoint yet"
        raise InputError(
            f"The {what} became {value} at step {self.step + 1}; lower training.learning_rate or set "
            f"training.clip_norm=1; {kept}."
        )

    def _generator(self, number: int) -> torch.Generator:
        """Randomness inside the network for one batch, from the seed and the batch's number alone."""
        seed = int(np.random.SeedSequence([self.recipe.training.seed, 4, number]).generate_state(1)[0])
        return torch.Generator(self.device).manual_seed(seed)

    def _validate(self, terms: dict[str, float], board: TensorBoard) -> None:
        self._clock()
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
        self.log.add(line)
        board.add(line)
        if found.mean_dice > self.best["dice"]:
            self.best = {"dice": found.mean_dice, "iou": found.mean_iou, "pooled": found.pooled_dice, "step": self.step}
            self._save_checkpoint(self.averaged)
        self._save_state()
        if time.perf_counter() - self._drawn >= SECONDS_BETWEEN_CURVES:
            write_curves(self.folder, self.log.lines(), self.recipe.name)
            self._drawn = time.perf_counter()
        self._since = time.perf_counter()

    def _save_state(self) -> None:
        self._clock()
        notes = {
            "recipe": self.recipe.as_dict(),
            "hashes": self.hashes,
            "best": self.best,
            "seen": sorted(self.seen),
            "seconds": self.seconds,
        }
        save_state(self.folder, self.step, self.network, self.averaged, self.optimiser, notes)
        self._saved = time.perf_counter()

    def _resume(self, state: State) -> None:
        state.restore(self.network, self.averaged, self.optimiser)
        self.step = state.step
        self.best, self.seconds = state.notes["best"], float(state.notes["seconds"])
        self.seen = set(state.notes["seen"])

    def _finish(self, stopped: str) -> None:
        """Choose on Val what the best weights' card says of probabilities, and draw the curves."""
        network = load_checkpoint(self.folder / CHECKPOINT_NAME, device=str(self.device)).network
        chosen = choose_on_val(network, self.recipe, self.val, self.cache, self.device)
        self._save_checkpoint(network, chosen, stopped)
        write_curves(self.folder, self.log.lines(), self.recipe.name)

    def _save_checkpoint(self, network: nn.Module, chosen: Chosen = NOTHING_CHOSEN, stopped: str | None = None) -> None:
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
            chosen.presence,
            stopped,
            chosen.calibration,
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


def train(
    recipe: Recipe, folder: str | Path, device: str = "auto", progress: Progress | None = None, resume: bool = True
) -> TrainingResult:
    """Train a recipe into a folder; see :class:`Trainer`."""
    return Trainer(recipe, folder, device, progress, resume).run()


__all__: Sequence[str] = ["Slice", "Trainer", "TrainingResult", "train"]
