"""The training loop: one recipe in, one checkpoint with its card out.

A step's batches depend on the seed and the step's number alone, so a run that was killed goes on from its last state to
the weights and log of one that was not (on GPUs but for rounding). The checkpoint kept has the best mean Dice on Val;
Test is never opened. Under torchrun each process takes its share of every batch (``distributed``).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.errors import Cancelled
from LMISCore.inference.devices import choose_device, choose_precision
from LMISCore.networks.randomness import generator_of
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.answering import Answering, exchanging, fit_text, padded, spread, update_average
from LMISCore.training.card import build_card
from LMISCore.training.choices import NOTHING_CHOSEN, Chosen, choose_on_val
from LMISCore.training.compiling import compile_network, require_compiler
from LMISCore.training.curves import TensorBoard, write_curves
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import Batch, BatchMaker, Slice
from LMISCore.training.distributed import ALONE, Processes, joined
from LMISCore.training.distributed_norm import average_statistics
from LMISCore.training.initial import names_checkpoint
from LMISCore.training.parts import build_encoder, build_loss, build_network, build_optimiser, rate_at, recomputes
from LMISCore.training.readings import Readings
from LMISCore.training.recipe import Recipe
from LMISCore.training.resuming import require_same_data, require_same_recipe
from LMISCore.training.run_log import RunLog
from LMISCore.training.sending import sent, sent_text
from LMISCore.training.splits import describe_splits, load_splits
from LMISCore.training.state import State, forget, read_state, remove_leftovers, save_state, state_bytes
from LMISCore.training.validation import overlap

Progress = Callable[[int, int, str], object]
CHECKPOINT_NAME = "checkpoint.safetensors"
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
        processes: among which this one trains.

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
        processes: Processes = ALONE,
    ) -> None:
        self.recipe = recipe
        self.processes = processes
        self.folder = Path(folder)
        self.progress: Progress = progress or (lambda done, total, stage: None)
        self.log = RunLog(self.folder)
        content = processes.of_the_first(lambda: state_bytes(self.folder, resume))
        state = None if content is None else read_state(self.folder, content)
        if state is not None:
            require_same_recipe(state, recipe)
        # Data first: what is missing most often, and found out at once.
        train_pairs, val_pairs = read_split(recipe, "Train"), read_split(recipe, "Val")
        choice = choose_device(processes.device(device))
        self.device = choice.device
        self.precision = choose_precision(recipe.training.precision, choice.name)
        require_compiler(recipe, self.device)
        self.cache = EmbeddingCache(build_encoder(recipe, choice.name))
        # Seeds the initial weights; batches have generators of their own.
        torch.manual_seed(recipe.training.seed)
        network = build_network(recipe, self.cache.encoder.width, self.cache.encoder.hash)
        self.network: Any = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_loss(recipe)
        self.described = describe_splits(train_pairs, val_pairs)
        if state is not None:
            checkpoint = self.folder / CHECKPOINT_NAME if processes.first else None
            require_same_data(state, self.described["hashes"], checkpoint)
        self.train, self.val, self.colour = load_splits(recipe, train_pairs, val_pairs, self.progress, self.folder)
        if not names_checkpoint(recipe.network.initial):
            fit_text(self.network, BatchMaker(self.train, recipe), self.cache, self.device)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        compile_network(self.network, self.loss, recipe, self.precision.dtype)
        self.optimiser = build_optimiser(recipe.training, self.network.parameters())
        self.started = processes.size
        self.answering = self._answering()
        self.readings = Readings(self.device, self.folder / CHECKPOINT_NAME)
        self.step, self.seconds = 0, 0.0
        self.best: dict[str, Any] = {"dice": -1.0, "step": 0}
        self.seen: set[str] = set()
        self._since = self._saved = self._drawn = time.perf_counter()
        if state is not None:
            self._resume(state)

    def run(self) -> TrainingResult:
        """Train to the last step, or until Val has not improved for ``patience`` steps.

        Raises:
            Cancelled: if the progress callback returned False; the state is saved.
            InputError: if the loss is no longer finite; the last good checkpoint is kept.
        """
        recipe = self.recipe.training
        maker = BatchMaker(self.train, self.recipe, self.device)
        stopped = "all steps done"
        if self.processes.grouped and self.step < recipe.steps:
            self._spread(maker)
        if self.processes.first:
            self._open_folder()
        self._since = self._saved = self._drawn = time.perf_counter()
        board = TensorBoard(self.folder, self.step) if self.processes.first else None
        try:
            while self.step < recipe.steps:
                if self._out_of_patience():
                    stopped = f"Val has not improved for {recipe.patience} steps"
                    break
                terms = self._step(maker)
                if self.step % recipe.validate_every == 0 or self.step == recipe.steps:
                    self._validate(terms, board)
                elif self.processes.any(self._state_is_due()):
                    self._save_state()
                going_on = self.progress(self.step, recipe.steps, f"training, loss {terms['loss']:.3f}")
                if self.processes.any(going_on is False):
                    self._save_state()
                    raise Cancelled(f"Training was stopped after step {self.step}; run the same command to go on.")
        finally:
            if board is not None:
                board.close()
        self.processes.leave()
        if self.processes.first:
            self._finish(stopped)
        return TrainingResult(
            self.folder / CHECKPOINT_NAME, float(self.best["dice"]), int(self.best["step"]), self.step, stopped
        )

    def _open_folder(self) -> None:
        remove_leftovers(self.folder)
        if self.step == 0:
            # A run begun anew must not go on from the state of the one before when it is killed early.
            forget(self.folder)
            self.log.begin()
        else:
            self.log.keep_until(self.step)

    def _spread(self, maker: BatchMaker) -> None:
        """Let the processes train one network between them."""
        processes, recipe = self.processes, self.recipe.training
        processes.require_same("data", self.described["hashes"])
        processes.require_same("devices or arithmetic", [self.device.type, self.precision.name])
        processes.require_share(recipe.batch)
        self.network.train()
        number = self.step * recipe.accumulate
        probe = self._given(maker.batch(number, processes.share(recipe.batch)), number)
        self.answering = spread(self._answering(), self.device, recipe.sync_batch_norm, probe)

    def _answering(self) -> Any:
        recompute = recomputes(self.recipe.training, self.network, self.device)
        return Answering(self.network, self.precision.dtype, recompute)

    def _state_is_due(self) -> bool:
        if not self.processes.first:
            return False
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
        """One update from the mean gradient of ``accumulate`` batches; returns the loss's terms as last read."""
        recipe = self.recipe.training
        rate = rate_at(self.step, recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        share, end = self.processes.share(recipe.batch), (self.step + 1) * recipe.accumulate
        for number in range(self.step * recipe.accumulate, end):
            with exchanging(self.answering, now=number == end - 1):
                total, terms = self._answer(maker.batch(number, share), number)
                (total / recipe.accumulate).backward()
            for name, term in {"loss": total, **terms}.items():
                part = term.detach() / recipe.accumulate
                sums[name] = sums[name] + part if name in sums else part
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm or math.inf)
        self.readings.add(self.step + 1, sums, norm)
        # A finite loss may still have a gradient that is not; one such update would ruin the weights. Where it is read
        # later, nothing is saved before.
        if self.readings.due:
            self.readings.read()
        self.optimiser.step()
        self.step += 1
        if self.processes.size > 1 and not recipe.sync_batch_norm:
            average_statistics(self.network)
        update_average(self.averaged, self.network, recipe.ema, self.step)
        return {**self.readings.newest, "rate": rate}

    def _answer(self, batch: Batch, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch, with its terms; of all processes' shares of it where there are several."""
        self.seen.update(batch.sentences)
        found: tuple[Tensor, dict[str, Tensor]] = self.answering(*self._given(batch, number))
        return found

    def _given(self, batch: Batch, number: int) -> tuple[Any, ...]:
        """What ``answering`` takes."""
        text = self.cache.states(batch.sentences)
        # Where padding counts, it is to be as long as beside the sentences of the other processes.
        text = padded(text, self.processes.highest(text.mask.shape[1]))
        text = sent_text(text, self.device)
        images = sent(batch.images, self.device).contiguous(memory_format=torch.channels_last)
        masks = sent(batch.masks, self.device)
        drawing = generator_of(self.recipe.training.seed, number, self.processes.rank, self.device)
        return self.loss, images, text, masks, self.recipe.sentences, drawing

    def _validate(self, terms: dict[str, float], board: TensorBoard | None) -> None:
        self.readings.read()
        terms.update(self.readings.newest)
        self._clock()
        found = overlap(self.averaged, self.val, self.recipe.image.convention, self.cache, self.device, self.processes)
        line = {
            "step": self.step,
            **{name: round(value, 6) for name, value in terms.items()},
            "val_mean_dice": found.mean_dice,
            "val_mean_iou": found.mean_iou,
            "val_pooled_dice": found.pooled_dice,
            "val_images": found.images,
            "training_seconds": round(self.seconds, 1),
        }
        if board is not None:
            self.log.add(line)
            board.add(line)
        self._gather_seen()
        if found.mean_dice > self.best["dice"]:
            self.best = {"dice": found.mean_dice, "iou": found.mean_iou, "pooled": found.pooled_dice, "step": self.step}
            if self.processes.first:
                self._save_checkpoint(self.averaged)
        self._save_state()
        if self.processes.first and time.perf_counter() - self._drawn >= SECONDS_BETWEEN_CURVES:
            write_curves(self.folder, self.log.lines(), self.recipe.name)
            self._drawn = time.perf_counter()
        self._since = time.perf_counter()

    def _gather_seen(self) -> None:
        self.seen.update(*self.processes.everyone(sorted(self.seen)))

    def _save_state(self) -> None:
        self.readings.read()
        self._clock()
        self._gather_seen()
        if not self.processes.first:
            return
        notes = {
            "recipe": self.recipe.as_dict(),
            "hashes": self.described["hashes"],
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
            "processes": self.started,
        }
        card = build_card(
            self.recipe,
            dict(getattr(network, "options", {})),
            self.cache.encoder.describe(),
            self.colour,
            self.described,
            run,
            len(self.seen),
            chosen.presence,
            stopped,
            chosen.calibration,
        )
        save_checkpoint(self.folder / CHECKPOINT_NAME, network, card, dtype=self.recipe.card.dtype)


def train(
    recipe: Recipe, folder: str | Path, device: str = "auto", progress: Progress | None = None, resume: bool = True
) -> TrainingResult:
    """Train a recipe into a folder; see :class:`Trainer`. Under torchrun all its processes train it together."""
    with joined() as processes:
        return Trainer(recipe, folder, device, progress, resume, processes).run()


__all__: Sequence[str] = ["Slice", "Trainer", "TrainingResult", "train"]
