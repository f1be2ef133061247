"""What of a report is hidden before a file is passed on, and that nothing medical is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runs import (
    Run,
    cli_lmis,  # noqa: F401
    cli_material,  # noqa: F401
    standard,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from obedient import one_thread  # noqa: F401

from LMISCore.text.privacy import hidden_places, scrub, scrub_values
from LMISCore.volumes.segmentation import read_segmentation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Compared to 03/14/2021.", "Compared to [date]."),
        ("Compared to 2021-03-14 and 14.03.21.", "Compared to [date] and [date]."),
        ("CT of March 3, 2020; MR of 3 March 2020.", "CT of [date]; MR of [date]."),
        ("Voraufnahme vom 12. März 2021.", "Voraufnahme vom [date]."),
        ("Dr. Jane A. Miller was informed.", "Dr. [name] was informed."),
        ("Prof. Dr. med. von der Heide befundet.", "Prof. Dr. med. von der [name] befundet."),
        ("Herr O'Brien klagt.", "Herr [name] klagt."),
        ("Tel. 030 1234567, or 555-123-4567.", "Tel. [phone], or [phone]."),
        ("Accession number: A1234567, MRN 00123456.", "Accession number: [number], MRN [number]."),
        ("Write to jane.miller@clinic.org.", "Write to [email]."),
        ("Patient: Jane Miller\r\nFINDINGS: Clear.", "Patient: [name]\r\nFINDINGS: Clear."),
        ("Reported by: J. Smith", "Reported by: [name]"),
    ],
)
def test_what_tells_who_is_hidden(text: str, expected: str) -> None:
    assert scrub(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Nodule of 3.5 x 2.1 cm, previously 10-12-14 mm.",
        "Disc herniation at L4/5 and L5/S1, fracture of T12.",
        "Series 3, image 45. Grade 1/3.",
        "This may represent pneumonia. The patient is in March position.",
        "Dr. was informed. Mr was seen.",
        "Chest radiograph from ___.",
        "Radiograph obtained at 0540 hours; 120 kV, 350 mAs, 1500 mL.",
    ],
)
def test_what_is_medical_stays(text: str) -> None:
    assert scrub(text) == text


PIECES = st.sampled_from(
    [
        "Dr. ",
        "Smith ",
        "A. ",
        "12",
        "/",
        ".",
        "2021",
        "-",
        "March ",
        "tel ",
        ":",
        "\n",
        "Name",
        " ",
        "555",
        "@",
        "x",
        "[",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join)))
def test_any_text_is_scrubbed_and_what_is_hidden_stood_there(text: str) -> None:
    end = 0
    for place in hidden_places(text):
        assert end <= place.span.start < place.span.end <= len(text)
        end = place.span.end
    assert len(scrub(text)) <= len(text) + 8 * len(hidden_places(text))


def test_only_the_named_keys_of_values_are_scrubbed() -> None:
    values = {"rows": [{"sentence": "Seen by Dr. Miller.", "id": "Dr. Miller"}], "date": "2021-03-14"}
    assert scrub_values(values, ("sentence",)) == {
        "rows": [{"sentence": "Seen by Dr. [name].", "id": "Dr. Miller"}],
        "date": "2021-03-14",
    }


TEXT = "Infection in the left lung as told to Dr. Miller on 03/14/2021."


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("scrubbing", "shared", "summary"),
    [((), False, True), (("--scrub", "all"), False, False), (("--scrub", "none"), True, True)],
)
def test_files_to_be_passed_on_name_nobody_unless_asked_to(
    lmis: Run, material: Path, scrubbing: tuple[str, ...], shared: bool, summary: bool
) -> None:
    code, _, err = lmis(*standard(material, "--text", TEXT, *scrubbing))
    assert (code, err) == (0, "")
    segments, _, _ = read_segmentation("lmis_output/chest.seg.nrrd")
    table = Path("lmis_output/chest.csv").read_text(encoding="utf-8")
    for words in (table, json.dumps(segments[0].tags)):
        assert ("Miller" in words, "03/14/2021" in words) == (shared, shared)
        assert "nfection in the left lung" in words
    written = Path("lmis_output/chest.json").read_text(encoding="utf-8")
    assert ("Miller" in written) is summary
