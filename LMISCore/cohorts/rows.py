"""What of a case's result goes into the cohort's tables: one row per case, one per finding. No torch."""

from __future__ import annotations

from typing import Any

from LMISCore.inference.summary import ORDER
from LMISCore.inference.tables import agreement_words, verdict

CASE_COLUMNS = (
    "case",
    "row",
    "state",
    "sentences",
    "segments",
    *(heading.replace(" ", "_") for heading in ORDER),
    "segments_volume_ml",
    "volume_is_nominal",
    "language",
    "intensity",
    "warnings",
    "network",
    "checkpoint",
    "checkpoint_hash",
    "version",
)
FINDING_COLUMNS = (
    "case",
    "sentence_id",
    "field",
    "sentence",
    "state",
    "finding",
    "words",
    "status",
    "side",
    "zones",
    "count",
    "size_mm",
    "severity",
    "comparison",
    "segment",
    "segment_id",
    "presence",
    "volume_ml",
    "volume_is_nominal",
    "slices",
    "agreement",
    "agreement_words",
    "reason",
)
ERROR_COLUMNS = ("row", "case", "kind", "message")


def case_values(result: dict[str, Any]) -> dict[str, Any]:
    """The row of a case, but for its name and place; no date, time or path, so that equal runs give equal tables."""
    about, rows = result["provenance"], result["rows"]
    volumes = [row["volume_ml"] for row in rows if row["volume_ml"] is not None]
    return {
        "sentences": len(rows),
        "segments": result["segments"],
        **{heading.replace(" ", "_"): len(result["summary"].get(heading, ())) for heading in ORDER},
        "segments_volume_ml": round(sum(volumes), 3) if volumes else None,
        "volume_is_nominal": None if not volumes else not result["geometry"]["spacing_known"],
        "language": result["language"],
        "intensity": about["intensity"]["kind"],
        "warnings": len(result["warnings"]),
        **{key: about[key] for key in ("network", "checkpoint", "checkpoint_hash", "version")},
    }


def finding_rows(result: dict[str, Any], hidden: bool) -> list[dict[str, Any]]:
    """One row per finding of each sentence, and one for a sentence that names none.

    Args:
        result: of ``run_segment_job``; volume, slices and presence are those of the sentence's segment.
        hidden: whether dates, names and numbers are scrubbed, as in the tables that ``lmis segment`` writes.
    """
    if hidden:
        from LMISCore.inference.sharing import SCRUBBED_KEYS
        from LMISCore.text.privacy import scrub_values

        result = {**result, "rows": scrub_values(result["rows"], SCRUBBED_KEYS)}
    nominal = not result["geometry"]["spacing_known"]
    found = []
    for row in result["rows"]:
        shared = {
            "sentence_id": row["id"],
            **{key: row[key] for key in ("field", "state", "reason", "segment", "segment_id", "presence")},
            "sentence": " ".join(row["sentence"].split()),
            "volume_ml": row["volume_ml"],
            "volume_is_nominal": None if row["volume_ml"] is None else nominal,
            "slices": row["slices"],
            "agreement": verdict(row),
            "agreement_words": agreement_words(row),
        }
        found += [{**shared, **_finding(finding)} for finding in row["findings"]] or [shared]
    return found


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    plain = {key: finding[key] for key in ("words", "status", "count", "size_mm", "severity", "comparison")}
    return {
        **plain,
        "finding": finding["name"],
        "side": " ".join(finding["side"]),
        "zones": " ".join(finding["zones"]),
    }
