"""What ``speed_benchmark.py`` measures of training: seconds and memory of a step, and whether the loss falls alike."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import speed_networks as nets
import torch
from speed_measures import peak_megabytes
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.inference.allocator import keep_freed_memory
from LMISCore.inference.devices import choose_precision
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network
from LMISCore.networks.recompute import autocast, recomputing
from LMISCore.training.compiling import compile_network
from LMISCore.training.parts import recomputes
from LMISCore.training.recipe import ImageRecipe, Recipe, TrainingRecipe

PLAIN = TrainingRecipe(recompute="never")
COMPILED = TrainingRecipe(compile="always")


@dataclass(frozen=True)
class Setting:
    """How a step is made; the base is float32, channels first, and AdamW as it comes."""

    channels_last: bool = False
    bf16: bool = False
    fused: bool = False
    allocator: bool = False
    recipe: TrainingRecipe = PLAIN


SETTINGS = {
    "base": Setting(),
    "channels last": Setting(channels_last=True),
    "bf16 autocast": Setting(bf16=True),
    "fused AdamW": Setting(fused=True),
    "allocator": Setting(allocator=True),
    "maps made again": Setting(recipe=TrainingRecipe(recompute="always")),
    "all but the allocator, maps kept": Setting(channels_last=True, bf16=True, fused=True),
    "all but the allocator": Setting(channels_last=True, bf16=True, fused=True, recipe=TrainingRecipe()),
    "all, maps kept": Setting(channels_last=True, bf16=True, fused=True, allocator=True),
    "all, compiled": Setting(channels_last=True, bf16=True, fused=True, allocator=True, recipe=COMPILED),
    "all": Setting(channels_last=True, bf16=True, fused=True, allocator=True, recipe=TrainingRecipe()),
}


class Steps:
    """Training steps on drawn pictures and sentences.

    Args:
        name: of the network.
        setting: how.
        batch, size: pictures and their side.
        width: C; the papers' is 64.
        seed: of weights and of what the network draws.
        device: where the steps are made.
    """

    def __init__(
        self,
        name: str,
        setting: Setting,
        batch: int,
        size: int,
        width: int = nets.WIDTH,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(seed)
        options: dict[str, Any] = {} if name == "tmca" else {"width": width, "variant": "release"}
        if name == "tmca" and width != nets.WIDTH:
            options = {"width": width, "depths": [1, 1, 2, 1], "embedding": 32}
        network: Any = create_network(name, text_width=512, **options).train().to(device)
        if setting.channels_last:
            network = network.to(memory_format=torch.channels_last)
        self.network = network
        self.loss = LOSSES[name]()
        self.setting = setting
        recipe = Recipe(name, image=ImageRecipe(size=(size, size)), training=replace(setting.recipe, batch=batch))
        self.dtype = choose_precision("auto", torch.device(device).type).dtype if setting.bf16 else None
        compile_network(network, self.loss, recipe, self.dtype)
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(parameters, 3e-4, fused=setting.fused)
        self.draw = torch.Generator().manual_seed(100)
        self.batch, self.size = batch, size
        self.device = torch.device(device)
        self.inside = torch.Generator(device).manual_seed(seed)

    def data(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pictures with a bright square on one side, and a sentence's states that say which side the mask has."""
        b, s = self.batch, self.size
        images = torch.rand(b, 1, s, s, generator=self.draw) * 0.3
        states = torch.randn(b, nets.LENGTH, 512, generator=self.draw) * 0.1
        masks = torch.zeros(b, s, s)
        for row in range(b):
            top, left = (int(v) for v in torch.randint(0, s // 4, (2,), generator=self.draw))
            side = s // 4
            for half in (0, s // 2):
                images[row, :, top : top + side, half + left : half + left + side] += 0.5
            asked = int(torch.randint(0, 2, (), generator=self.draw))
            states[row] += (asked - 0.5) * 2
            start = asked * (s // 2) + left
            masks[row, top : top + side, start : start + side] = 1
        pictures = images.expand(-1, 3, -1, -1).contiguous()
        if self.setting.channels_last:
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        given = pictures, states, torch.ones(b, nets.LENGTH, dtype=torch.bool), masks
        return tuple(tensor.to(self.device) for tensor in given)  # type: ignore[return-value]

    def step(self, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> float:
        """One update; its loss."""
        images, states, mask, truth = given
        self.optimiser.zero_grad(set_to_none=True)
        again = recomputes(self.setting.recipe, self.network, self.device)
        with recomputing(again):
            with autocast(self.device.type, self.dtype):
                output = self.network(images, states, mask, self.inside)
            total, _ = self.loss(output, truth)
        total.backward()
        self.optimiser.step()
        return float(total.detach())


def train(name: str, what: str, steps: int, batch: int, size: int) -> dict[str, Any]:
    """Seconds of each step but the first, and the process's peak memory; or why the setting cannot be."""
    setting = SETTINGS[what]
    if setting.allocator and not keep_freed_memory():
        raise SystemExit("the allocator's settings did not take effect; is this glibc?")
    try:
        run = Steps(name, setting, batch, size)
    except InputError as error:
        return {"refused": str(error)}
    given = run.data()
    seconds = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        run.step(given)
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds[1:], "peak": peak_megabytes()}


def curve(name: str, steps: int, width: int, batch: int, size: int, seeds: int) -> dict[str, Any]:
    """Loss curves of the base and of all switches together, with several seeds each: do they differ more than seeds do?

    Returns:
        both means over seeds at ten places, the spread between seeds, and the largest distance of the means in units
        of the spread of a mean of that many seeds.
    """
    curves: dict[str, Tensor] = {}
    for what in ("base", "all but the allocator"):
        rows = []
        for seed in range(seeds):
            run = Steps(name, SETTINGS[what], batch, size, width, seed)
            rows.append([run.step(run.data()) for _ in range(steps)])
        curves[what] = torch.tensor(rows)
    window = max(steps // 10, 1)
    smooth = {key: rows.unfold(1, window, window).mean(-1) for key, rows in curves.items()}
    base, fast = smooth["base"], smooth["all but the allocator"]
    spread = torch.cat([base - base.mean(0), fast - fast.mean(0)]).square().sum(0).div(2 * (seeds - 1)).sqrt()
    distance = (base.mean(0) - fast.mean(0)).abs()
    return {
        "base": base.mean(0).tolist(),
        "all but the allocator": fast.mean(0).tolist(),
        "spread": spread.tolist(),
        "largest_distance": float((distance / (spread * math.sqrt(2 / seeds)).clamp_min(1e-9)).max()),
    }
