"""ConvNeXt as an image encoder (Liu et al., arXiv 2201.03545), on the blocks of ``transformers``.

Random weights need no file. Released ones come from a local folder, or from huggingface.co where a model is named;
nothing is fetched otherwise, and only safetensors files are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from LMISCore.errors import InputError
from LMISCore.networks.blocks import pad_to_multiple
from LMISCore.networks.options import check_counts, check_depths
from LMISCore.networks.outputs import ImageFeatures

LEVELS = 4
STRIDES = (4, 8, 16, 32)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's colours, which released weights expect unless their folder says else."""
PREPROCESSOR = "preprocessor_config.json"


class ConvNeXt(nn.Module):
    """Four levels of widths C, 2C, 4C, 8C at 1/4, 1/8, 1/16, 1/32, each layer-normalised over its channels.

    Two things differ from the defaults of ``transformers``, both for random weights alone:

    * the bias of the first convolution is random. It is followed by a normalisation over channels, and without a bias
      ``norm(b w)`` does not depend on the brightness ``b`` of an even patch: dark and bright would look alike.
    * ``layer_scale`` starts at 0.1. At the usual 1e-6, which suits hundreds of epochs, all blocks start as identities.

    Args:
        width: C (96 in ConvNeXt-Tiny).
        depths: blocks in each level (3, 3, 9, 3 in ConvNeXt-Tiny).
        layer_scale: first value of the blocks' own scales.
    """

    stride = STRIDES[-1]
    image_mean: Tensor
    image_deviation: Tensor

    def __init__(self, width: int, depths: Sequence[int], layer_scale: float) -> None:
        super().__init__()
        check_counts(width=width)
        check_depths(depths, LEVELS)
        # Takes a second to import, which only this network's users need wait for.
        from transformers import ConvNextConfig, ConvNextModel

        self.widths = tuple(width * 2**level for level in range(LEVELS))
        self.depths = tuple(depths)
        model: Any = ConvNextModel(
            ConvNextConfig(
                hidden_sizes=list(self.widths), depths=list(depths), layer_scale_init_value=layer_scale, image_size=224
            )
        )
        self.embeddings = model.embeddings
        self.stages = model.encoder.stages
        self.norms = nn.ModuleList(nn.LayerNorm(channels, eps=1e-6) for channels in self.widths)
        first = self.embeddings.patch_embeddings
        # As far apart as an even patch one standard deviation from mean brightness would move the channels.
        with torch.no_grad():
            first.bias.normal_().mul_(first.weight.std() * first.weight[0].numel() ** 0.5)
        self.register_buffer("image_mean", torch.full((3,), 0.5))
        self.register_buffer("image_deviation", torch.full((3,), 0.25))

    def start_from(self, source: str) -> str:
        """Take released weights and the colours' mean and deviation that belong to them.

        Args:
            source: a local folder of ``transformers`` (config.json and model.safetensors), or a name such as
                ``facebook/convnext-tiny-224``, which is fetched from huggingface.co unless it was before.

        Returns:
            what the weights are: name and sha256 of their values.

        Raises:
            InputError: if there is no such model, it is no ConvNeXt, or its sizes are others.
        """
        model = _released(source)
        widths, depths = tuple(model.config.hidden_sizes), tuple(model.config.depths)
        if widths != self.widths or depths != self.depths:
            raise InputError(
                f"The ConvNeXt in {source} has widths {widths} and depths {depths}, the network {self.widths} and "
                f"{self.depths}; set network.options.width={widths[0]} and depths={list(depths)}."
            )
        self.embeddings.load_state_dict(model.embeddings.state_dict())
        self.stages.load_state_dict(model.encoder.stages.state_dict())
        mean, deviation = _colours(Path(source))
        self.image_mean.copy_(torch.tensor(mean))
        self.image_deviation.copy_(torch.tensor(deviation))
        return f"{Path(source).name}, sha256 {_hash(model)}"

    def forward(self, image: Tensor) -> ImageFeatures:
        """Features of ``(B, 3, H, W)`` images in [0, 1], padded to a multiple of the stride; fine to coarse."""
        height, width = image.shape[-2:]
        x = (image - self.image_mean.view(3, 1, 1)) / self.image_deviation.view(3, 1, 1)
        x = self.embeddings(pad_to_multiple(x, self.stride))
        levels = []
        for stage, norm in zip(self.stages, self.norms, strict=True):
            x = stage(x)
            levels.append(norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return ImageFeatures(tuple(levels), (height, width))


def _released(source: str) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import ConvNextModel

    from LMISCore.text.transformers_folder import quiet_loading

    local = Path(source).is_dir()
    if not local and (source.count("/") != 1 or source.startswith((".", "/", "~"))):
        raise InputError(
            f"There is no folder {source} to start the image encoder from; give a folder with config.json and "
            "model.safetensors, or a model's name such as facebook/convnext-tiny-224."
        )
    try:
        with quiet_loading():
            model, info = ConvNextModel.from_pretrained(
                source, local_files_only=local, use_safetensors=True, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"The image encoder cannot start from {source} ({first}); give an unchanged ConvNeXt folder with "
            "config.json and model.safetensors, or a name that can be reached."
        ) from error
    missing = [*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])]
    if missing or model.config.model_type != "convnext":
        raise InputError(
            f"The weights in {source} are no whole ConvNeXt (missing: {', '.join(missing[:3]) or 'its kind'}); "
            "give an unchanged folder such as that of facebook/convnext-tiny-224."
        )
    return model


def _colours(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation that the folder's preprocessor states, else ImageNet's."""
    try:
        stated = json.loads((folder / PREPROCESSOR).read_text(encoding="utf-8"))
        mean, deviation = [float(v) for v in stated["image_mean"]], [float(v) for v in stated["image_std"]]
    except (OSError, ValueError, KeyError, TypeError):
        return IMAGENET
    return (mean, deviation) if len(mean) == len(deviation) == 3 and min(deviation) > 0 else IMAGENET


def _hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
