"""What a text encoder gives: token states and the mask of real tokens."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class TextStates:
    """Token states of B sentences.

    Attributes:
        states: ``(B, L, D)`` float32. Rows past a sentence's own tokens are zero, or what the encoder itself
            gives its padding (the releases' CLIP convention, where padding takes part).
        mask: ``(B, L)`` bool, True on real tokens.
    """

    states: Tensor
    mask: Tensor

    def to(self, device: str | torch.device) -> TextStates:
        """The same on another device."""
        return TextStates(self.states.to(device), self.mask.to(device))

    def __len__(self) -> int:
        return self.states.shape[0]


def stack_states(rows: Sequence[tuple[Tensor, Tensor]], width: int) -> TextStates:
    """Pad ``(L_i, D)`` states and ``(L_i,)`` masks with zeros and False to the longest: ``(B, L, D)``, ``(B, L)``."""
    longest = max((len(mask) for _, mask in rows), default=0)
    states = torch.zeros(len(rows), longest, width)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for row, (own_states, own_mask) in enumerate(rows):
        states[row, : len(own_mask)] = own_states
        mask[row, : len(own_mask)] = own_mask
    return TextStates(states, mask)


class TextEncoder(ABC):
    """A frozen text encoder; its results live on the CPU and are ordinary (not inference-mode) tensors.

    Sentences run through the model one at a time, so that a sentence's states have the same bits whatever company
    it is encoded in; each distinct sentence is needed only once (see ``EmbeddingCache``), which keeps this cheap.

    Attributes:
        name: ``minilm``, ``clip-vit-b32``, ``cxr-bert`` or the folder's name.
        width: D.
        length: largest number of tokens, special ones included; longer text is cut.
        hash: SHA-256 over the weights and the tokeniser's convention; equal hashes mean equal states.
    """

    name: str
    width: int
    length: int
    hash: str

    def __init__(self, model: torch.nn.Module, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.model = model.float().eval().requires_grad_(False).to(self.device)

    @abstractmethod
    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        """Return ids ``(1, L)`` int64 and the mask of real tokens ``(1, L)`` bool, on the CPU."""

    @abstractmethod
    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the states ``(B, L, D)`` of ``ids`` ``(B, L)``."""

    def encode_ids(self, ids: Tensor, mask: Tensor) -> TextStates:
        """Return the states of token ids ``(B, L)`` int64 with their mask ``(B, L)``, for callers that tokenise."""
        mask = mask.bool()
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=False):
            hidden = self._hidden(ids.to(self.device), mask.to(self.device))
        # Cloned outside inference mode: autograd refuses to save an inference tensor, and a network trains on these.
        return TextStates(hidden.clone().float().cpu(), mask.cpu())

    def encode_one(self, sentence: str) -> tuple[Tensor, Tensor]:
        """Return the states ``(L, D)`` and the mask ``(L,)`` of one sentence; an empty one has its special tokens."""
        # Half a surrogate pair, as broken files hold, is no text to a tokeniser.
        found = self.encode_ids(*self._tokenise(sentence.encode("utf-8", "replace").decode("utf-8")))
        return found.states[0], found.mask[0]

    def encode(self, sentences: Sequence[str]) -> TextStates:
        """Return ``(B, L, D)`` states of B sentences, padded to the longest of them; equal sentences run once."""
        distinct = {sentence: self.encode_one(sentence) for sentence in dict.fromkeys(sentences)}
        return stack_states([distinct[sentence] for sentence in sentences], self.width)

    def describe(self) -> dict[str, Any]:
        """Return what a checkpoint's card keeps of its encoder: name, hash, width, length."""
        return {"name": self.name, "hash": self.hash, "width": self.width, "length": self.length}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def combined_hash(convention: str, digests: Sequence[tuple[str, str]]) -> str:
    """Return one SHA-256 over a convention's words and named digests (in the order of their names)."""
    lines = [convention, *(f"{name} {digest}" for name, digest in sorted(digests))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
