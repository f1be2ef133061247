"""``lmis segment``: what it writes and prints, and one sentence for each thing that can be wrong."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from obedient import one_thread  # noqa: F401
from PIL import Image
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore import __version__
from LMISCore.cli import main as cli
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.segmentation import read_segmentation
from LMISCore.volumes.volume import Geometry

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]
REPORT = "FINDINGS: Infection in the left lung.\nNo effusion.\nThe heart is normal.\n"
GRID = Geometry((12, 10, 8), (0.7, 0.8, 2.5), (3.0, -4.0, 5.0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a volume, a picture, a report, a checkpoint and its text encoder."""
    folder = tmp_path_factory.mktemp("cli")
    save_tiny_checkpoint(folder / "tiny.safetensors", save_tiny_encoder(folder / "encoder"))
    words = save_tiny_encoder(folder / "other") / "vocab.txt"
    words.write_text(words.read_text(encoding="utf-8").replace("lung", "liver"), encoding="utf-8")
    array = np.random.default_rng(0).integers(-1000, 400, GRID.shape).astype(np.int16)
    write_volume(folder / "chest.nrrd", array, GRID)
    write_volume(folder / "organ.nrrd", (array > -2000).astype(np.uint8), GRID)
    write_volume(folder / "elsewhere.nrrd", np.ones((2, 2, 2), dtype=np.uint8), Geometry((2, 2, 2)))
    write_volume(folder / "empty_organ.nrrd", np.zeros(GRID.shape, dtype=np.uint8), GRID)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(folder / "xray.png")
    (folder / "report.txt").write_text(REPORT, encoding="utf-8")
    return folder


@pytest.fixture
def lmis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def standard(material: Path, *more: str | Path, volume: str = "chest.nrrd") -> list[str | Path]:
    tiny = ["--checkpoint", material / "tiny.safetensors", "--text-encoder", material / "encoder", "--device", "cpu"]
    return ["segment", material / volume, *tiny, *more]


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


def test_the_output_may_be_named_as_a_file(lmis: Run, material: Path) -> None:
    code, _, _ = lmis(*standard(material, "--text", "Infection.", "--out", "a/case.7.seg.nrrd", "--no-overlay"))
    assert code == 0 and sorted(os.listdir("a")) == ["case.7.csv", "case.7.json", "case.7.seg.nrrd"]


def test_a_picture_without_spacing_has_nominal_volumes(lmis: Run, material: Path) -> None:
    code, out, _ = lmis(*standard(material, "--text", "Infection in the left lung.", volume="xray.png"))
    assert code == 0 and "0.3 (nominal spacing)" in out
    assert json.loads(Path("lmis_output/xray.json").read_text())["geometry"]["spacing_known"] is False


def test_without_any_segment_no_segmentation_is_written_and_an_old_one_goes(lmis: Run, material: Path) -> None:
    for text, files in (("Infection.", 4), ("No infection.", 3)):
        code, out, _ = lmis(*standard(material, "--text", text))
        assert code == 0 and len(os.listdir("lmis_output")) == files
    assert "None of the 1 sentences has a segment, so no segmentation was written" in out
    assert "earlier run" in out


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
    tiny = ["--checkpoint", material / "tiny.safetensors", "--text-encoder", material / "encoder"]
    code, out, _ = lmis("segment", "--sample", *tiny, "--out", "results")
    assert code == 0 and "(nominal spacing)" in out
    assert "chest_ct.seg.nrrd" in os.listdir("results")


def bad_volume(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.nrrd"
    if kind == "missing":
        return path
    if kind == "four_d":
        sitk.WriteImage(sitk.Image([4, 4, 4, 3], sitk.sitkFloat32), str(path))
    elif kind == "nan":
        sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4, 5), np.nan, dtype=np.float32)), str(path))
    elif kind == "no_bytes":
        path.write_bytes(b"")
    elif kind == "suffix":
        path = folder / "volume.xyz"
        path.write_bytes(b"hello")
    return path


def refused(result: tuple[int, str, str], words: str, folder: Path, before: set[str]) -> None:
    """One sentence on stderr, exit code 2, nothing printed and no file left."""
    code, out, err = result
    assert code == 2 and out == ""
    assert err.startswith("lmis: ") and err.count("\n") == 1 and "Traceback" not in err
    assert words in err
    assert {str(path) for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "There is no file"),
        ("four_d", "4 dimensions"),
        ("nan", "no finite value"),
        ("no_bytes", "empty"),
        ("suffix", "no supported kind"),
    ],
)
def test_a_volume_that_cannot_be_used_is_refused(
    lmis: Run, material: Path, tmp_path: Path, kind: str, words: str
) -> None:
    volume = bad_volume(kind, tmp_path)
    before = {str(path) for path in tmp_path.rglob("*")}
    refused(lmis("segment", volume, "--text", "Infection."), words, tmp_path, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "none.txt"], "No report file"),
        ([], "No report was given"),
        (["--text", "  "], "empty"),
        (["--text", "..."], "sentence"),
        (["--report", "@latin1.txt"], "not UTF-8"),
        (["--report", "@empty.txt"], "empty"),
        (["--report", "@binary.txt"], "binary"),
        (["--report", "@broken.json"], "not JSON"),
        (["--report", "@list.json"], "other JSON"),
        (["--text", "Infection.", "--device", "tpu"], "'tpu' is unknown"),
        (["--text", "Infection.", "--device", "cuda:77"], "cuda:77"),
        (["--text", "Infection.", "--precision", "int8"], "'int8' is unknown"),
        (["--text", "Infection.", "--intensity", "mri"], "'mri' is unknown"),
        (["--text", "Infection.", "--checkpoint", "none"], "No checkpoint"),
        (["--text", "Infection.", "--checkpoint", "@empty.txt"], "safetensors"),
        (["--text", "Infection.", "--checkpoint", "@released.pth"], "lmis convert"),
        (["--text", "Infection.", "--text-encoder", "none"], "no text encoder"),
        (["--text", "Infection.", "--threshold", "2"], "mask threshold is 2"),
        (["--text", "Infection.", "--min-volume", "-1"], "-1"),
        (["--text", "Infection.", "--batch-size", "0"], "batch size is 0"),
        (["--text", "Infection.", "--force", "findings-9"], "'findings-9'"),
        (["--text", "Infection.", "--organ", "none.nrrd"], "There is no file"),
        (["--text", "Infection.", "--organ", "%elsewhere.nrrd"], "does not lie on the volume's grid"),
        (["--text", "Infection.", "--organ", "%empty_organ.nrrd"], "empty"),
        (["--text", "Infection.", "--out", "@empty.txt/sub"], "is a file, not a folder"),
        (["--text", "Infection.", "--out", "@empty.txt"], "existing file"),
        (["--text", "Infection.", "--out", "result.nii.gz"], "looks like a file"),
        (["--text", "Infection.", "--out", ".seg.nrrd"], "no name"),
        (["--text", "Infection.", "--sample"], "Both a volume and the sample"),
        (["--text", "Infection.", "--report", "a.txt"], "not allowed with"),
        (["--text", "Infection.", "--batch-size", "two"], "invalid int value"),
        (["--text", "Infection.", "--colour"], "Unrecognized arguments"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_option_is_one_sentence_and_leaves_no_file(
    lmis: Run, material: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    inputs = {
        "latin1.txt": "Infektion, beidseitig, gr\xf6\xdfer".encode("latin-1"),
        "empty.txt": b"",
        "binary.txt": b"\0\1\2",
        "broken.json": b"{",
        "list.json": b"[1, 2]",
        "released.pth": b"PK\3\4 torch",
    }
    for name, content in inputs.items():
        (tmp_path / name).write_bytes(content)
    before = {str(path) for path in tmp_path.rglob("*")}
    given = [o.replace("@", f"{tmp_path}/", 1) if o.startswith("@") else o for o in options]
    given = [o.replace("%", f"{material}/", 1) if o.startswith("%") else o for o in given]
    refused(lmis(*standard(material, *given)), words, tmp_path, before)


def test_the_text_encoder_of_another_checkpoint_is_refused(lmis: Run, material: Path, tmp_path: Path) -> None:
    result = lmis(*standard(material, "--text", "Infection.", "--text-encoder", material / "other"))
    refused(result, "trained", tmp_path, set())


def test_an_interrupted_run_exits_with_130_and_leaves_nothing(
    lmis: Run, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LMISCore.inference import answers

    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(answers, "slice_presence", interrupt)
    code, _, err = lmis(*standard(material, "--text", "Infection."))
    assert code == 130 and err.startswith("lmis: Interrupted") and not list(tmp_path.iterdir())


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


def test_help_and_version_load_no_torch() -> None:
    program = (
        "import sys; from LMISCore.cli.main import main\n"
        "for words in (['--help'], ['segment', '--help'], ['--version']):\n"
        "    try: main(words)\n"
        "    except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'transformers', 'SimpleITK'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"lmis {__version__}" in done.stdout
    for command in cli.COMMANDS:
        assert command in done.stdout


def test_an_unknown_or_missing_command_is_exit_code_2(lmis: Run) -> None:
    assert lmis("paint")[0] == 2
    assert lmis()[0] == 2


def test_every_command_has_its_file_and_its_help(lmis: Run) -> None:
    for command in cli.COMMANDS:
        code, out, _ = lmis(command, "--help")
        assert code == 0 and out.startswith(f"usage: lmis {command}")


def test_a_bad_volume_is_answered_without_loading_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from LMISCore.cli.main import main\n"
        "code = main(['segment', 'none.nrrd', '--text', 'Infection.'])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("lmis: There is no file"), done.stderr
