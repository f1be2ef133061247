"""A prepared network whose pictures go through OpenVINO: one graph of the image, one of the decoder.

Features are computed once per picture, and each further sentence only runs the second graph. Pictures go one by one,
because shapes must be static (free ones lose the gain), and maps pass from graph to graph as they lie, in the network's
own arithmetic with the channels of a pixel side by side. What hangs on the sentence's length stays in PyTorch, so that
no sentence needs a graph of its own. Nothing is sent anywhere: the telemetry that comes with OpenVINO is not loaded.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from LMISCore.atomic import atomic_path
from LMISCore.inference.prepared_layers import Convolution, channels_last
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.inference.prepared_reclmis import PreparedRecLMIS
from LMISCore.inference.prepared_tirnet import PreparedTIRNet
from LMISCore.inference.prepared_tirnet import ReadText as StageText
from LMISCore.networks.blocks import crop
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput

GRAPHS = ("image", "decoder")
_RECORD = "files.json"


def installed() -> bool:
    """Whether the package is there; it is not loaded."""
    return importlib.util.find_spec("openvino") is not None


def load_openvino() -> Any:
    """The package, without the telemetry that it would start when it is loaded."""
    if "openvino" not in sys.modules:
        # OpenVINO takes a stand-in that does nothing where this package is missing.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class _Image(nn.Module):
    def __init__(self, network: PreparedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return self.network.encode_image(image).levels


class _RecLMISDecoder(nn.Module):
    """From the deepest map after it has met the words; its other half takes any number of words."""

    def __init__(self, network: PreparedRecLMIS) -> None:
        super().__init__()
        self.stages, self.head = network.stages, network.head

    def forward(self, x: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        for stage, part in zip(self.stages, reversed(parts), strict=True):
            x = stage(x, part)
        return (self.head(x),)


class _TIRNetDecoder(nn.Module):
    def __init__(self, network: PreparedTIRNet, levels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.levels, self.size = network, levels, size

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        features = ImageFeatures(given[: self.levels], self.size)
        values = given[self.levels :]
        each = len(values) // len(self.network.stages)
        texts = [
            StageText(*values[first : first + each], *[None] * (2 - each)) for first in range(0, len(values), each)
        ]
        return (self.network.decode_read(features, texts).logits,)


class OpenVINONetwork(PreparedNetwork):
    """Takes a running prepared network's place.

    Args:
        running: the prepared network; it goes on reading the text.
        graphs: of :func:`graphs_of`, compiled.
        size: (h, w) of the only pictures that it takes.
    """

    def __init__(self, running: PreparedNetwork, graphs: Sequence[Graph], size: tuple[int, int]) -> None:
        super().__init__(running, running.dtype)  # type: ignore[arg-type]
        self.reader, self.size = running, size
        self.image, self.decoder = graphs
        self.packed_bytes = sum(graph.bytes for graph in graphs)

    def take_over(self) -> None:
        """Let go what only the prepared network needed to run by itself."""
        for module in self.reader.modules():
            if isinstance(module, Convolution):
                module.weight = module.bias = module.packed = module.winograd = None
                module.packed_bytes = 0

    def encode_image(self, image: Tensor) -> ImageFeatures:
        if tuple(image.shape[-2:]) != self.size:
            raise ValueError(f"pictures of {tuple(image.shape[-2:])} pixels in graphs made for {self.size}")
        each = [self.image([picture]) for picture in image.float().split(1)]
        return ImageFeatures(tuple(torch.cat(level) if len(each) > 1 else level[0] for level in zip(*each)), self.size)  # noqa: B905

    def read_text(self, states: Tensor, mask: Tensor) -> Any:
        return self.reader.read_text(states, mask)

    def decode_read(self, features: ImageFeatures, text: Any) -> NetworkOutput:
        given = _given(self.reader, features, text)
        each = [self.decoder([tensor[row : row + 1] for tensor in given])[0] for row in range(len(given[0]))]
        return NetworkOutput(crop(torch.cat(each), self.size), {})


def _given(network: PreparedNetwork, features: ImageFeatures, text: Any) -> list[Tensor]:
    """The decoder's inputs, one row for each picture."""
    if not isinstance(network, PreparedRecLMIS):
        count = len(features.levels[0])
        return [*features.levels, *(value.expand(count, -1) for stage in text for value in stage if value is not None)]
    count = len(network.numbers)
    parts, deepest = features.levels[:count], features.levels[count]
    batch, _, height, width = deepest.shape
    words, mask = text.words.expand(batch, -1, -1), text.mask.expand(batch, -1)
    _, patches, _ = network.interactor(deepest, words, mask)
    return [channels_last(patches.transpose(1, 2).unflatten(2, (height, width))), *parts]


class Graph:
    """A compiled graph that reads and writes PyTorch's own memory."""

    def __init__(self, compiled: Any, weight_bytes: int) -> None:
        self.request = compiled.create_infer_request()
        self.inputs = [_Place(place) for place in compiled.inputs]
        self.outputs = [_Place(place) for place in compiled.outputs]
        self.bytes = weight_bytes

    def __call__(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Run on one picture; maps ``(1, C, H, W)`` with channels last."""
        # Kept until the run is over: the request does not hold them.
        tensors = [place.arranged(tensor) for place, tensor in zip(self.inputs, given, strict=True)]
        results = [place.empty() for place in self.outputs]
        for number, (place, tensor) in enumerate(zip(self.inputs, tensors, strict=True)):
            self.request.set_input_tensor(number, place.shared(tensor))
        for number, (place, tensor) in enumerate(zip(self.outputs, results, strict=True)):
            self.request.set_output_tensor(number, place.shared(tensor))
        self.request.infer()
        return [place.as_map(tensor) for place, tensor in zip(self.outputs, results, strict=True)]


class _Place:
    """One input or output: its shape, type, and whether its channels lie last."""

    def __init__(self, place: Any) -> None:
        self.shape, self.type = place.get_shape(), place.get_element_type()
        self.dtype = torch.bfloat16 if self.type.get_type_name() == "bf16" else torch.float32
        self.last = "last" in place.get_node().get_friendly_name() + "".join(place.get_names())

    def empty(self) -> Tensor:
        return torch.empty(tuple(self.shape), dtype=self.dtype)

    def arranged(self, tensor: Tensor) -> Tensor:
        tensor = tensor.permute(0, 2, 3, 1) if self.last else tensor
        return tensor.to(self.dtype).contiguous()

    def as_map(self, tensor: Tensor) -> Tensor:
        return tensor.permute(0, 3, 1, 2) if self.last else tensor

    def shared(self, tensor: Tensor) -> Any:
        # NumPy has no bfloat16.
        bits = tensor.view(torch.int16) if self.dtype == torch.bfloat16 else tensor
        return load_openvino().Tensor(bits.numpy(), self.shape, self.type)


def graphs_of(
    running: PreparedNetwork, make: Callable[[], PreparedNetwork], size: tuple[int, int], folder: Path | None
) -> tuple[list[Graph], bool]:
    """Compile the two graphs, from ``folder`` where they were kept whole, else anew and then kept there.

    Args:
        running: in use; only its type counts.
        make: gives one like it that has not run yet, to be converted; not called where the graphs are kept.
        size: (h, w) of pictures.
        folder: of these weights, this size and these versions only; None keeps nothing.

    Returns:
        the graphs, and whether they were kept.
    """
    openvino = load_openvino()
    kept = folder is not None and _is_whole(folder)
    if folder is not None and not kept:
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            for name, model in zip(GRAPHS, _models(make(), size), strict=True):
                openvino.save_model(model, str(temporary / f"{name}.xml"), compress_to_fp16=False)
            hashes = {path.name: _hash(path) for path in sorted(temporary.iterdir())}
            (temporary / _RECORD).write_text(json.dumps(hashes), encoding="utf-8")
    core = openvino.Core()
    models = [core.read_model(str(folder / f"{name}.xml")) for name in GRAPHS] if folder else _models(make(), size)
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if running.dtype == torch.bfloat16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # Workers beside each other would all be bound to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    found = []
    for model in models:
        constants = (node for node in model.get_ops() if node.get_type_name() == "Constant")
        size_each = sum(node.get_byte_size() for node in constants)
        found.append(Graph(core.compile_model(model, "CPU", hints), size_each))
    return found, kept


def _models(network: PreparedNetwork, size: tuple[int, int]) -> list[Any]:
    """The graphs with arithmetic in float32, which compiling brings to the wanted type."""
    dtype = network.dtype
    for module in network.modules():
        if isinstance(getattr(module, "dtype", None), torch.dtype):
            module.__dict__["dtype"] = torch.float32
    network.float().use_fused(False)
    with torch.no_grad():
        image = torch.zeros(1, 3, *size)
        levels = _Image(network)(image)
        text = network.read_text(torch.zeros(1, 2, network.text_width), torch.ones(1, 2, dtype=torch.bool))
        given = _given(network, ImageFeatures(levels, size), text)
        decoder: nn.Module
        if isinstance(network, PreparedRecLMIS):
            decoder = _RecLMISDecoder(network)
        else:
            assert isinstance(network, PreparedTIRNet)
            decoder = _TIRNetDecoder(network, len(levels), size)
        return [_model(_Image(network), [image], dtype), _model(decoder, given, dtype)]


def _model(module: nn.Module, given: Sequence[Tensor], dtype: torch.dtype) -> Any:
    openvino = load_openvino()
    with warnings.catch_warnings():
        # The exporter's own, about its own insides.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(torch.export.export(module.eval(), tuple(given)))
    for place, tensor in zip(model.inputs, given, strict=True):
        place.get_node().set_partial_shape(openvino.PartialShape(list(tensor.shape)))
    model.validate_nodes_and_infer_types()
    wanted = openvino.Type.bf16 if dtype == torch.bfloat16 else openvino.Type.f32
    around = openvino.preprocess.PrePostProcessor(model)
    for sort, places in ((around.input, model.inputs), (around.output, model.outputs)):
        for number, place in enumerate(places):
            # Maps of one channel and the picture itself are float32 and lie the same way in both orders.
            if len(place.shape) == 4 and place.shape[1] > 3 and place.shape[2] > 1:
                place.get_tensor().set_names({f"{number} channels last"})
                sort(number).model().set_layout(openvino.Layout("NCHW"))
                sort(number).tensor().set_element_type(wanted).set_layout(openvino.Layout("NHWC"))
    return around.build()


def _is_whole(folder: Path) -> bool:
    try:
        hashes: dict[str, str] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return len(hashes) == 2 * len(GRAPHS) and all(_hash(folder / name) == value for name, value in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return sha256(file.read()).hexdigest()
