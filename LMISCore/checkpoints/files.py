"""Where the parts of a checkpoint lie, without torch: which file holds the weights and which the card.

Two forms. A folder holds ``weights.safetensors`` and ``card.json`` (and companion files such as a text tower).
A single ``.safetensors`` file holds the card in its own metadata, under the key ``card``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from LMISCore.checkpoints.card import Card
from LMISCore.errors import InputError
from LMISCore.resources import resource

WEIGHTS_NAME = "weights.safetensors"
CARD_NAME = "card.json"
CARD_KEY = "card"
_PICKLE_SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".pkl")
# A header longer than this is refused by safetensors itself; reading it would only fill the memory.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of one checkpoint; ``card`` is None where the card lies inside the weights file."""

    path: Path
    weights: Path
    card: Path | None

    @property
    def folder(self) -> Path:
        """Where companion files lie."""
        return self.weights.parent


def bundled_checkpoint() -> Path:
    """Return the path of the weights that come with the package.

    Raises:
        InputError: if the installation lacks them.
    """
    found = sorted(resource("weights").glob("*.safetensors"))
    if len(found) != 1:
        raise InputError(
            f"The installed LMISCore has {len(found)} weights files in resources/weights, expected one; "
            "reinstall the package or name a checkpoint."
        )
    return found[0]


def locate(path: str | Path) -> CheckpointFiles:
    """Find weights and card of a checkpoint folder or file; a file inside the folder form stands for the folder.

    Raises:
        InputError: if there is no checkpoint at ``path``; the sentence says what there is.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"No checkpoint at {path}; expected a folder with {WEIGHTS_NAME} or a .safetensors file.")
    if path.is_dir():
        return _folder(path)
    if path.name in (WEIGHTS_NAME, CARD_NAME) and (path.parent / CARD_NAME).is_file():
        return _folder(path.parent)
    if _is_pickle(path):
        raise InputError(
            f"{path} is a PyTorch file, not a checkpoint of LMISCore; "
            f"convert it first with: lmis convert --from tirnet {path} OUT"
        )
    return CheckpointFiles(path, path, None)


def read_card(path: str | Path) -> Card:
    """Read the card of a checkpoint, and nothing of its weights.

    Raises:
        InputError: if there is no checkpoint or its card cannot be used.
    """
    files = locate(path)
    text = _text(files.card) if files.card is not None else _card_in_metadata(files.weights)
    try:
        return Card.from_json(text)
    except InputError as error:
        raise InputError(f"{files.card or files.weights}: {error}") from error


def _folder(path: Path) -> CheckpointFiles:
    missing = [name for name in (WEIGHTS_NAME, CARD_NAME) if not (path / name).is_file()]
    if missing:
        raise InputError(
            f"The folder {path} lacks {' and '.join(missing)}; expected a checkpoint folder with "
            f"{WEIGHTS_NAME} and {CARD_NAME}."
        )
    return CheckpointFiles(path, path / WEIGHTS_NAME, path / CARD_NAME)


def _is_pickle(path: Path) -> bool:
    """True for what torch.save writes: by its first bytes (a zip or a pickle), or by its name when it is empty."""
    start = _first_bytes(path, 2)
    return start in (b"PK", b"\x80\x02") or (not start and path.suffix.lower() in _PICKLE_SUFFIXES)


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; expected the card of a checkpoint as JSON.") from error


def _card_in_metadata(path: Path) -> str:
    """Read the header of a safetensors file (8 bytes of length, then JSON) and return the card's text."""
    length = int.from_bytes(_first_bytes(path, 8), "little")
    raw = _first_bytes(path, 8 + length)[8:] if 0 < length <= _LONGEST_HEADER else b""
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise not_safetensors(path) from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    if not isinstance(metadata, dict) or CARD_KEY not in metadata:
        raise InputError(
            f"{path} holds no card, so nothing says what its weights are; expected a checkpoint that LMISCore saved."
        )
    return str(metadata[CARD_KEY])


def not_safetensors(path: Path) -> InputError:
    """The error for a file that is something else, or only the beginning of a safetensors file."""
    return InputError(
        f"{path} is not a whole safetensors file (damaged, cut short or something else); "
        "copy it again, or name a checkpoint that LMISCore saved."
    )
