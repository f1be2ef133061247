"""Reports into fields and sentences whose spans give back the original text."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.text.findings import Vocabulary, forget
from LMISCore.text.report import Report, State, parse_report

VOCABULARY = Vocabulary({"infection": ("opacity", "infected area")})

MESSY = (
    "\ufeffHISTORY:\tFever, infection last year.\r\n"
    "technique :\r\n  CT of the chest\r\n  without contrast.\r\n"
    "Comparison: None.\r\n"
    "\r\n"
    "Findings\r\n"
    "There is infection in the\r\nleft lung, approx. 3.5 cm, e.g. basal. Dr. Smith agrees.\r\n"
    "\r\n"
    "IMPRESSION:\r\n"
    "1. Infection in the left lung.\r\n"
    "2) No effusion\r\n"
)


def sentences_of(text: str) -> list[str]:
    return [sentence.text for sentence in parse_report(text).sentences]


def assert_spans_hold(report: Report) -> None:
    """Every span gives back its words; fields and sentences come in order and do not overlap."""
    position = 0
    ids = [sentence.id for sentence in report.sentences]
    assert len(ids) == len(set(ids))
    for field in report.fields:
        assert position <= field.span.start <= field.span.end <= len(report.text)
        position = field.span.start
        if field.header is not None:
            assert field.span.start == field.header.start < field.header.end <= field.span.end
            position = field.header.end
        for sentence in field.sentences:
            assert position <= sentence.span.start < sentence.span.end <= field.span.end
            assert report.text[sentence.span.start : sentence.span.end] == sentence.text == sentence.text.strip()
            assert any(character.isalnum() for character in sentence.text)
            position = sentence.span.end
            for finding in sentence.findings:
                assert finding.span.of(report.text) == finding.words
                for span in (*finding.clauses, finding.span, *([finding.cue] if finding.cue else [])):
                    assert sentence.span.start <= span.start < span.end <= sentence.span.end
    assert position <= len(report.text)


def test_a_messy_report_is_read_as_meant() -> None:
    report = parse_report(MESSY)
    assert [(field.name, field.kind) for field in report.fields] == [
        ("HISTORY", "context"),
        ("TECHNIQUE", "context"),
        ("COMPARISON", "context"),
        ("FINDINGS", "finding"),
        ("IMPRESSION", "finding"),
    ]
    assert [(sentence.id, " ".join(sentence.text.split())) for sentence in report.sentences] == [
        ("history-1", "Fever, infection last year."),
        ("technique-1", "CT of the chest without contrast."),
        ("comparison-1", "None."),
        ("findings-1", "There is infection in the left lung, approx. 3.5 cm, e.g. basal."),
        ("findings-2", "Dr. Smith agrees."),
        ("impression-1", "Infection in the left lung."),
        ("impression-2", "No effusion"),
    ]
    assert report.text == MESSY
    assert report.fields[1].header is not None
    assert report.fields[1].header.of(MESSY) == "technique :"
    assert_spans_hold(report)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FINDINGS: Clear. IMPRESSION: Normal.", ["FINDINGS", "IMPRESSION"]),
        ("findings: clear. impression: normal.", ["FINDINGS", "IMPRESSION"]),
        ("FINDINGS\nClear lungs.\nIMPRESSION\nNormal.", ["FINDINGS", "IMPRESSION"]),
        ("Findings - clear lungs", ["FINDINGS"]),
        ("**Findings:** Clear. **Impression:** Normal.", ["FINDINGS", "IMPRESSION"]),
        ("## FINDINGS\n- Clear lungs", ["FINDINGS"]),
        ("1. FINDINGS: Clear. 2. IMPRESSION: Normal.", ["FINDINGS", "IMPRESSION"]),
        ("CT CHEST FINDINGS: Clear lungs.", ["FINDINGS"]),
        ("Findings (CT chest): Clear lungs.", ["FINDINGS"]),
        ("FINDINGS AND IMPRESSION: Clear.", ["FINDINGS"]),
        ("INDICATION: cough FINDINGS: Clear  IMPRESSION: Normal", ["INDICATION", "FINDINGS", "IMPRESSION"]),
        ("Reason for exam: cough. Clinical history: fever.", ["INDICATION", "HISTORY"]),
        ("Conclusion\n\nNormal.", ["IMPRESSION"]),
        ("Clear lungs.\nIMPRESSION: Normal.", ["", "IMPRESSION"]),
        ("The findings: none are new. Our impression: good.", [""]),
        ("Patient with a long\nhistory\nof cough.", [""]),
        ("RIGHT LUNG: Clear.", [""]),
        ("", []),
        (" \r\n\t\ufeff", []),
    ],
)
def test_headings_are_found_whatever_their_dress(text: str, names: list[str]) -> None:
    report = parse_report(text)
    assert [field.name for field in report.fields] == names
    assert_spans_hold(report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Infection in the left lung. No effusion.", ["Infection in the left lung.", "No effusion."]),
        ("Seen by Dr. Smith and Prof. Jones.", ["Seen by Dr. Smith and Prof. Jones."]),
        ("Opacity, e.g. infection. Stable.", ["Opacity, e.g. infection.", "Stable."]),
        ("Nodule of 3.5 cm. It is new.", ["Nodule of 3.5 cm.", "It is new."]),
        ("Nodule of 3 cm. in the left lung.", ["Nodule of 3 cm. in the left lung."]),
        ("No. 3 is new. Effusion: No. Clear.", ["No. 3 is new.", "Effusion: No.", "Clear."]),
        ("Hepatitis C. No effusion.", ["Hepatitis C.", "No effusion."]),
        ("Seen with A. Smith.", ["Seen with A. Smith."]),
        ("Is it new? Yes! Stable", ["Is it new?", "Yes!", "Stable"]),
        ("left lung.No effusion", ["left lung.", "No effusion"]),
        ("Opacity ... unchanged. Then", ["Opacity ... unchanged.", "Then"]),
        ('He said "clear." Stable.', ['He said "clear."', "Stable."]),
        ("1. Clear. 2. No effusion.", ["Clear.", "No effusion."]),
        ("1.Clear\n2.No effusion", ["Clear", "No effusion"]),
        ("(1) Clear.\n(2) Stable.", ["Clear.", "Stable."]),
        ("- Clear lungs\n- No effusion", ["Clear lungs", "No effusion"]),
        ("Clear lungs\n\nno effusion", ["Clear lungs", "no effusion"]),
        (
            "Infection in the left lung\nNo effusion\nHeart normal",
            ["Infection in the left lung", "No effusion", "Heart normal"],
        ),
        ("Infection in the\nLeft lung, and in\nthe right.", ["Infection in the\nLeft lung, and in\nthe right."]),
        ("Infection seen by\n3 readers.", ["Infection seen by\n3 readers."]),
        ("...", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert sentences_of(text) == expected


def test_capitals_wrapped_over_lines_stay_one_sentence() -> None:
    text = "THERE IS INFECTION IN THE POSTERIOR PART OF THE LEFT LUNG AND CONSOLIDATION\nIN THE RIGHT LUNG"
    assert sentences_of(text) == [text]


def test_sentence_ids_count_within_a_field_of_that_name() -> None:
    report = parse_report("FINDINGS: One. Two.\nIMPRESSION: Three.\nFINDINGS: Four.")
    assert [sentence.id for sentence in report.sentences] == ["findings-1", "findings-2", "impression-1", "findings-3"]
    assert report.sentence("findings-3").text == "Four."
    with pytest.raises(KeyError):
        report.sentence("findings-4")


def test_findings_are_filled_by_a_vocabulary_and_only_in_fields_about_the_image() -> None:
    report = parse_report("HISTORY: Infection.\nFINDINGS: Clear. Opacities in the left lung.", VOCABULARY)
    assert [len(sentence.findings) for sentence in report.sentences] == [0, 0, 1]
    finding = report.sentence("findings-2").findings[0]
    assert (finding.name, finding.words, finding.status) == ("infection", "Opacities", State.AFFIRMED)
    assert finding.span.of(report.text) == "Opacities"
    assert not any(sentence.findings for sentence in parse_report(report.text).sentences)


SIGNS = [":", "\uff1a", ".", ",", ";", "?", "(", ")", "**", "- ", "1. ", "2)", "\ud800"]
BLANKS = ["\n", "\r\n", "\t", " ", "  ", "\ufeff", "\u2028", "\x1f"]
WORDS = [
    "FINDINGS",
    "Impression",
    "history",
    "Dr. ",
    "E.g. ",
    "3.5 cm",
    "no ",
    "infection",
    "opacities",
    " but ",
    "left",
    "A",
]
LIKELY = st.sampled_from([*SIGNS, *BLANKS, *WORDS])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(LIKELY, max_size=40).map("".join)))
def test_any_text_is_parsed_and_every_span_gives_back_its_words(text: str) -> None:
    assert_spans_hold(parse_report(text, VOCABULARY))


@settings(max_examples=60, deadline=None)
@given(st.lists(LIKELY, max_size=30).map("".join))
def test_a_report_parses_the_same_every_time(text: str) -> None:
    assert parse_report(text, VOCABULARY) == parse_report(text, VOCABULARY)


def seconds_to_parse(text: str) -> float:
    """Return this process's own seconds: a busy machine does not count."""
    forget()
    start = time.process_time()
    parse_report(text, VOCABULARY)
    return time.process_time() - start


def long_text(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]


def growth(piece: str) -> float:
    """Time for 16 times the text over time for the text: 16 when parsing is linear, 256 when it is quadratic."""
    short, long = (long_text(piece, length) for length in (40_000, 640_000))
    return seconds_to_parse(long) / min(seconds_to_parse(short) for _ in range(3))


def test_the_time_for_reports_grows_in_proportion_to_their_length() -> None:
    piece = (
        "HISTORY: Fever.\nFINDINGS: Infection in the left lower lobe without effusion. The heart is normal in size. "
        "No opacity in the right lung.\nIMPRESSION:\n1. Dr. X saw 3.5 cm.\n\n"
    )
    assert growth(piece) < 80


@pytest.mark.parametrize(
    "piece",
    [
        "infection ",
        "findings: ",
        "History\n",
        " ",
        ".",
        ":",
        "a.",
        "no infection, but ",
        "lower zone infection\n",
        "(",
        "1. ",
    ],
)
def test_the_time_for_nonsense_grows_in_proportion_to_its_length(piece: str) -> None:
    assert growth(piece) < 80


def test_parsing_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import LMISCore.text.report, LMISCore.text.findings, LMISCore.text.prompts\n"
        "from LMISCore import parse_report\n"
        "print(len(list(parse_report('FINDINGS: Clear. Stable.').sentences)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr
