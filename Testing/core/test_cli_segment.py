"""``lmis segment``: what it reads, writes and prints."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_runs import (
    GRID,
    REPORT,
    Run,
    cli_lmis,  # noqa: F401
    cli_material,  # noqa: F401
    standard,
)
from obedient import one_thread  # noqa: F401
from PIL import Image
from tiny_checkpoint import save_tiny_checkpoint
from volume_makers import write_dicom

from LMISCore import __version__
from LMISCore.cli import main as cli
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.segmentation import read_segmentation
from LMISCore.volumes.volume import Geometry

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]


def test_a_run_writes_four_files_and_prints_the_table(lmis: Run, material: Path, tmp_path: Path) -> None:
    code, out, err = lmis(*standard(material, "--report", material / "report.txt", "--out", "results"))
    assert (code, err) == (0, "")
    assert sorted(os.listdir("results")) == ["chest.csv", "chest.json", "chest.png", "chest.seg.nrrd"]
    head = next(line for line in out.splitlines() if line.startswith("sentence"))
    assert head.split("  ")[0] == "sentence"
    for title in ("state", "segment", "presence", "volume (mL)", "slices"):
        assert title in head
    assert "Device: cpu" in out and "as asked" in out
    assert "Intensity: hu" in out and "reaching below -100" in out
    assert "Memory needed is about" in out
    assert "Pulmonary infection, left" in out and "negated" in out and "not covered" in out
    assert "nominal" not in out and "research" in out

    segments, geometry, _ = read_segmentation("results/chest.seg.nrrd")
    assert geometry.same_as(GRID)
    assert [segment.name for segment in segments] == ["Pulmonary infection, left"]
    assert segments[0].mask.all()
    tags = {key.rpartition(".")[2]: value for key, value in segments[0].tags.items()}
    assert tags["Sentence"] == "Infection in the left lung." and tags["Field"] == "FINDINGS"

    with open("results/chest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["affirmed", "negated", "not covered"]
    assert float(rows[0]["volume_ml"]) == pytest.approx(12 * 10 * 8 * 0.7 * 0.8 * 2.5 / 1000, abs=1e-3)
    assert rows[0]["volume_is_nominal"] == "False" and rows[0]["slices"] == "8"
    assert rows[1]["segment"] == rows[1]["presence"] == rows[1]["volume_ml"] == ""

    summary = json.loads(Path("results/chest.json").read_text(encoding="utf-8"))
    assert summary["provenance"]["intensity"]["kind"] == "hu" and summary["segments"] == 1
    with Image.open("results/chest.png") as picture:
        assert picture.mode == "RGB" and picture.width > 600


def test_json_prints_the_result_and_nothing_else(lmis: Run, material: Path) -> None:
    code, out, _ = lmis(*standard(material, "--text", "Infection in the left lung.", "--json", "--no-overlay"))
    result = json.loads(out)
    assert code == 0 and result["rows"][0]["segment"] == "Pulmonary infection, left"
    assert result["outputs"]["overlay"] is None
    assert sorted(os.listdir("lmis_output")) == ["chest.csv", "chest.json", "chest.seg.nrrd"]


def test_a_picture_without_spacing_has_nominal_volumes(lmis: Run, material: Path) -> None:
    code, out, _ = lmis(*standard(material, "--text", "Infection in the left lung.", volume="xray.png"))
    assert code == 0 and "0.3 (nominal spacing)" in out
    assert json.loads(Path("lmis_output/xray.json").read_text())["geometry"]["spacing_known"] is False


def test_the_table_says_why_a_sentence_has_no_segment(lmis: Run, material: Path) -> None:
    text = "Infection in the left lung. No effusion. The heart is normal."
    code, out, _ = lmis(*standard(material, "--text", text))
    assert code == 0
    assert '- "No" negates effusion' in out and "- names nothing that these weights know" in out
    _, out, _ = lmis(*standard(material, "--text", text, "--presence", "1"))
    assert "is under the threshold" in out


def test_an_abdomen_in_hounsfield_units_as_nifti_is_segmented_on_its_own_grid(
    lmis: Run, material: Path, tmp_path: Path
) -> None:
    """Soft tissue, fat and air in HU; the thirds are the volume's, and the table and a note say so."""
    save_tiny_checkpoint(tmp_path / "tiny.safetensors", material / "encoder", "abdomen")
    z, y, x = np.indices((9, 20, 24))
    hu = np.full(z.shape, -1000, dtype=np.int16)
    inside = ((x - 12) / 10) ** 2 + ((y - 10) / 8) ** 2 < 1
    hu[inside] = -100
    hu[((x - 8) / 5) ** 2 + ((y - 10) / 5) ** 2 < 1] = 60
    grid = Geometry((24, 20, 9), (0.8, 0.8, 5.0), (-9.0, -7.0, 100.0))
    write_volume(tmp_path / "abdomen.nii.gz", hu, grid)
    options = standard(material, "--checkpoint", tmp_path / "tiny.safetensors", "--out", "results")[2:]
    text = "Infection in the lower zone of the right lung. No effusion."
    code, out, err = lmis("segment", tmp_path / "abdomen.nii.gz", "--text", text, *options)
    assert (code, err) == (0, "")
    assert "Intensity: hu (values run from -1000 to 60, reaching below -100), convention abdomen." in out
    assert "Note: Words such as upper or lower" in out and "--organ" in out
    assert sorted(os.listdir("results")) == ["abdomen.csv", "abdomen.json", "abdomen.png", "abdomen.seg.nrrd"]
    (segment,), geometry, _ = read_segmentation("results/abdomen.seg.nrrd")
    assert geometry.same_as(grid, tolerance=1e-6)
    assert segment.mask[:3].all() and not segment.mask[3:].any()
    row = json.loads(Path("results/abdomen.json").read_text(encoding="utf-8"))["rows"][0]
    assert row["volume_ml"] == pytest.approx(3 * 20 * 24 * 0.8 * 0.8 * 5 / 1000, abs=1e-2)


def test_a_dicom_folder_is_segmented_and_named_after_the_folder(lmis: Run, material: Path, tmp_path: Path) -> None:
    array = np.random.default_rng(2).integers(-1000, 400, (6, 10, 12)).astype(np.int16)
    write_dicom(tmp_path / "scan", array)
    before = {path: path.read_bytes() for path in (tmp_path / "scan").iterdir()}
    options = standard(material, "--text", "Infection in the left lung.", "--out", "results")[2:]
    code, out, err = lmis("segment", tmp_path / "scan", *options)
    assert (code, err) == (0, "") and "Pulmonary infection, left" in out and "Intensity: hu" in out
    assert sorted(os.listdir("results")) == ["scan.csv", "scan.json", "scan.png", "scan.seg.nrrd"]
    (segment,), geometry, _ = read_segmentation("results/scan.seg.nrrd")
    assert geometry.same_as(Geometry((12, 10, 6), (0.75, 0.5, 2.5), (-10, -20, -300))) and segment.mask.all()
    summary = json.loads(Path("results/scan.json").read_text(encoding="utf-8"))
    assert summary["geometry"]["spacing_known"] is True
    assert {path: path.read_bytes() for path in (tmp_path / "scan").iterdir()} == before


def test_forced_ids_leave_the_volume_its_place(lmis: Run, material: Path) -> None:
    text = "No infection in the left lung. No effusion."
    volume, options = standard(material)[1], standard(material)[2:]
    code, out, _ = lmis("segment", *options, "--text", text, "--force", "text-1", "--force", "text-2", volume)
    assert code == 0 and out.count("negated (forced)") == 2


def test_forcing_a_sentence_gives_it_a_mask(lmis: Run, material: Path) -> None:
    code, out, _ = lmis(*standard(material, "--text", "No infection in the left lung.", "--force", "text-1"))
    assert code == 0 and "negated (forced)" in out
    assert os.path.exists("lmis_output/chest.seg.nrrd")


def test_options_reach_the_run_and_its_provenance(lmis: Run, material: Path) -> None:
    code, _, _ = lmis(
        *standard(material, "--text", "Infection in the lower zone.", "--intensity", "picture", "--min-volume", "0.01"),
        *("--organ", material / "organ.nrrd", "--threshold", "0.01", "--presence", "0.02", "--batch-size", "3"),
        *("--largest", "2", "--cache", "cache"),
    )
    assert code == 0
    provenance = json.loads(Path("lmis_output/chest.json").read_text())["provenance"]
    assert provenance["thresholds"] == {"mask": 0.01, "presence": 0.02} and provenance["batch_size"] == 3
    assert provenance["intensity"]["kind"] == "picture" and "user" in provenance["intensity"]["reason"]
    assert provenance["cleanup"] == "components under 0.01 mL dropped; the largest 2 components kept"
    assert provenance["level_extent"]["of"] == "organ"
    assert any(Path("cache").rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.txt", REPORT.encode()),
        ("marked.txt", b"\xef\xbb\xbf" + REPORT.encode()),
        ("text.json", json.dumps({"report": REPORT}).encode()),
        ("string.json", json.dumps(REPORT).encode()),
        ("fields.json", b'{"findings": "Infection in the left lung. No effusion.", "impression": "Heart is normal."}'),
    ],
)
def test_a_report_may_be_text_or_json(lmis: Run, material: Path, name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    code, out, _ = lmis(*standard(material, "--report", name, "--json", "--no-overlay"))
    assert code == 0
    rows = json.loads(out)["rows"]
    assert [row["state"] for row in rows] == ["affirmed", "negated", "not covered"] and rows[0]["field"] == "FINDINGS"


def test_a_report_may_come_from_stdin(lmis: Run, material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(REPORT.encode())))
    code, out, _ = lmis(*standard(material, "--report", "-", "--json", "--no-overlay"))
    assert code == 0 and len(json.loads(out)["rows"]) == 3


def test_the_sample_runs_with_its_own_report_and_nominal_volumes(
    lmis: Run, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LMISCore.inference import jobs

    sample = tmp_path / "package" / "sample"
    sample.mkdir(parents=True)
    (sample / "chest_ct.nrrd").write_bytes((material / "chest.nrrd").read_bytes())
    (sample / "report.txt").write_text(REPORT, encoding="utf-8")
    (sample / "sample.json").write_text('{"spacing_nominal": true}', encoding="utf-8")
    monkeypatch.setattr(jobs, "resource", lambda *parts: tmp_path.joinpath("package", *parts))
    tiny: list[str | Path] = ["--checkpoint", material / "tiny.safetensors", "--text-encoder", material / "encoder"]
    code, out, _ = lmis("segment", "--sample", *tiny, "--out", "results")
    assert code == 0 and "(nominal spacing)" in out
    assert "chest_ct.seg.nrrd" in os.listdir("results")


def test_help_and_version_load_no_torch() -> None:
    program = (
        "import sys; from LMISCore.cli.main import main\n"
        "for words in (['--help'], ['segment', '--help'], ['--version']):\n"
        "    try: main(words)\n"
        "    except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'transformers', 'SimpleITK'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"lmis {__version__}" in done.stdout
    for command in cli.COMMANDS:
        assert command in done.stdout


def test_every_command_has_its_file_and_its_help(lmis: Run) -> None:
    for command in cli.COMMANDS:
        code, out, _ = lmis(command, "--help")
        assert code == 0 and out.startswith(f"usage: lmis {command}")
