"""What holds of any report, whatever its words: spans, negation, mirroring, order, garbage, time."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.text.findings import Vocabulary, forget
from LMISCore.text.places import mirror_sides
from LMISCore.text.reader import named_in
from LMISCore.text.report import Finding, Report, State, parse_report
from Testing.corpus.check import reports

VOCABULARY = Vocabulary({"pulmonary infection": ("infection", "opacity", "pneumonia", "consolidation")})
FINDINGS = ["effusion", "nodule", "cyst", "fracture", "pneumonia", "haematoma", "tear", "stenosis", "lymphadenopathy"]
SIDES = ["left", "right"]
SENTENCES = st.builds(
    "{} {} {} in the {} {}{}.".format,
    st.sampled_from(["Small", "New", "Two", "Mild", "Unchanged", "Possible", "Large"]),
    st.sampled_from(["solid", "calcified", "complex", "chronic"]),
    st.sampled_from(FINDINGS),
    st.sampled_from(SIDES),
    st.sampled_from(["lung", "kidney", "upper lobe", "knee"]),
    st.sampled_from(["", ", 12 mm", ", likely benign", " with adjacent oedema", ", no abscess"]),
)
WORDS = st.sampled_from(
    [
        *FINDINGS, *SIDES, "no", "without", "possible", "but", "and", "or", "with", "is", "are", "not", "seen",
        "normal",
        "lungs", "heart", "dilated", "enlarged", "history of", "resolved", "3 mm", "previously", "two", "mild",
        "to",
        "upper lobe", ",", ";", ":", "(", ")", "?", ".", "\n", "-", "kein", "Erguss", "links", "z. n.", "\u00df",
        "\ud800",
    ]
)  # fmt: skip


def named(report: Report) -> list[Finding]:
    return [finding for sentence in report.sentences for finding in named_in(sentence)]


def said(finding: Finding) -> tuple[object, ...]:
    return (
        finding.words, finding.status, finding.side, finding.zones, finding.levels, finding.count, finding.size_mm,
        finding.severity, finding.comparison,
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=150), st.lists(WORDS, max_size=30).map(" ".join)))
def test_garbage_is_read_without_an_error_and_every_span_gives_back_its_words(text: str) -> None:
    for code in ("en", "de", None):
        report = parse_report(text, VOCABULARY, code)
        for sentence in report.sentences:
            end = sentence.span.start
            for finding in named_in(sentence):
                assert finding.span.of(text) == finding.words
                assert end <= finding.span.start < finding.span.end <= sentence.span.end
                assert finding.cue is None or finding.cue.of(text).strip()
                end = finding.span.end


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FINDINGS), st.sampled_from(["", "small ", "left ", "definite ", "new ", "acute "]))
def test_no_before_a_finding_negates_it(words: str, before: str) -> None:
    (plain,) = named(parse_report(f"There is {before}{words}.", language="en"))
    (denied,) = named(parse_report(f"There is no {before}{words}.", language="en"))
    assert (plain.status, denied.status) == (State.AFFIRMED, State.NEGATED)
    assert plain.words == denied.words and plain.side == denied.side


@settings(max_examples=100, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=6))
def test_mirroring_a_report_mirrors_every_side(sentences: list[str]) -> None:
    text = "FINDINGS: " + " ".join(sentences)
    other = {"left": "right", "right": "left"}
    found, mirrored = named(parse_report(text, language="en")), named(parse_report(mirror_sides(text), language="en"))
    assert found and any(finding.side for finding in found)
    assert [frozenset(other[side] for side in finding.side) for finding in found] == [f.side for f in mirrored]
    assert [finding.status for finding in found] == [finding.status for finding in mirrored]


@settings(max_examples=60, deadline=None)
@given(st.lists(SENTENCES, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_sentences_does_not_matter(sentences: list[str], random: object) -> None:
    shuffled = list(sentences)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (named(parse_report(" ".join(order), language="en")) for order in (sentences, shuffled))
    assert sorted(map(said, first), key=str) == sorted(map(said, second), key=str) and first


def test_a_megabyte_of_reports_is_read_in_under_two_seconds() -> None:
    piece = "\n\n".join(text for text, _ in reports("development"))
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    named(parse_report("No effusion.", VOCABULARY))  # the tables are loaded once a process
    forget()
    start = time.process_time()
    report = parse_report(text, VOCABULARY)
    count = len(named(report))
    assert time.process_time() - start < 2
    assert count > 10_000
