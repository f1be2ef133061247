"""LMISCore: language-guided medical image segmentation, one segment per affirmed sentence of a report.

Importing this package is cheap and imports no torch; the public names below are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Card": "LMISCore.checkpoints.card",
    "Checkpoint": "LMISCore.checkpoints.store",
    "LMISError": "LMISCore.errors",
    "NETWORKS": "LMISCore.networks",
    "Predictor": "LMISCore.inference.predictor",
    "Report": "LMISCore.text.report",
    "Volume": "LMISCore.volumes.volume",
    "create_encoder": "LMISCore.text.encoders",
    "create_network": "LMISCore.networks",
    "load_checkpoint": "LMISCore.checkpoints.store",
    "parse_report": "LMISCore.text.report",
    "read_volume": "LMISCore.volumes.files",
    "save_checkpoint": "LMISCore.checkpoints.store",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from LMISCore.checkpoints.card import Card
    from LMISCore.checkpoints.store import Checkpoint, load_checkpoint, save_checkpoint
    from LMISCore.errors import LMISError
    from LMISCore.inference.predictor import Predictor
    from LMISCore.networks import NETWORKS, create_network
    from LMISCore.text.encoders import create_encoder
    from LMISCore.text.report import Report, parse_report
    from LMISCore.volumes.files import read_volume
    from LMISCore.volumes.volume import Volume


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
