"""The predictor: a volume and a report in, one obedient mask per affirmed and present sentence out.

Each slice goes through the image encoder once, whatever the number of sentences; each distinct sentence goes through
the text encoder once, whatever the number of slices; only masks stay in memory.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LMISCore import __version__
from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint
from LMISCore.errors import InputError, OutOfMemoryError
from LMISCore.inference.answers import collect_answers, finish_rows, fraction
from LMISCore.inference.backend import Backend
from LMISCore.inference.cleanup import Cleanup
from LMISCore.inference.devices import choose_device, choose_precision
from LMISCore.inference.engine import Engine
from LMISCore.inference.maps import Explanation, explain_slices
from LMISCore.inference.memory import MemoryEstimate, free_bytes, readable_bytes
from LMISCore.inference.naming import distinct_names
from LMISCore.inference.place_free import add_agreements, second_asks
from LMISCore.inference.plan import Ask, ProgressCallback, Tracker, keep_only, names_levels, plan_rows
from LMISCore.inference.result import CaseResult
from LMISCore.inference.slices import LEVELS, SlicePictures, organ_slices, plane_of_words, prepare_slices
from LMISCore.metrics.platt import Platt
from LMISCore.networks import without_training_parts
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.findings import Vocabulary
from LMISCore.text.report import Report, parse_report
from LMISCore.text.states import TextEncoder, TextStates
from LMISCore.volumes.volume import Volume

_log = logging.getLogger(__name__)


class Predictor:
    """A checkpoint on a device, ready for any number of volumes and reports.

    Args:
        checkpoint: a path, a loaded checkpoint (its network is copied and stays as it is), or None for the weights
            that come with the package.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        batch_size: slices at a time; None takes what fits a quarter of the free memory. Does not change the masks.
        cache_folder: where text embeddings are kept between runs; None keeps them in memory only.
        precision: "fp32" (the default: masks agree between machines), "bf16", or "auto" for bf16 where the hardware
            multiplies in it.
        encoder: the text encoder, its name or its folder; None takes the one that the card names.
        prepared: false runs the network itself on a processor too, not a copy made for it: slower, with equal masks.
        backend: "auto", "torch" or "openvino", see ``LMISCore.inference.backend``; graphs are kept in ``cache_folder``.

    Raises:
        InputError: for a wrong checkpoint, device, precision, backend or text encoder.
        MissingDependencyError: if the text encoder's package (on first use) or the backend's is not installed.
    """

    def __init__(
        self,
        checkpoint: str | Path | Checkpoint | None = None,
        device: str = "auto",
        batch_size: int | None = None,
        cache_folder: str | Path | None = None,
        precision: str = "fp32",
        encoder: TextEncoder | str | Path | None = None,
        prepared: bool = True,
        backend: str = "auto",
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"The batch size is {batch_size}; give 1 or more slices at a time, or leave it out.")
        choice = choose_device(device)
        arithmetic = choose_precision(precision, choice.name)
        if isinstance(checkpoint, Checkpoint):
            self.checkpoint, network = checkpoint, without_training_parts(checkpoint.network)
        else:
            loaded = load_checkpoint(checkpoint)
            network = without_training_parts(loaded.network)
            # Nothing else holds the loaded network, so a copy of it can take its place layer by layer.
            self.checkpoint = loaded = dataclasses.replace(loaded, network=network)
        self.card = self.checkpoint.card
        self.vocabulary = Vocabulary.from_card(self.card.vocabulary)
        calibration = Platt.from_card(self.card.calibration)
        size, computes = self.card.image_size, Backend(backend, checkpoint, cache_folder, self.checkpoint.hash)
        given = isinstance(checkpoint, Checkpoint)
        self.engine = Engine(network, choice, arithmetic, size, batch_size, calibration, prepared, computes, given)
        if not given:  # the network that was loaded is let go where a copy runs
            self.checkpoint = dataclasses.replace(self.checkpoint, network=self.engine.network)
        self._cache_folder = cache_folder
        self._encoder = encoder
        self._cache: EmbeddingCache | None = None

    @property
    def cache(self) -> EmbeddingCache:
        """The text encoder with its memory, loaded on first use.

        Raises:
            InputError: if the encoder is not the one the network was trained with.
        """
        if self._cache is None:
            encoder = self._encoder
            if not isinstance(encoder, TextEncoder):
                encoder = text_encoder_for(self.checkpoint, source=encoder)
            elif encoder.hash != self.card.text_encoder["hash"]:
                raise InputError(
                    f"The text encoder {encoder.name} (sha256 {encoder.hash[:12]}) is not the one that the checkpoint "
                    f"{self.card.name} was trained with (sha256 {self.card.text_encoder['hash'][:12]}); "
                    "use the encoder the card names."
                )
            self._cache = EmbeddingCache(encoder, self._cache_folder)
        return self._cache

    def estimate_memory(
        self, volume: Volume | tuple[int, int, int], sentences: int, keep_probability: bool = False
    ) -> MemoryEstimate:
        """State how many bytes a run needs beyond the volume, the program and its text encoder, before running it.

        Args:
            volume: the volume, or its shape (K, J, I).
            sentences: distinct sentences that are asked.
            keep_probability: as in :meth:`segment`.
        """
        shape = volume.geometry.shape if isinstance(volume, Volume) else volume
        voxels = shape[0] * shape[1] * shape[2]
        batch = min(self.engine.batch_size, max(shape))
        return MemoryEstimate(
            network=self.engine.weight_bytes,
            working=self.engine.working_bytes(batch, sentences),
            masks=voxels * (sentences + 1) if sentences else 0,
            probabilities=2 * voxels * (sentences + 1) if keep_probability and sentences else 0,
            batch_size=batch,
        )

    def segment(
        self,
        volume: Volume,
        report: Report | str,
        progress: ProgressCallback | None = None,
        force: frozenset[str] | set[str] = frozenset(),
        intensity: str = "auto",
        keep_probability: bool = False,
        organ_mask: np.ndarray | None = None,
        cleanup: Cleanup | None = None,
        mask_threshold: float | None = None,
        presence_threshold: float | None = None,
        only: frozenset[str] | set[str] = frozenset(),
        agreement: bool = False,
        language: str | None = None,
        skip_air: bool = True,
    ) -> CaseResult:
        """Segment what the report's affirmed sentences say, on exactly the volume's grid.

        Args:
            volume: any geometry, grey or colour.
            report: text, or a parsed report; its text is read with this checkpoint's own vocabulary in any case.
            progress: called with (done, total, stage); returning False cancels.
            force: ids of sentences that get a mask whatever their state and presence.
            intensity: "auto", "hu" or "picture".
            keep_probability: keep ``(K, J, I)`` probabilities of the sentences asked, in whole thousandths.
            organ_mask: ``(K, J, I)``, non-zero inside; head-feet words then mean thirds of this organ's extent
                instead of the volume's. Nothing is cropped by it.
            cleanup: components to drop; None drops nothing.
            mask_threshold, presence_threshold: instead of the card's.
            only: ids of the sentences to run; empty runs all. Their masks are those of a run of all.
            agreement: also ask for each distinct finding by its name alone and compare side, place, number and size
                with the words; costs one more decode a slice for each such name and changes no mask.
            language: code of the report's language; None tells it by its words.
            skip_air: do not ask slices in HU that show nothing but air (``SlicePictures.shows_air``).

        Raises:
            InputError: for a report without sentences, an unknown id, an organ mask of another shape, values
                that the card's convention cannot take, or weights that were trained without any text.
            Cancelled: if ``progress`` returned False.
            OutOfMemoryError: if not even one slice at a time fits.
        """
        self._check_reads_text()
        thresholds = {
            "mask": fraction("mask threshold", mask_threshold, self.card.thresholds["mask"]),
            "presence": fraction("presence threshold", presence_threshold, self.card.thresholds["presence"]),
        }
        cleanup = cleanup or Cleanup()
        # Findings of another vocabulary would leave clauses in the prompts that these weights must not be asked about.
        report = parse_report(report if isinstance(report, str) else report.text, self.vocabulary, language)
        pictures = prepare_slices(volume, self.card.image, intensity)
        extent = (0, pictures.count)
        if organ_mask is not None:
            extent = organ_slices(organ_mask, volume, pictures.canonical)
        extent_of = "volume" if organ_mask is None else "organ"
        plane = plane_of_words(volume, pictures.canonical, self.card.image, self.card.vocabulary["places"])
        rows, asks = plan_rows(report, self.vocabulary, frozenset(force), plane, pictures.count, extent, extent_of)
        rows, asks = keep_only(rows, asks, frozenset(only))
        seconds = second_asks(rows, asks, pictures.count) if agreement else {}
        everything = [*asks, *seconds.values()]
        estimate = self.estimate_memory(volume, len(everything), keep_probability)
        warnings = [*volume.warnings, *self._memory_warnings(estimate)]
        if self.card.image["plane"] == "picture" and not volume.is_picture_2d:
            warnings.append("These weights were made for single pictures; the volume is read in axial slices.")
        if organ_mask is None and plane == "axial" and pictures.count >= len(LEVELS) and names_levels(asks):
            warnings.append(
                "Words such as upper or lower were taken as thirds of the whole volume from feet to head; give a mask "
                "of the organ (--organ) to have them mean thirds of the organ."
            )
        tracker = Tracker(progress, sum(len(ask.slices) for ask in everything))
        states = self._states(everything, tracker)
        self.engine.expect(pictures.count, tracker.total)
        kind = pictures.normaliser
        _log.info("Device: %s Precision: %s", self.engine.device.reason, self.engine.precision.reason)
        _log.info("Intensity: %s (%s), convention %s.", kind.kind, pictures.kind_reason, kind.convention)
        _log.info("%s", estimate.sentence())
        self.engine.warnings.clear()
        try:
            cut = thresholds["mask"]
            air = collect_answers(self.engine, pictures, everything, states, tracker, cut, keep_probability, skip_air)
            tracker(tracker.total, "restoring")
            add_agreements(asks, seconds, pictures.canonical, volume, organ_mask)
            for ask in asks:
                finish_rows(ask, pictures, volume, thresholds, cleanup)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"The masks of {len(asks)} sentences on {readable_bytes(volume.array.size)[:-3]} million voxels do not "
                "fit the memory; give fewer sentences, or close other programs."
            ) from error
        segments = [row for row in rows if row.mask is not None]
        for row, name in zip(segments, distinct_names([row.name for row in segments]), strict=True):
            row.name = name
        provenance = self._provenance(volume, pictures, thresholds, cleanup, estimate, extent, extent_of)
        provenance["air_slices"] = air
        notes = warnings + self.engine.warnings
        return CaseResult(volume.geometry, rows, provenance, notes, volume.spacing_known, report.language)

    def _check_reads_text(self) -> None:
        text = self.card.recipe.get("text")
        if isinstance(text, dict) and text.get("ignore"):
            raise InputError(
                f"The checkpoint {self.card.name} was trained without text and would give every sentence the same "
                "mask; it serves for comparison in an evaluation only, so give a checkpoint that reads text."
            )

    def _states(self, asks: list[Ask], tracker: Tracker) -> list[TextStates]:
        """Token states of each question; the text encoder is loaded only if there is one."""
        if not asks:
            return []
        tracker(0, "reading the text")
        # One by one: a sentence's states, and so its mask, then do not hang on the other sentences' lengths.
        return [self.cache.states([ask.text]) for ask in asks]

    def explain(
        self,
        volume: Volume,
        sentence: str,
        intensity: str = "auto",
        names: Sequence[str] | None = None,
        progress: ProgressCallback | None = None,
    ) -> Explanation:
        """Show what the network's inner maps make of one sentence, as ``(K, J, I)`` float32 by name.

        Args:
            volume: any geometry.
            sentence: sent as it is, on every slice.
            intensity: "auto", "hu" or "picture".
            names: which maps; None gives the probability and all maps (4 bytes a voxel each).
            progress: called with (done, total, stage); returning False cancels.

        Raises:
            InputError: for a name that the network does not have, or an empty sentence.
        """
        if not sentence.strip():
            raise InputError("The sentence to explain is empty; give one sentence.")
        pictures = prepare_slices(volume, self.card.image, intensity)
        return explain_slices(
            self.engine, pictures, self.cache.states([sentence]), names, Tracker(progress, pictures.count)
        )

    def network_probability(self, image: np.ndarray, sentences: Sequence[str]) -> np.ndarray:
        """Ask every sentence of every picture; features are computed once per picture.

        Args:
            image: ``(N, C, h, w)`` float32 in [0, 1], normalised and of the network's size; C is 1 or 3.
            sentences: S texts, sent as they are.

        Returns:
            probability ``(S, N, h, w)`` float32, S x N x h x w x 4 bytes.

        Raises:
            ValueError: if ``image`` is not of that shape.
        """
        if image.ndim != 4 or image.shape[1] not in (1, 3):
            raise ValueError(f"image has shape {image.shape}, expected (N, 1, h, w) or (N, 3, h, w)")
        distinct = {text: self.cache.states([text]) for text in dict.fromkeys(sentences)}
        found = np.zeros((len(sentences), len(image), *image.shape[2:]), dtype=np.float32)
        rows = {text: [row for row, other in enumerate(sentences) if other == text] for text in distinct}

        def work(part: list[int]) -> None:
            pictures = np.repeat(image[part].astype(np.float32), 3 // image.shape[1], axis=1)
            features = self.engine.features(pictures)
            for text, states in distinct.items():
                found[np.ix_(rows[text], part)] = self.engine.probability(features, states).numpy()

        self.engine.in_batches(range(len(image)), work)
        return found

    def _memory_warnings(self, estimate: MemoryEstimate) -> list[str]:
        free = free_bytes("cpu")
        host = estimate.total if self.engine.device.kind == "cpu" else estimate.total - estimate.device
        if free is None or host <= free:
            return []
        return [f"{estimate.sentence()} Only {readable_bytes(free)} are free, so the run may be slow or stop."]

    def _provenance(
        self,
        volume: Volume,
        pictures: SlicePictures,
        thresholds: dict[str, float],
        cleanup: Cleanup,
        estimate: MemoryEstimate,
        extent: tuple[int, int],
        extent_of: str,
    ) -> dict[str, Any]:
        engine, card = self.engine, self.card
        return {
            "version": __version__,
            "network": card.network,
            "checkpoint": card.name,
            "checkpoint_hash": self.checkpoint.hash,
            "text_encoder": {"name": card.text_encoder["name"], "hash": card.text_encoder["hash"]},
            "volume": volume.name,
            "plane": pictures.canonical.plane,
            "intensity": {
                "convention": pictures.normaliser.convention,
                "kind": pictures.normaliser.kind,
                "reason": pictures.kind_reason,
            },
            "level_extent": {"of": extent_of, "first_slice": extent[0], "end_slice": extent[1]},
            "thresholds": thresholds,
            "cleanup": cleanup.describe(),
            "device": {"name": engine.device.name, "reason": engine.device.reason},
            "precision": {"name": engine.precision.name, "reason": engine.precision.reason},
            "backend": {"name": engine.backend.name, "reason": engine.backend.reason},
            "batch_size": engine.batch_size,
            "memory_estimate_bytes": estimate.total,
            "torch": torch.__version__,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
