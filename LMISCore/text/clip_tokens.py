"""CLIP's tokeniser in the convention of the released networks: 49406, words, 49407, then zeros.

The byte-pair merges are OpenAI's (``resources/clip``); the tokeniser built from them is that of ``transformers``,
which pads with 49407 where the releases pad with 0.
"""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.resources import resource

START, END = 49406, 49407
RELEASE_LENGTH = 18
"""Tokens per sentence in the releases of RecLMIS and TIRNet."""

_MERGES = 49152 - 256 - 2
"""OpenAI's vocabulary: 256 bytes, 256 word-ending bytes, these merges, 2 special tokens; the file holds more."""

_RELEASE_WORDS = 9
_PLAIN_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})  # noqa: RUF001


def clip_ids(sentences: Sequence[str], length: int = RELEASE_LENGTH, append_eof: bool = False) -> tuple[Tensor, Tensor]:
    """Return token ids ``(B, length)`` int64 and mask ``(B, length)`` bool (id is not 0).

    Text too long is cut and its last id set to 49407.

    Args:
        sentences: B sentences, taken in lower case.
        length: tokens per sentence, 3 to 77.
        append_eof: the RecLMIS release's habit of adding " EOF XXX" (9 - count) times to a sentence of fewer
            than 9 words.

    Raises:
        InputError: if ``length`` is outside 3 to 77.
    """
    if not 3 <= length <= 77:
        raise InputError(f"CLIP was asked for {length} tokens per sentence; choose between 3 and 77.")
    tokenizer = _tokenizer()
    ids = torch.zeros(len(sentences), length, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        text = with_eof(sentence) if append_eof else sentence
        found: list[int] = tokenizer(_clean(text), add_special_tokens=True, truncation=False)["input_ids"]
        if len(found) > length:
            found = [*found[: length - 1], END]
        ids[row, : len(found)] = torch.tensor(found)
    return ids, ids != 0


def with_eof(sentence: str) -> str:
    """Return ``sentence`` with " EOF XXX" added once for each word it has fewer than 9."""
    return sentence + " EOF XXX" * max(0, _RELEASE_WORDS - len(sentence.split()))


def _clean(text: str) -> str:
    """Undo HTML entities and typographic quotes, as OpenAI's tokeniser does before it splits."""
    return html.unescape(html.unescape(text)).translate(_PLAIN_QUOTES).strip()


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    import transformers

    library: Any = transformers  # its annotation of merges leaves out the pairs that it wants
    with gzip.open(resource("clip", "bpe_simple_vocab_16e6.txt.gz"), "rt", encoding="utf-8") as stream:
        lines = stream.read().split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    characters = _byte_characters()
    tokens = [*characters, *(character + "</w>" for character in characters), *(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    # The length warning of transformers does not apply: sentences are cut here.
    return library.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=10**9)


def _byte_characters() -> list[str]:
    """Return the printable stand-ins of the 256 bytes, in the order in which OpenAI numbered them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [*(chr(byte) for byte in printable), *(chr(256 + number) for number in range(others))]
