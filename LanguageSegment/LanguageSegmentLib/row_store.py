"""What a run found about each sentence, kept with the report: one without a segment has no other place for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from LanguageSegmentLib.report_nodes import sentencesOf
from LanguageSegmentLib.sentence_keys import plain_words

_ATTRIBUTE = "LanguageSegment.Rows"
VERDICTS = ("contradicts", "differs", "agrees", "unclear")
"""Of LMISCore's agreement, the gravest first."""


@dataclass(frozen=True)
class StoredRow:
    """One sentence's outcome.

    Attributes:
        words: of the sentence as it was run, without line breaks.
        state: affirmed, negated, uncertain, not covered or absent.
        reason: why.
        forced: whether a mask was asked for all the same.
        presence: score from 0 to 1, None if the network was not asked.
        nominal: whether the volume's mm, and so mL, are only nominal.
        prompt: what was sent to the network, None if nothing was.
        agreement: how far what the network sees agrees with the sentence's words, "" if that was not measured.
        verdict: the same in a word, such as "contradicts".
    """

    words: str
    state: str
    reason: str = ""
    forced: bool = False
    presence: float | None = None
    nominal: bool = False
    prompt: str | None = None
    agreement: str = ""
    verdict: str = ""


def storedRows(reportNode: Any) -> dict[str, StoredRow]:
    """Return what is kept, by sentence key; empty where nothing is, or it cannot be read."""
    try:
        values = json.loads(reportNode.GetAttribute(_ATTRIBUTE) or "{}")
        return {str(key): StoredRow(**row) for key, row in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def storeRows(reportNode: Any, rows: Iterable[Mapping[str, Any]], nominal: bool = False) -> None:
    """Keep the rows of a run beside those of sentences that were not run; deleted sentences go.

    Args:
        reportNode: the report.
        rows: of ``SegmentReportResult``.
        nominal: whether the volume's spacing is only nominal.
    """
    present = {sentence.key for sentence in sentencesOf(reportNode)}
    kept = {key: row for key, row in storedRows(reportNode).items() if key in present}
    for row in rows:
        kept[row["key"]] = StoredRow(
            plain_words(row["sentence"]),
            row["state"],
            row["reason"],
            bool(row["forced"]),
            row["presence"],
            nominal,
            row.get("prompt"),
            agreementText(row.get("agreement")),
            agreementVerdict(row.get("agreement")),
        )
    reportNode.SetAttribute(_ATTRIBUTE, json.dumps({key: asdict(row) for key, row in kept.items()}))


def storedText(reportNode: Any) -> str | None:
    """Return what is kept as it stands, to be put back by :func:`restoreText`."""
    text = reportNode.GetAttribute(_ATTRIBUTE)
    return None if text is None else str(text)


def restoreText(reportNode: Any, text: str | None) -> None:
    """Put back what :func:`storedText` gave."""
    if text is None:
        reportNode.RemoveAttribute(_ATTRIBUTE)
    else:
        reportNode.SetAttribute(_ATTRIBUTE, text)


def agreementVerdict(value: Any) -> str:
    """Return the verdict of a row's agreement, the gravest of several; "" if it gives none."""
    given = value if isinstance(value, list | tuple) else [value]
    found = {str(each["verdict"]) for each in given if isinstance(each, Mapping) and each.get("verdict")}
    return next((verdict for verdict in VERDICTS if verdict in found), next(iter(sorted(found)), ""))


def agreementText(value: Any) -> str:
    """Return a row's agreement as one line: a share as percent, words as they are, several joined; "" for none."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, int | float):
        return f"{100 * value:.0f} %"
    if isinstance(value, Mapping):
        for name in ("text", "summary", "words", "score"):
            if name in value:
                return agreementText(value[name])
        return "; ".join(filter(None, map(agreementText, value.values())))
    if isinstance(value, list | tuple):
        return "; ".join(filter(None, map(agreementText, value)))
    return " ".join(str(value).split())
