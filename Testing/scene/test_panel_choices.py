"""What the panel remembers, what it says of weights and volume, what Apply lacks, and the command that it copies."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from logic_makers import Material
from session import SlicerSession

from LanguageSegmentLib.command_line import CommandChoices, commandLine
from LanguageSegmentLib.explanation import MAP_ATTRIBUTE
from LanguageSegmentLib.readiness import applyTip, missing, needed
from LanguageSegmentLib.sample import loadSample
from LanguageSegmentLib.settings import PanelSettings, readSettings, resetSettings, writeSettings
from LanguageSegmentLib.text_positions import asEdited, editorPosition
from LanguageSegmentLib.weights_card import shortCard, unknownSentences, warnings, weightsCard
from LMISCore.cli.segment import add_parser


class TextStore:
    """A settings file: what is put in comes back as text."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {"Other/thing": "kept"}

    def value(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def setValue(self, key: str, value: Any) -> None:
        self.values[key] = str(value).lower() if isinstance(value, bool) else str(value)

    def remove(self, key: str) -> None:
        self.values.pop(key, None)


CHANGED = PanelSettings("/weights/肺", "cuda", "hu", True, True, 0.75, "/files")


def test_settings_come_back_from_a_file_that_holds_text_only() -> None:
    store = TextStore()
    writeSettings(store, CHANGED)
    assert readSettings(store) == CHANGED
    assert store.values["LanguageSegment/onePerField"] == "true"
    store.values["LanguageSegment/onePerField"] = "false"
    assert not readSettings(store).onePerField


def test_a_reset_forgets_ours_and_nothing_else() -> None:
    store = TextStore()
    writeSettings(store, CHANGED)
    assert resetSettings(store) == PanelSettings() == readSettings(store)
    assert store.values == {"Other/thing": "kept"}


def test_settings_as_at_first_are_not_written() -> None:
    store = TextStore()
    writeSettings(store, CHANGED)
    writeSettings(store, PanelSettings(device="cpu"))
    assert store.values == {"Other/thing": "kept", "LanguageSegment/device": "cpu"}


@pytest.mark.parametrize("name", ["device", "intensity", "onePerField", "opacity"])
def test_a_setting_that_is_not_of_its_kind_is_as_at_first(name: str) -> None:
    store = TextStore()
    store.values[f"LanguageSegment/{name}"] = "nonsense"
    assert readSettings(store) == PanelSettings()
    store.values["LanguageSegment/opacity"] = "7"
    assert readSettings(store).opacity == 0.5


REPORT = "- FINDINGS:\nOpacity at 50 % in \"the\" left 'lung' $HOME `x`; 肺炎.\n"


@pytest.mark.parametrize("shell", [False, True])
def test_the_command_runs_what_was_chosen(shell: bool) -> None:
    choices = CommandChoices(
        "/data/a scan.nrrd", REPORT, "/weights dir", "cpu", "hu", 0.37, ["findings-1", "findings-2"]
    )
    line = commandLine(choices, windows=False)
    parts = shlex.split(line)
    if shell:
        shown = subprocess.run(
            ["sh", "-c", line.replace("lmis segment", f"{shlex.quote(sys.executable)} -c 'import sys;"
             "print(repr(sys.argv[1:]))'", 1)],
            capture_output=True, text=True, encoding="utf-8", check=True,
        )  # fmt: skip
        parts = ["lmis", "segment", *eval(shown.stdout)]
    assert parts[:2] == ["lmis", "segment"]
    parser = add_parser(argparse.ArgumentParser().add_subparsers())
    options = parser.parse_args(parts[2:])
    assert (options.volume, options.text, options.checkpoint) == ("/data/a scan.nrrd", REPORT, "/weights dir")
    assert (options.device, options.intensity, options.threshold) == ("cpu", "hu", 0.37)
    assert options.force == ["findings-1", "findings-2"]


def test_the_command_leaves_out_what_is_as_by_default_and_names_a_volume_without_a_file() -> None:
    assert commandLine(CommandChoices("", "Opacity."), windows=False) == "lmis segment VOLUME --text=Opacity."


def test_the_command_for_windows_is_quoted_for_powershell() -> None:
    line = commandLine(CommandChoices(r"C:\a scan.nrrd", "It's\nhere."), windows=True)
    assert line == "lmis segment 'C:\\a scan.nrrd' '--text=It''s\nhere.'"


@pytest.mark.parametrize(
    ("text", "offset", "position"),
    [
        ("plain", 3, 3),
        ("a\r\nb", 3, 2),
        ("🫁 lung", 2, 3),
        ("肺\u2028炎", 2, 2),
        ("a\rb\r\n🫁c", 6, 6),
    ],
)
def test_places_in_the_editor_are_counted_as_qt_does(text: str, offset: int, position: int) -> None:
    assert editorPosition(text, offset) == position


def test_a_text_is_compared_as_the_editor_gives_it_back() -> None:
    assert asEdited("a\r\nb\rc\u2029d\u00a0e\n") == "a\nb\nc\nd e\n"


def _volume(session: SlicerSession, lowest: int, highest: int) -> Any:
    node = session.volume((3, 4, 5))
    array = np.full((3, 4, 5), lowest, dtype=np.int16)
    array[1, 2, 3] = highest
    slicer.util.updateVolumeFromArray(node, array)
    return node


def _modality(volume: Any, modality: str) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), volume)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)


def test_the_bundled_weights_are_told_in_two_lines() -> None:
    card = weightsCard(None)
    assert card.card is not None and card.problem == "" and card.threshold is not None
    lines = shortCard(card.card).split("\n")
    assert len(lines) == 2 and lines[0].startswith(card.card.name) and "n = " in lines[1]


def test_weights_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        card = weightsCard(str(path))
        assert card.card is None and str(path) in card.problem and card.threshold is None
    (tmp_path / "weights.safetensors").write_bytes(b"junk")
    assert "weights.safetensors" in weightsCard(str(tmp_path / "weights.safetensors")).problem


def test_a_card_is_read_anew_when_its_file_changes(material: Material, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(material.checkpoint.read_bytes())
    assert weightsCard(str(path)).card is not None
    path.write_bytes(b"junk")
    assert weightsCard(str(path)).card is None


def test_the_sample_is_inside_what_the_bundled_weights_know(slicer_session: SlicerSession) -> None:
    volume, report = loadSample()
    (sentence,) = warnings(weightsCard(None).card, volume, report.GetText())
    assert sentence == "2 of 6 sentences name no finding that these weights know; they get no segment."


@pytest.mark.parametrize(
    ("values", "modality", "intensity", "words"),
    [
        ((-1000, 400), "", "auto", ""),
        ((0, 255), "", "auto", ""),
        ((0, 1800), "", "auto", "do not look like CT"),
        ((0, 1800), "CT", "auto", ""),
        ((0, 1800), "MR", "auto", "this volume is MR"),
        ((0, 1800), "", "hu", ""),
    ],
)
def test_a_volume_of_another_kind_is_warned_about(
    slicer_session: SlicerSession, values: tuple[int, int], modality: str, intensity: str, words: str
) -> None:
    volume = _volume(slicer_session, *values)
    if modality:
        _modality(volume, modality)
    found = warnings(weightsCard(None).card, volume, "", intensity)
    assert len(found) == bool(words) and words in " ".join(found)


def test_weights_for_other_pictures_are_warned_about_on_ct(slicer_session: SlicerSession) -> None:
    card = weightsCard(None).card
    assert card is not None
    card = type(card).from_dict({**card.to_dict(), "modality": "chest X-ray"})
    assert "looks like CT" in warnings(card, _volume(slicer_session, -900, 100), "")[0]
    assert warnings(card, _volume(slicer_session, 0, 255), "") == []
    assert warnings(card, None, "") == warnings(None, None, "x") == []


def test_words_outside_the_vocabulary_are_counted_in_what_describes_the_image() -> None:
    card = weightsCard(None).card
    assert card is not None
    report = "HISTORY: Cough.\nFINDINGS: Pulmonary infection. Broken rib. No effusion of the knee."
    assert unknownSentences(card, report) == (2, 3)
    assert "No sentence of this report" in warnings(card, None, "FINDINGS: Broken rib.")[0]
    assert warnings(card, None, "  ") == []


def test_apply_says_all_that_it_lacks(slicer_session: SlicerSession) -> None:
    assert missing(None, " ", "Bad weights.") == [
        "Choose a volume.", "Type, paste or load the report.", "Bad weights."]  # fmt: skip
    empty = slicer_session.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert missing(empty, "Opacity.") == ["The volume holds no image; choose another."]
    volume = slicer_session.volume()
    assert missing(volume, "Opacity.") == [] and "Ctrl+Enter" in applyTip([])
    volume.SetAttribute(MAP_ATTRIBUTE, "1")
    assert "explanation map" in missing(volume, "Opacity.")[0]
    assert applyTip(["One.", "Two."]).splitlines()[1:] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("row", "running", "possible", "words"),
    [
        (False, True, True, "Choose a sentence"),
        (True, True, True, "Wait"),
        (True, False, False, "why"),
        (True, False, True, ""),
    ],
)
def test_a_button_that_is_off_says_why(row: bool, running: bool, possible: bool, words: str) -> None:
    found = needed(row, running, possible, "why")
    assert found.startswith(words) and bool(found) == bool(words)
