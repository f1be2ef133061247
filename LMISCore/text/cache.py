"""One embedding per distinct sentence, kept in memory and, if wished, on disk.

Files are named by the encoder's hash and the sentence's SHA-256 and hold numbers only: no report text reaches the disk.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from LMISCore.atomic import atomic_path
from LMISCore.text.states import TextEncoder, TextStates, stack_states

# Threads of one process share a temporary name in atomic_path, so they write one after the other;
# processes differ by their number.
_WRITING = threading.Lock()

Row = tuple[Tensor, Tensor]


class EmbeddingCache:
    """Token states by sentence: from memory, else from ``folder``, else from the encoder.

    Args:
        encoder: the frozen text encoder.
        folder: where to keep files between runs; None keeps them in memory only. A file that is cut short, altered
            or of another encoder is computed anew and replaced.

    Safe to share between threads; several processes may use one folder.
    """

    def __init__(self, encoder: TextEncoder, folder: str | Path | None = None) -> None:
        self.encoder = encoder
        self.folder = None if folder is None else Path(folder) / encoder.hash[:16]
        self._memory: dict[str, Row] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._memory)

    def forget(self, keep: int) -> None:
        """Drop the sentences met first until ``keep`` are left in memory; files stay."""
        with self._lock:
            for sentence in list(self._memory)[: max(0, len(self._memory) - keep)]:
                del self._memory[sentence]

    def states(self, sentences: Sequence[str]) -> TextStates:
        """Return ``(B, L, D)`` states and ``(B, L)`` mask of B sentences, padded to the longest, on the CPU.

        Raises:
            InputError: if the folder cannot be written.
        """
        return stack_states([self._row(sentence) for sentence in sentences], self.encoder.width)

    def _row(self, sentence: str) -> Row:
        with self._lock:
            row = self._memory.get(sentence)
            if row is None:
                row = self._from_disk(sentence)
                if row is None:
                    row = self.encoder.encode_one(sentence)
                    self._to_disk(sentence, row)
                self._memory[sentence] = row
            return row

    def _path(self, sentence: str) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"{hashlib.sha256(sentence.encode('utf-8', 'surrogatepass')).hexdigest()}.safetensors"

    def _from_disk(self, sentence: str) -> Row | None:
        path = self._path(sentence)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                states, mask = file.get_tensor("states").clone(), file.get_tensor("mask").clone()
        except (SafetensorError, OSError, ValueError):
            return None
        return (states, mask) if metadata == self._seal(states, mask) else None

    def _to_disk(self, sentence: str, row: Row) -> None:
        path = self._path(sentence)
        if path is None:
            return
        states, mask = row[0].contiguous(), row[1].contiguous()
        with _WRITING, atomic_path(path) as temporary:
            save_file({"states": states, "mask": mask}, temporary, metadata=self._seal(states, mask))

    def _seal(self, states: Tensor, mask: Tensor) -> dict[str, str]:
        # One key alone: safetensors writes several in an order that changes from run to run.
        return {"seal": f"{self.encoder.hash} {_digest(states, mask)}"}


def _digest(states: Tensor, mask: Tensor) -> str:
    """Return the SHA-256 over shapes, types and bytes: safetensors itself does not notice a flipped bit."""
    digest = hashlib.sha256()
    for tensor in (states, mask):
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
