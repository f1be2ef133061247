"""``lmis segment`` and the files around it: inputs are never overwritten, outputs appear together or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import (
    REPORT,
    Run,
    cli_lmis,  # noqa: F401
    cli_material,  # noqa: F401
    refused,
    standard,
)
from obedient import one_thread  # noqa: F401
from PIL import Image
from volume_makers import write_dicom

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_picture_of_an_earlier_run_goes_when_this_one_draws_none(lmis: Run, material: Path) -> None:
    lmis(*standard(material, "--text", "Infection."))
    assert Path("lmis_output/chest.png").exists()
    code, _, _ = lmis(*standard(material, "--text", "Infection.", "--no-overlay"))
    assert code == 0 and sorted(os.listdir("lmis_output")) == ["chest.csv", "chest.json", "chest.seg.nrrd"]


def test_a_picture_that_no_run_drew_stays(lmis: Run, material: Path) -> None:
    Path("mine").mkdir()
    Path("mine/chest.png").write_bytes(b"my photograph")
    for _ in range(2):
        code, _, _ = lmis(*standard(material, "--text", "Infection.", "--no-overlay", "--out", "mine"))
        assert code == 0 and Path("mine/chest.png").read_bytes() == b"my photograph"


@pytest.mark.parametrize("name", ["chest.seg.nrrd", "chest.csv", "chest.png", "chest.json"])
def test_a_folder_in_an_outputs_place_is_told_before_any_work(
    lmis: Run, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from LMISCore.inference import jobs

    def never(*args: Any) -> None:
        raise AssertionError("the volume was read")

    monkeypatch.setattr(jobs, "read_volume", never)
    tmp_path.joinpath("out", name).mkdir(parents=True)
    before = {str(path) for path in tmp_path.rglob("*")}
    refused(lmis(*standard(material, "--text", "Infection.", "--out", "out")), "is a folder", tmp_path, before)


def test_no_input_is_overwritten(lmis: Run, material: Path, tmp_path: Path) -> None:
    """The volume, the report, the organ mask and what lies in a DICOM folder, each where an output would go."""
    folder = tmp_path / "d"
    folder.mkdir()
    for name, source in (("pic.png", "xray.png"), ("pic.seg.nrrd", "organ.nrrd")):
        (folder / name).write_bytes((material / source).read_bytes())
    for name in ("pic.json", "pic.csv"):
        (folder / name).write_text(json.dumps(REPORT), encoding="utf-8")
    (folder / "link.csv").symlink_to(folder / "pic.csv")
    write_dicom(tmp_path / "scan", np.zeros((3, 8, 8), dtype=np.int16))
    (tmp_path / "scan" / "scan.csv").write_text("notes", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    tiny = standard(material)[2:]
    chest, text = material / "chest.nrrd", ["--text", "Infection."]
    named: list[str | Path] = ["--out", folder / "pic.seg.nrrd"]
    clashes: list[list[str | Path]] = [
        [folder / "pic.png", *text, "--out", folder],
        [folder / "pic.png", *text, "--out", folder, "--no-overlay"],
        [chest, "--report", folder / "pic.json", *named],
        [chest, "--report", folder / "pic.csv", "--out", folder / "link.seg.nrrd"],
        [chest, *text, "--organ", folder / "pic.seg.nrrd", *named],
        [tmp_path / "scan", *text, "--out", tmp_path / "scan"],
    ]
    for clash in clashes:
        code, out, err = lmis("segment", *clash, *tiny)
        assert code == 2 and out == "" and err.count("\n") == 1 and "would overwrite the input" in err, (clash, err)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_any_segment_no_segmentation_is_written_and_an_old_one_goes(lmis: Run, material: Path) -> None:
    for text, files in (("Infection.", 4), ("No infection.", 3)):
        code, out, _ = lmis(*standard(material, "--text", text))
        assert code == 0 and len(os.listdir("lmis_output")) == files
    assert "None of the 1 sentences has a segment, so no segmentation was written" in out
    assert "earlier run" in out


def test_the_output_may_be_named_as_a_file(lmis: Run, material: Path) -> None:
    code, _, _ = lmis(*standard(material, "--text", "Infection.", "--out", "a/case.7.seg.nrrd", "--no-overlay"))
    assert code == 0 and sorted(os.listdir("a")) == ["case.7.csv", "case.7.json", "case.7.seg.nrrd"]


def test_a_failed_write_leaves_the_earlier_results_untouched(
    lmis: Run, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lmis(*standard(material, "--text", "Infection."))[0] == 0
    before = {path.name: path.read_bytes() for path in Path("lmis_output").iterdir()}
    monkeypatch.setattr(Image.Image, "save", full_disk)
    code, _, err = lmis(*standard(material, "--text", "Infection in the left lung."))
    assert code == 2 and "No space left" in err
    assert {path.name: path.read_bytes() for path in Path("lmis_output").iterdir()} == before


def full_disk(*args: Any, **kwargs: Any) -> None:
    raise OSError(28, "No space left on device")


def test_an_interrupted_run_exits_with_130_and_leaves_nothing(
    lmis: Run, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LMISCore.inference import answers

    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(answers, "slice_presence", interrupt)
    code, _, err = lmis(*standard(material, "--text", "Infection."))
    assert code == 130 and err.startswith("lmis: Interrupted") and not list(tmp_path.iterdir())
