"""The networks that ``speed_benchmark.py`` times: the base, each switch alone, and the best path.

The base is the released arithmetic run plainly: ``variant="release"`` at width 64, eager, channels first, without
gradient, one image at a time, the CLIP text tower anew for each image and, as the RecLMIS release does, the
reconstruction that nothing reads. Its operations are counted, so that anyone can see that nothing was put in its way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from LMISCore.inference.devices import choose_precision
from LMISCore.inference.openvino_network import OpenVINONetwork, graphs_of, installed
from LMISCore.inference.prepared import prepare, runs_under_autocast
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.networks import create_network
from LMISCore.text.states import TextEncoder

LENGTH = 18
WIDTH = 64
SIZE = 224
NETWORKS = ("reclmis", "tirnet", "tmca")
# GFLOP of an image in the releases, counted once with the authors' code: 2 for each multiply-add.
RELEASED_GFLOP = {"reclmis": 58.7, "tirnet": 49.6}
SENTENCES = tuple(
    f"Infection in the {place}."
    for place in ("left lung", "right lung", "posterior left lung", "posterior right lung", "anterior right lung")
)
Run = Callable[[], Tensor]


class RandomClip(TextEncoder):
    """The CLIP ViT-B/32 text tower with random weights: what a sentence costs, without a file of 250 MB.

    Words get a number each in the order in which they first come; that is all its tokeniser knows.
    """

    def __init__(self) -> None:
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        torch.manual_seed(0)
        model: Any = CLIPTextModelWithProjection(CLIPTextConfig())
        super().__init__(model, "cpu")
        self.name, self.width, self.length, self.hash = "clip-random", 512, LENGTH, "c" * 64
        self._numbers: dict[str, int] = {}

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        words = [self._numbers.setdefault(word, len(self._numbers) + 1) for word in sentence.lower().split()]
        ids = [49406, *words[: self.length - 2], 49407]
        row = torch.zeros(1, self.length, dtype=torch.int64)
        row[0, : len(ids)] = torch.tensor(ids)
        return row, row != 0

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        model: Any = self.model
        hidden: Tensor = model.text_projection(model.text_model(input_ids=ids).last_hidden_state)
        return hidden


class KnownStates(RandomClip):
    """Sentences whose states are known already: drawn numbers in place of a text tower."""

    def __init__(self) -> None:
        TextEncoder.__init__(self, nn.Identity(), "cpu")
        self.name, self.width, self.length, self.hash = "clip-random", 512, LENGTH, "c" * 64
        self._numbers: dict[str, int] = {}

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.randn(*ids.shape, self.width, generator=torch.Generator().manual_seed(int(ids.sum())))


def build(name: str, weights: Path | None = None, slim: bool = False) -> Any:
    """A network at the papers' width; with the weights of :func:`train_shortly` where there are some.

    Args:
        name: of the network.
        weights: folder with ``NAME.safetensors``.
        slim: without what only training needs, as a stripped checkpoint is read.
    """
    torch.manual_seed(1)
    options: dict[str, Any] = {} if name == "tmca" else {"width": WIDTH, "variant": "release"}
    if slim and name != "tirnet":
        options["auxiliary"] = False
    file = None if weights is None else weights / f"{name}.safetensors"
    if file is None or not file.is_file():
        return create_network(name, text_width=512, **options).eval()
    with torch.device("meta"):
        network: Any = create_network(name, text_width=512, **options).eval()
    with safe_open(file, "pt") as stored:
        network.load_state_dict({key: stored.get_tensor(key) for key in network.state_dict()}, assign=True)
    return network


def train_shortly(name: str, encoder: TextEncoder, pictures: Tensor, masks: Tensor, steps: int, folder: Path) -> None:
    """Teach a network left from right on made-up pictures, so that its masks have a border to move; kept in ``folder``.

    Args:
        name: of the network.
        encoder: for the sentences.
        pictures: ``(2, 3, h, w)`` in [0, 1].
        masks: ``(2, 1, h, w)``, what the first and the second sentence name.
        steps: of Adam, each with all pictures and both sentences.
        folder: where ``NAME.safetensors`` is written.
    """
    torch.manual_seed(2)
    network = build(name).train()
    text = encoder.encode(SENTENCES[:2])
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 1e-3)
    count = len(pictures)
    images = pictures.repeat(2, 1, 1, 1)
    truth = masks.repeat_interleave(count, 0)
    states, mask = text.states.repeat_interleave(count, 0), text.mask.repeat_interleave(count, 0)
    for _ in range(steps):
        optimiser.zero_grad()
        found = network(images, states, mask).logits
        probability = found.sigmoid()
        dice = 1 - (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
        loss = dice + nn.functional.binary_cross_entropy_with_logits(found, truth)
        loss.backward()
        optimiser.step()
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / f"{name}.safetensors")


class Base:
    """One image, one sentence, the released way.

    Args:
        network: of :func:`build`.
        encoder: the text tower.
    """

    def __init__(self, network: Any, encoder: TextEncoder, text_once: bool = False, dead_work: bool = True) -> None:
        self.network, self.encoder = network, encoder
        self.kept: dict[str, Any] | None = {} if text_once else None
        self.reconstructs = dead_work and getattr(network, "auxiliary", None) is not None and network.name == "reclmis"

    def __call__(self, image: Tensor, sentence: str) -> Tensor:
        """Logits ``(B, 1, H, W)``."""
        text = None if self.kept is None else self.kept.get(sentence)
        if text is None:
            text = self.encoder.encode([sentence])
            if self.kept is not None:
                self.kept[sentence] = text
        text = text.to(image.device)
        states, mask = text.states.expand(len(image), -1, -1), text.mask.expand(len(image), -1)
        features = self.network.encode_image(image)
        logits: Tensor = self.network.decode(features, states, mask).logits
        if self.reconstructs:
            tokens, _ = self.network.join(features.levels[len(self.network.STAGES)], states, mask)
            self.network.auxiliary(tokens)
        return logits


class Prepared:
    """The best path: text once, image features once, the prepared copy.

    Args:
        network: of :func:`build`.
        encoder: the text tower.
        dtype: float32 or bfloat16.
        fused: packed kernels; false for PyTorch's public functions.
        compiled: by ``torch.compile`` with frozen weights.
        winograd: 3x3 convolutions in float32 by Winograd's products where that pays.
    """

    def __init__(
        self,
        network: Any,
        encoder: TextEncoder,
        dtype: torch.dtype,
        fused: bool = True,
        compiled: bool = False,
        winograd: bool = True,
    ) -> None:
        found = prepare(network, dtype)
        assert found is not None
        self.network: Any = found
        self.encoder = encoder
        self.autocast = dtype if runs_under_autocast(found) and dtype != torch.float32 else None
        self.texts: dict[str, Any] = {}
        if isinstance(found, PreparedNetwork):
            found.use_fused(fused and not compiled)
            found.use_winograd(winograd)
        if compiled:
            compile_frozen(self.network)

    def text(self, sentence: str) -> Any:
        if sentence not in self.texts:
            self.texts[sentence] = self.encoder.encode([sentence])
        return self.texts[sentence]

    def features(self, image: Tensor) -> Any:
        with self._arithmetic():
            return self.network.encode_image(image)

    def decode(self, features: Any, sentence: str) -> Tensor:
        text = self.text(sentence)
        states, mask = text.states, text.mask
        if not isinstance(self.network, PreparedNetwork):
            count = len(features.levels[0])
            states, mask = states.expand(count, -1, -1), mask.expand(count, -1)
        with self._arithmetic():
            logits: Tensor = self.network.decode(features, states, mask).logits
        return logits.float()

    def __call__(self, image: Tensor, *sentences: str) -> Tensor:
        """Logits of each sentence, side by side in the batch."""
        features = self.features(image)
        return torch.cat([self.decode(features, sentence) for sentence in sentences])

    def _arithmetic(self) -> Any:
        return nullcontext() if self.autocast is None else torch.autocast("cpu", self.autocast)


def compile_frozen(network: Any) -> None:
    """Let ``torch.compile`` fuse both halves of a network, its weights being constants."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    network.encode_image = torch.compile(network.encode_image)
    network.decode_read = torch.compile(network.decode_read)


@dataclass(frozen=True)
class Switch:
    """One way to run: its name, whether it is a whole path or one switch on the base, and how to build it."""

    name: str
    kind: str
    build: Callable[[Any, TextEncoder, Tensor], Run]


# Rows that differ by the convolutions' kernels, which only copies of a class of their own can choose.
WITH_A_CHOICE_OF_KERNELS = (
    "prepared copy, public functions, fp32",
    "prepared copy, packed kernels, fp32",
    "prepared copy, public functions, bf16",
)


def switches(with_compile: bool) -> list[Switch]:
    """The base first, each switch alone on it, then the paths that join them."""
    bf16 = torch.bfloat16
    sentence = SENTENCES[0]

    def base(network: Any, encoder: TextEncoder, image: Tensor, **how: bool) -> Run:
        call = Base(network, encoder, **how)
        return _under(torch.no_grad, lambda: call(image, sentence))

    def last(network: Any, encoder: TextEncoder, image: Tensor) -> Run:
        moved = copy.deepcopy(network).to(memory_format=torch.channels_last)
        return base(moved, encoder, image.contiguous(memory_format=torch.channels_last))

    def cast(network: Any, encoder: TextEncoder, image: Tensor) -> Run:
        call = Base(network, encoder)

        def run() -> Tensor:
            with torch.no_grad(), torch.autocast("cpu", bf16):
                return call(image, sentence)

        return run

    def path(
        dtype: torch.dtype, fused: bool = True, compiled: bool = False, count: int = 1, winograd: bool = True
    ) -> Any:
        def make(network: Any, encoder: TextEncoder, image: Tensor) -> Run:
            call = Prepared(network, encoder, dtype, fused, compiled, winograd)
            images = image.repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)
            context = torch.no_grad if compiled else torch.inference_mode
            return _under(context, lambda: call(images, sentence)[:1])

        return make

    found = [
        Switch("base", "base", base),
        Switch("text once", "switch", lambda n, e, i: base(n, e, i, text_once=True)),
        Switch("dead work gone", "switch", lambda n, e, i: base(n, e, i, dead_work=False)),
        Switch("channels last", "switch", last),
        Switch("prepared copy, public functions, fp32", "path", path(torch.float32, fused=False)),
        Switch("prepared copy, packed kernels, fp32", "path", path(torch.float32, winograd=False)),
        Switch("prepared copy, Winograd, fp32", "path", path(torch.float32)),
    ]
    if choose_precision("auto", "cpu").dtype is not None:
        found += [
            Switch("bf16 autocast", "switch", cast),
            Switch("prepared copy, public functions, bf16", "path", path(bf16, fused=False)),
            Switch("prepared copy, packed kernels, bf16", "path", path(bf16)),
            Switch("four pictures at a time, bf16", "path of 4", path(bf16, count=4)),
        ]
    if with_compile:
        found.append(Switch("torch.compile, fp32", "path", path(torch.float32, compiled=True)))
        if choose_precision("auto", "cpu").dtype is not None:
            found.append(Switch("torch.compile, bf16", "path", path(bf16, compiled=True)))
            found += [Switch("OpenVINO, bf16", "path", _openvino)] if installed() else []
    return found


def _openvino(network: Any, encoder: TextEncoder, image: Tensor) -> Run:
    call, size = Prepared(network, encoder, torch.bfloat16), (image.shape[-2], image.shape[-1])
    graphs, _ = graphs_of(call.network, lambda: Prepared(network, encoder, torch.bfloat16).network, size, None)
    call.network = OpenVINONetwork(call.network, graphs, size)
    return _under(torch.inference_mode, lambda: call(image, SENTENCES[0]))


def _under(context: Callable[[], Any], call: Run) -> Run:
    def run() -> Tensor:
        with context():
            return call()

    return run
