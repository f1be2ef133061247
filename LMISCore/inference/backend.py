"""What computes a prepared network: PyTorch, or OpenVINO where the work is enough to pay for getting it ready.

The estimate of ``auto``: a run asks ``pictures`` and ``answers`` (a sentence of a slice each); with the seconds that
one of each takes, by PyTorch and by OpenVINO, it saves ``pictures * (p - p') + answers * (a - a')``. Work done so far
by this process counts as work still to come, so that a long table of cases pays for what one volume does not. OpenVINO
is taken when that is more than the seconds of getting ready. PyTorch's seconds are measured once; those of OpenVINO
too, from the first time that it was got ready, and stand until then as ``EXPECTED`` has them. With a folder, graphs
and seconds are kept there for the next process, by weights, picture size, arithmetic and versions.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from LMISCore import __version__
from LMISCore.atomic import write_json
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint
from LMISCore.errors import InputError, LMISError, MissingDependencyError
from LMISCore.inference.openvino_network import OpenVINONetwork, graphs_of, installed
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.inference.prepared_reclmis import PreparedRecLMIS
from LMISCore.inference.prepared_tirnet import PreparedTIRNet

_log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "openvino")
# Shares of an image's and an answer's time that OpenVINO saves, and seconds of getting ready, where nothing has been
# measured yet: from a processor with AMX. RecLMIS gains a tenth at most, and in float32 nothing is gained.
EXPECTED = {("tirnet", torch.bfloat16): (0.0, 0.25)}
EXPECTED_MAKING, EXPECTED_READING = 10.0, 2.0
# A graph that answers otherwise than the network on more pixels than this of a picture of noise is not used.
MOST_FLIPPED = 0.02
_FORMAT = 1
_WORDS = 8


@dataclass(frozen=True)
class Seconds:
    """Of one picture through the encoder, and of one answer for it."""

    picture: float
    answer: float

    def of(self, pictures: int, answers: int) -> float:
        return pictures * self.picture + answers * self.answer


class Backend:
    """The wish, the estimate, and what was decided why.

    Args:
        wish: "auto", "torch" or "openvino".
        source: where the weights come from; they are read anew when a graph is made of them.
        folder: where graphs and measured seconds are kept; None, or a source that is no file, keeps nothing.
        weights: hash of the weights.

    Attributes:
        name, reason: what computes, and why, in a sentence.

    Raises:
        InputError: for another wish.
        MissingDependencyError: if OpenVINO is asked for and not installed.
    """

    def __init__(
        self,
        wish: str = "torch",
        source: str | Path | Checkpoint | None = None,
        folder: str | Path | None = None,
        weights: str = "",
    ) -> None:
        if wish not in BACKENDS:
            raise InputError(f"The backend is {wish!r}; give one of {', '.join(BACKENDS)}.")
        if wish == "openvino" and not installed():
            raise MissingDependencyError(
                "The backend openvino was asked for, but OpenVINO is not installed; install the extra openvino, or "
                "leave --backend out."
            )
        self.wish, self.name, self.reason = wish, "torch", "torch, nothing else was asked for."
        self._source, self._weights = source, weights
        # A network in memory may have changed since its hash was taken.
        self._folder = None if folder is None or isinstance(source, Checkpoint) else Path(folder) / "compiled"
        self._done = 0.0

    def network_for(self, running: nn.Module, size: tuple[int, int], pictures: int, answers: int) -> nn.Module:
        """The network that is to compute what comes: ``running`` itself, or one that took its place.

        Args:
            running: what computes now.
            size: (h, w) of pictures.
            pictures: slices of the run.
            answers: slices times sentences, of the run.

        Raises:
            InputError: if OpenVINO was asked for and cannot run this network.
        """
        if self.wish == "torch" or not answers or isinstance(running, OpenVINONetwork):
            return running
        network, self.reason = running, self._hindrance(running)
        try:
            if not self.reason:
                assert isinstance(running, PreparedNetwork)
                network = self._decided(running, size, pictures, answers)
        except (RuntimeError, ValueError, TypeError, OSError, LMISError) as error:
            self.reason = f"torch, since OpenVINO failed ({str(error).strip().splitlines()[0][:200]})."
        self.name = "openvino" if isinstance(network, OpenVINONetwork) else "torch"
        if self.wish == "openvino" and self.name == "torch":
            raise InputError(f"The backend openvino cannot be used: {self.reason} Use --backend torch.")
        _log.info("Backend: %s", self.reason)
        return network

    def back_to_torch(self, running: nn.Module) -> nn.Module:
        """A network whose inner maps can be seen, which OpenVINO's graphs do not show."""
        if not isinstance(running, OpenVINONetwork):
            return running
        self.name, self.reason = "torch", "torch, since the network's inner maps were asked for."
        return self._fresh(running.dtype)

    def _hindrance(self, running: nn.Module) -> str:
        if not isinstance(running, PreparedRecLMIS | PreparedTIRNet):
            return "torch, since this network has no copy prepared for the processor."
        return "" if installed() else "torch, since OpenVINO is not installed."

    def _decided(self, running: PreparedNetwork, size: tuple[int, int], pictures: int, answers: int) -> nn.Module:
        """``running``, or a network on OpenVINO; ``reason`` says why."""
        key = self._key(running, size)
        graphs = None if self._folder is None else self._folder / key
        kept = Figures(None if self._folder is None else self._folder / f"{key}-{torch.get_num_threads()}.json")
        shares = EXPECTED.get((running.name, running.dtype), (0.0, 0.0))
        if self.wish == "auto" and kept.openvino is None and not any(shares):
            self.reason = f"torch, since OpenVINO is not known to be faster for {running.name} in {_name(running)}."
            return running
        kept.torch = kept.torch or measured(running, size)
        now = kept.torch.of(pictures, answers)
        expected = kept.openvino or Seconds(kept.torch.picture * (1 - shares[0]), kept.torch.answer * (1 - shares[1]))
        saved = now - expected.of(pictures, answers)
        if self.wish == "auto":
            # What was done so far tells how much is still to come.
            gain = saved * (1 + self._done / max(now, 1e-9))
            price = kept.reading if graphs is not None and graphs.is_dir() else kept.making
            self._done += now
            if gain <= price:
                kept.write()
                self.reason = (
                    f"torch, since OpenVINO would save {max(gain, 0):.1f} s and takes {price:.1f} s to get ready."
                )
                return running
        started = time.perf_counter()
        compiled, read = graphs_of(running, lambda: self._fresh(running.dtype), size, graphs)
        network = OpenVINONetwork(running, compiled, size)
        flipped = _flipped(running, network, size)
        seconds = time.perf_counter() - started
        if flipped > MOST_FLIPPED:
            raise ValueError(
                f"its mask of a test picture differs from PyTorch's on {100 * flipped:.1f} % of the pixels"
            )
        kept.openvino = measured(network, size)
        kept.making, kept.reading = (kept.making, seconds) if read else (seconds, kept.reading)
        kept.write()
        saved = now - kept.openvino.of(pictures, answers)
        if self.wish == "auto" and saved <= 0:
            self.reason = "torch, since OpenVINO proved no faster on this machine."
            return running
        network.take_over()
        why = "it was asked for" if self.wish == "openvino" else f"it saves {saved:.1f} s of a run like this one"
        self.reason = f"openvino, since {why}; its graphs were {'read' if read else 'made'} in {seconds:.1f} s."
        return network

    def _fresh(self, dtype: torch.dtype) -> PreparedNetwork:
        source = self._source
        network = source.network if isinstance(source, Checkpoint) else load_checkpoint(source).network
        found = prepare(network.eval(), dtype)
        assert isinstance(found, PreparedNetwork)
        return found

    def _key(self, running: PreparedNetwork, size: tuple[int, int]) -> str:
        versions = [_FORMAT, __version__, torch.__version__, version("openvino")]
        values = [self._weights, running.name, list(size), _name(running), versions]
        return sha256(json.dumps(values).encode()).hexdigest()[:32]


class Figures:
    """Seconds measured on this machine: of each backend, and of making graphs anew and of reading kept ones.

    Args:
        path: JSON file that holds them; one that is missing or damaged counts as not measured. None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.torch: Seconds | None = None
        self.openvino: Seconds | None = None
        self.making, self.reading = EXPECTED_MAKING, EXPECTED_READING
        try:
            values = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
            self.torch, self.openvino = (
                None if values.get(name) is None else Seconds(**values[name]) for name in ("torch", "openvino")
            )
            self.making, self.reading = values.get("making", self.making), values.get("reading", self.reading)
        except (OSError, ValueError, TypeError, AttributeError):
            self.torch = self.openvino = None

    def write(self) -> None:
        """Keep them for the next process."""
        if self.path is not None:
            found = {name: None if value is None else asdict(value) for name, value in self._each()}
            write_json(self.path, found | {"making": self.making, "reading": self.reading})

    def _each(self) -> list[tuple[str, Seconds | None]]:
        return [("torch", self.torch), ("openvino", self.openvino)]


def measured(network: PreparedNetwork, size: tuple[int, int]) -> Seconds:
    """Seconds of a picture and of an answer: the better of two after a first that packs the weights."""
    image, text = _test_picture(network, size)
    best = [float("inf")] * 2
    with torch.inference_mode():
        for number in range(3):
            times = [time.perf_counter()]
            features = network.encode_image(image)
            times.append(time.perf_counter())
            network.decode_read(features, text)
            times.append(time.perf_counter())
            if number:
                best = [min(old, end - start) for old, (start, end) in zip(best, pairwise(times), strict=True)]
    return Seconds(*best)


def _flipped(one: PreparedNetwork, other: PreparedNetwork, size: tuple[int, int]) -> float:
    """Share of the pixels of a picture of noise on which two networks' masks differ."""
    image, text = _test_picture(one, size)
    with torch.inference_mode():
        masks = [network.decode_read(network.encode_image(image), text).logits > 0 for network in (one, other)]
    return float((masks[0] != masks[1]).float().mean())


def _test_picture(network: PreparedNetwork, size: tuple[int, int]) -> tuple[Tensor, Any]:
    """A picture of smooth noise and the reading of a made-up sentence, always the same."""
    source = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, size[0] // 16 + 2, size[1] // 16 + 2, generator=source)
    image = nn.functional.interpolate(image, size, mode="bilinear")
    states = torch.randn(1, _WORDS, network.text_width, generator=source)
    with torch.inference_mode():
        return image, network.read_text(states, torch.ones(1, _WORDS, dtype=torch.bool))


def _name(network: PreparedNetwork) -> str:
    return "bf16" if network.dtype == torch.bfloat16 else "fp32"
