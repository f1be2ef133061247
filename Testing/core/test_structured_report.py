"""DICOM structured reports as report text: their words in order, under their headings, and nothing else."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from cli_runs import Run, cli_lmis, cli_material, standard  # noqa: F401
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from LMISCore.errors import InputError, MissingDependencyError
from LMISCore.inference.reading import read_report_text
from LMISCore.text.report import parse_report
from LMISCore.text.structured_report import is_dicom, structured_report_text

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def _item(
    kind: str, name: str = "", text: str = "", items: Sequence[Dataset] = (), relation: str = "CONTAINS"
) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, kind
    if name:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99TEST", name
        item.ConceptNameCodeSequence = [code]
    if text:
        item.TextValue = text
    if items:
        item.ContentSequence = list(items)
    return item


def _file(items: Sequence[Dataset], modality: str = "SR", value_type: str = "CONTAINER") -> bytes:
    data = _item(value_type, "Radiology Report", items=items) if value_type else Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = BASIC_TEXT_SR if modality == "SR" else CT_IMAGE
    data.SOPInstanceUID, data.Modality = generate_uid(), modality
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, data, enforce_file_format=True)
    return stream.getvalue()


def _text(*items: Dataset) -> str:
    return structured_report_text(_file(items), "x.dcm")


def test_text_items_stand_under_their_concept_names_in_order() -> None:
    found = _text(
        _item("TEXT", "History", "Cough."),
        _item("TEXT", "Findings", "Infection in the left lung.\r\nNo effusion, 左肺 é."),
        _item("TEXT", "Conclusions", "Pneumonia."),
    )
    assert found == (
        "HISTORY:\nCough.\n\nFINDINGS:\nInfection in the left lung.\r\nNo effusion, 左肺 é.\n\n"
        "CONCLUSIONS:\nPneumonia.\n"
    )
    assert [field.name for field in parse_report(found).fields] == ["HISTORY", "FINDINGS", "IMPRESSION"]


def test_a_section_names_the_items_in_it_and_its_heading_stands_once() -> None:
    section = _item(
        "CONTAINER",
        "Findings",
        items=[_item("TEXT", "Finding", "One nodule"), _item("TEXT", "Finding", "No effusion")],
    )
    found = _text(section, _item("CONTAINER", "Impression:", items=[_item("TEXT", "Impression", "Nodule.")]))
    assert found == "FINDINGS:\nOne nodule\n\nNo effusion\n\nIMPRESSION:\nNodule.\n"
    assert [sentence.text for sentence in parse_report(found).sentences] == ["One nodule", "No effusion", "Nodule."]


def test_a_section_that_is_no_heading_gives_way_to_one_around_it_or_to_the_items_name() -> None:
    lungs = _item("CONTAINER", "Lungs", items=[_item("TEXT", "Remark", "Clear.")])
    assert _text(_item("CONTAINER", "Findings", items=[lungs])) == "FINDINGS:\nClear.\n"
    nested = _item("CONTAINER", "Diagnostic imaging report", items=[_item("TEXT", "Findings", "Clear.")])
    assert _text(nested) == "FINDINGS:\nClear.\n"
    assert _text(_item("TEXT", "Remark", "Clear.")) == "REMARK:\nClear.\n"
    assert _text(_item("TEXT", "", "Clear.")) == "Clear.\n"


def test_codes_measurements_names_and_context_are_no_text_of_the_report() -> None:
    observer = _item("TEXT", "Person Observer Name", "Dr. Who", relation="HAS OBS CONTEXT")
    code = _item("CODE", "Finding")
    code.TextValue = "not shown"
    measured = _item("TEXT", "Finding", "Nodule.", [_item("NUM", "Diameter"), _item("TEXT", "Finding", "Calcified.")])
    assert _text(observer, code, measured) == "FINDING:\nNodule.\n\nCalcified.\n"


def test_a_report_without_text_is_refused() -> None:
    with pytest.raises(InputError, match="has no text item"):
        _text(_item("NUM", "Diameter"), _item("TEXT", "Finding", "   "))


def test_another_dicom_object_is_refused_by_its_modality() -> None:
    with pytest.raises(InputError, match=r"x\.dcm is of modality CT, not a structured report"):
        structured_report_text(_file([], "CT", ""), "x.dcm")


@pytest.mark.parametrize("length", [140, 200, 420])
def test_a_cut_file_is_one_sentence(length: int) -> None:
    content = _file([_item("TEXT", "Findings", "Infection in the left lung. " * 9)])
    assert length < len(content)
    with pytest.raises(InputError) as raised:
        structured_report_text(content[:length], "x.dcm")
    assert "x.dcm" in str(raised.value) and "\n" not in str(raised.value)


def test_endless_nesting_is_refused() -> None:
    item = _item("TEXT", "Finding", "Deep.")
    for _ in range(60):
        item = _item("CONTAINER", "Findings", items=[item])
    with pytest.raises(InputError, match="nested too deeply"):
        _text(item)


def test_a_dicom_report_is_known_by_its_content_whatever_the_ending(tmp_path: Path) -> None:
    for name in ("report.dcm", "report", "report.txt"):
        (tmp_path / name).write_bytes(_file([_item("TEXT", "Findings", "Clear.")]))
        assert read_report_text(tmp_path / name) == "FINDINGS:\nClear.\n"
    assert not is_dicom(b"FINDINGS: DICM")


def test_without_pydicom_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingDependencyError, match=r"install LMISCore\[dicom\]"):
        _text(_item("TEXT", "Findings", "Clear."))


def test_the_command_segments_from_a_structured_report(lmis: Run, material: Path, tmp_path: Path) -> None:
    items = [_item("TEXT", "Findings", "Infection in the left lung."), _item("TEXT", "History", "Infection.")]
    (tmp_path / "sr.dcm").write_bytes(_file(items))
    code, out, err = lmis(*standard(material, "--report", tmp_path / "sr.dcm"))
    assert code == 0, err
    assert "1 of 2 sentences has a segment." in out


def test_the_command_runs_one_sentence_alone(lmis: Run, material: Path) -> None:
    text = "Infection in the left lung. Infection in the right lung."
    code, out, err = lmis(*standard(material, "--text", text, "--only", "text-2"))
    assert code == 0, err
    assert "1 of 1 sentences has a segment." in out and "right lung" in out and "left lung" not in out
    code, _, err = lmis(*standard(material, "--text", text, "--only", "text-3"))
    assert code == 2 and "'text-3' to run again; this report has text-1, text-2" in err
