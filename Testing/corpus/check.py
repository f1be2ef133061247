"""Checks the corpus against its own guide (README.md); ``python -m Testing.corpus.check`` prints its counts.

It reads no rule of the parser: what it holds is the shape of the data, not whether the expectations are met.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from Testing.corpus.split import CORPUS, HALVES, half

LANGUAGES = ("en", "de")
MODALITIES = ("CR", "CT", "MR", "US")
STATUSES = ("affirmed", "negated", "uncertain", "historical", "normal")
SIDES: tuple[list[str], ...] = ([], ["left"], ["right"], ["left", "right"])
ZONES = ("upper", "mid", "lower", "anterior", "posterior", "central", "peripheral")
SEVERITIES = (None, "minimal", "mild", "moderate", "severe")
COMPARISONS = (None, "new", "unchanged", "increased", "decreased", "resolved")
FIELDS = (
    "",
    "EXAMINATION",
    "HISTORY",
    "INDICATION",
    "TECHNIQUE",
    "COMPARISON",
    "FINDINGS",
    "IMPRESSION",
    "RECOMMENDATION",
)
FINDING_KEYS = [
    "words",
    "start",
    "status",
    "side",
    "zones",
    "anatomy",
    "count",
    "size_mm",
    "severity",
    "comparison",
]
# What may stand between sentences: blanks, and the marker of a list's item.
LAYOUT = re.compile(r"\s*(?:(?:[-*•]|\d+[.)])\s+)?")

Item = dict[str, Any]


def sentences(name: str) -> list[Item]:
    """Return the standalone sentences of that half."""
    lines = (CORPUS / f"sentences_{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def reports(name: str) -> list[tuple[str, Item]]:
    """Return text and expectation of every report of that half; line ends are as in the file."""
    folder = CORPUS / "reports" / name
    pairs = ((path.with_suffix(".txt").read_bytes(), path.read_bytes()) for path in sorted(folder.glob("*.json")))
    return [(text.decode("utf-8"), json.loads(expected)) for text, expected in pairs]


def problems() -> list[str]:
    """Return one plain sentence for everything in the corpus that breaks the guide."""
    return [*_identifier_problems(), *_shape_problems(), *_count_problems()]


def _shape_problems() -> Iterator[str]:
    for name in HALVES:
        for item in sentences(name):
            yield from _head_problems(item, name, ["id", "lang", "modality", "text", "findings"])
            yield from _finding_problems(item["id"], item["text"], item["findings"])
        for text, report in reports(name):
            yield from _head_problems(report, name, ["id", "lang", "modality", "fields"])
            yield from _report_problems(text, report)


def _head_problems(item: Item, name: str, keys: list[str]) -> Iterator[str]:
    if list(item) != keys:
        yield f"{item['id']} has the keys {list(item)}, expected {keys}"
    if half(item["id"]) != name:
        yield f"{item['id']} lies in {name} and belongs to {half(item['id'])}"
    if item["lang"] not in LANGUAGES or item["modality"] not in MODALITIES:
        yield f"{item['id']} has language {item['lang']} and modality {item['modality']}"


def _report_problems(text: str, report: Item) -> Iterator[str]:
    identifier, end = report["id"], 0
    for field in report["fields"]:
        if list(field) != ["name", "header", "start", "sentences"] or field["name"] not in FIELDS:
            yield f"{identifier} has a field {field['name']!r} with the keys {list(field)}"
        header = field["header"] or ""
        if bool(header) != bool(field["name"]) or not text.startswith(header, field["start"]):
            yield f"{identifier}: the heading {header!r} of {field['name']!r} is not at {field['start']}"
        if text[end : field["start"]].strip():
            yield f"{identifier}: {text[end : field['start']]!r} before {header!r} is in no field"
        end = field["start"] + len(header)
        for sentence in field["sentences"]:
            start, words = sentence["start"], sentence["text"]
            if list(sentence) != ["text", "start", "findings"] or not words or words != words.strip():
                yield f"{identifier}: {words!r} is not a sentence with text, start and findings"
            if not text.startswith(words, start) or not LAYOUT.fullmatch(text[end:start]):
                yield f"{identifier}: {words!r} is not at {start}, straight after {text[:end][-20:]!r}"
            end = start + len(words)
            yield from _finding_problems(identifier, text, sentence["findings"], start, end)
    if text[end:].strip():
        yield f"{identifier}: {text[end:]!r} is in no sentence"


def _finding_problems(
    identifier: str, text: str, findings: list[Item], start: int = 0, end: int | None = None
) -> Iterator[str]:
    last = len(text) if end is None else end
    for finding in findings:
        words, at = finding["words"], finding["start"]
        called = f"{identifier}, {words!r}"
        if list(finding) != FINDING_KEYS:
            yield f"{called} has the keys {list(finding)}"
        if not words or words != words.strip() or not text.startswith(words, at):
            yield f"{called} does not stand at {at}"
        if at < start or at + len(words) > last:
            yield f"{called} overlaps the finding before it or leaves its sentence"
        start = at + len(words)
        if finding["status"] not in STATUSES or finding["side"] not in SIDES:
            yield f"{called} has status {finding['status']} and side {finding['side']}"
        if finding["zones"] != [zone for zone in ZONES if zone in finding["zones"]]:
            yield f"{called} has zones {finding['zones']}: unknown, repeated or not in the order of the guide"
        if finding["severity"] not in SEVERITIES or finding["comparison"] not in COMPARISONS:
            yield f"{called} has severity {finding['severity']} and comparison {finding['comparison']}"
        if finding["count"] is not None and (type(finding["count"]) is not int or finding["count"] < 1):
            yield f"{called} has count {finding['count']}"
        if finding["size_mm"] is not None and not (type(finding["size_mm"]) is float and 0 < finding["size_mm"] < 500):
            yield f"{called} has size {finding['size_mm']}"
        if finding["anatomy"] is not None and not str(finding["anatomy"]).strip():
            yield f"{called} has an empty anatomy"
        if finding["comparison"] == "resolved" and finding["status"] != "negated":
            yield f"{called} is resolved and {finding['status']}; the guide says negated"


def _identifier_problems() -> Iterator[str]:
    identifiers = [item["id"] for name in HALVES for item in sentences(name)]
    identifiers += [report["id"] for name in HALVES for _, report in reports(name)]
    yield from (f"{identifier} is used {n} times" for identifier, n in Counter(identifiers).items() if n > 1)
    texts = Counter(" ".join(item["text"].lower().split()) for name in HALVES for item in sentences(name))
    yield from (f"{text!r} occurs {n} times" for text, n in texts.items() if n > 1)
    for name in HALVES:
        folder = CORPUS / "reports" / name
        texts_and_answers = [{path.stem for path in folder.glob(f"*.{end}")} for end in ("txt", "json")]
        if texts_and_answers[0] != texts_and_answers[1]:
            yield f"in {folder.name}, these are not pairs: {texts_and_answers[0] ^ texts_and_answers[1]}"
        yield from (f"{file} holds another id" for file in folder.glob("*.json") if file.stem != _id_in(file))


def _id_in(file: Any) -> str:
    return str(json.loads(file.read_text(encoding="utf-8"))["id"])


def _count_problems() -> Iterator[str]:
    items = [item for name in HALVES for item in sentences(name)]
    whole = [report for name in HALVES for _, report in reports(name)]
    at_least = [("sentences", len(items), 320), ("reports", len(whole), 18)]
    at_least += [(f"{m} sentences", sum(i["modality"] == m for i in items), 60) for m in MODALITIES]
    at_least += [("German sentences", sum(i["lang"] == "de" for i in items), 40)]
    at_least += [("German reports", sum(r["lang"] == "de" for r in whole), 4)]
    for name in HALVES:
        here, texts = sentences(name), reports(name)
        findings = [finding for item in here for finding in item["findings"]]
        at_least += [(f"{m} reports in {name}", sum(r["modality"] == m for _, r in texts), 1) for m in MODALITIES]
        at_least += [(f"reports with CRLF in {name}", sum("\r\n" in text for text, _ in texts), 1)]
        at_least += [(f"sentences without finding in {name}", sum(not item["findings"] for item in here), 3)]
        for key, values in (("status", STATUSES), ("severity", SEVERITIES), ("comparison", COMPARISONS)):
            at_least += [(f"{key} {v} in {name}", sum(f[key] == v for f in findings), 3) for v in values]
        at_least += [(f"side {side} in {name}", sum(f["side"] == side for f in findings), 10) for side in SIDES]
        at_least += [(f"zone {zone} in {name}", sum(zone in f["zones"] for f in findings), 2) for zone in ZONES]
        at_least += [
            (f"{key} in {name}", sum(f[key] is not None for f in findings), 10) for key in ("count", "size_mm")
        ]
    yield from (f"{got} {what}, expected at least {least}" for what, got, least in at_least if got < least)


def summary() -> str:
    """Return the counts of both halves as lines of text."""
    lines = []
    for name in HALVES:
        items, whole = sentences(name), reports(name)
        inside = [finding for item in items for finding in item["findings"]]
        inside += [f for _, r in whole for field in r["fields"] for s in field["sentences"] for f in s["findings"]]
        lines.append(f"{name}: {len(items)} sentences, {len(whole)} reports, {len(inside)} findings")
        for key, things in (("modality", items), ("lang", items), ("status", inside)):
            lines.append(f"  {key}: " + ", ".join(f"{v} {n}" for v, n in Counter(t[key] for t in things).most_common()))
        for key in ("severity", "comparison"):
            counted = Counter(finding[key] for finding in inside if finding[key])
            lines.append(f"  {key}: " + ", ".join(f"{value} {n}" for value, n in counted.most_common()))
        zones = Counter(zone for finding in inside for zone in finding["zones"])
        lines.append("  zones: " + ", ".join(f"{zone} {zones[zone]}" for zone in ZONES))
        given = {key: sum(bool(finding[key]) for finding in inside) for key in ("side", "zones", "count", "size_mm")}
        lines.append("  findings with " + ", ".join(f"{key} {n}" for key, n in given.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    print(summary())
    found = problems()
    print("\n".join(found) or "no problems")
    sys.exit(bool(found))
