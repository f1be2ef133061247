"""What of a result is scrubbed of names, dates and numbers before it is written; see ``LMISCore.text.privacy``.

The segmentation, the table and the picture are made to be passed on; the summary, CASE.json, is the record that stays
with the report, and its spans count the report's own characters.
"""

from __future__ import annotations

from dataclasses import replace

from LMISCore.errors import InputError
from LMISCore.inference.result import CaseResult, SentenceResult
from LMISCore.text.privacy import scrub

CHOICES = ("shared", "all", "none")
"""Scrubbed are the files to be passed on (.seg.nrrd, .csv, .png), those and the .json, or none."""
SCRUBBED_KEYS = ("sentence", "prompt", "reason", "prompt_reason", "segment", "words", "finding")
"""Keys of a summary that hold words of the report."""


def check_choice(choice: str) -> None:
    """Refuse another word than those of ``CHOICES``.

    Raises:
        InputError: naming them.
    """
    if choice not in CHOICES:
        raise InputError(f"What is to be scrubbed is {choice!r}; give one of {', '.join(CHOICES)}.")


def scrubbed(result: CaseResult) -> CaseResult:
    """Return the result with scrubbed words; masks, states and figures are the same objects."""
    return replace(result, rows=[_row(row) for row in result.rows])


def _row(row: SentenceResult) -> SentenceResult:
    prompt = None if row.prompt is None else replace(row.prompt, text=scrub(row.prompt.text))
    sentence = replace(row.sentence, text=scrub(row.sentence.text))
    return replace(row, sentence=sentence, prompt=prompt, name=scrub(row.name), reason=scrub(row.reason))
