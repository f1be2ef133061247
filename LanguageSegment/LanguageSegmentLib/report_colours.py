"""The stretches of a report to colour, from its text, the weights' words and what the last runs found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from LanguageSegmentLib.findings_table import NOT_RUN, TableRow
from LMISCore.checkpoints.card import Card
from LMISCore.text.findings import Vocabulary
from LMISCore.text.report import Report, parse_report
from LMISCore.text.report_view import ViewSpan, report_view

# No report is longer; colouring a whole book would hold the window up.
_LONGEST = 50_000


def reportSpans(text: str, card: Card | None, rows: Sequence[TableRow]) -> list[ViewSpan]:
    """Return what ``LMISCore.text.report_view`` tells of a report.

    Args:
        text: of the report; a very long one is not coloured.
        card: of the weights, whose words are known; None knows none.
        rows: of the findings table; those that were not run say only what their words say.
    """
    if not text.strip() or len(text) > _LONGEST:
        return []
    words = "{}" if card is None else json.dumps(card.vocabulary, sort_keys=True)
    return report_view(_parsed(text, words), [_values(row) for row in rows if row.state != NOT_RUN])


@lru_cache(maxsize=4)
def _parsed(text: str, words: str) -> Report:
    vocabulary = json.loads(words)
    return parse_report(text, Vocabulary.from_card(vocabulary) if vocabulary else None)


def _values(row: TableRow) -> Mapping[str, Any]:
    """A row as ``CaseResult.to_dict`` has it, as far as the view looks at it."""
    agreement = [{"verdict": row.verdict, "words": row.agreement}] if row.verdict else []
    return {
        "id": row.sentence.id,
        "state": row.state,
        "reason": row.reason,
        "agreement": agreement,
        "prompt": row.prompt,
        "segment_id": row.segmentId,
    }
