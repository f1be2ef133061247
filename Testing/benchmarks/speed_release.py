"""Time a checkout of a released network beside ours, where its path is given; nothing of it is part of this package."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import speed_networks as nets
import torch
from speed_count import gflop
from speed_measures import interleaved, picture


def released(
    folder: str, network: str, options: str, inputs: str, ours: str, weights: str, rounds: int
) -> dict[str, Any]:
    """Seconds of one image by a released network, by our base and by our paths, in turn.

    Args:
        folder: the checkout, put in front of Python's path.
        network: ``module:Class`` or ``module:function`` that builds it.
        options: JSON of its keyword arguments.
        inputs: what its call takes, in order, of image, ids (token numbers), mask (1 on real tokens), states.
        ours: name of our network to put beside it.
        weights, rounds: as for the other measurements.
    """
    module, _, builder = network.partition(":")
    if not builder:
        raise SystemExit(f"--release-network is {network}; expected MODULE:CLASS, such as nets.Model:Model")
    sys.path.insert(0, folder)
    model: Any = getattr(importlib.import_module(module), builder)(**json.loads(options))
    model = model.eval()
    encoder = nets.RandomClip()
    image = picture()
    ids, mask = encoder._tokenise(nets.SENTENCES[0])
    text = encoder.encode(nets.SENTENCES[:1])
    known = {"image": image, "ids": ids, "mask": mask.long(), "states": text.states}
    unknown = [name for name in inputs.split(",") if name not in known]
    if unknown:
        raise SystemExit(f"--release-inputs names {unknown[0]}; expected some of {', '.join(known)}")
    given = [known[name] for name in inputs.split(",")]
    mine = nets.build(ours, None)
    base, best = nets.Base(mine, encoder), nets.Prepared(mine, encoder, torch.float32)

    def run(call: Any) -> Any:
        def once() -> None:
            with torch.no_grad():
                call()

        return once

    runs = {
        "released": run(lambda: model(*given)),
        "base": run(lambda: base(image, nets.SENTENCES[0])),
        "prepared copy, Winograd, fp32": run(lambda: best(image, nets.SENTENCES[0])),
    }
    return {"seconds": interleaved(runs, rounds), "gflop": gflop(lambda: model(*given))}
