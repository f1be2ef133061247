"""``lmis``: one sentence and exit code 2 for each thing that can be wrong, and no file left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cli_runs import (
    Run,
    cli_lmis,  # noqa: F401
    cli_material,  # noqa: F401
    refused,
    standard,
)
from obedient import one_thread  # noqa: F401
from tiny_checkpoint import save_tiny_checkpoint

from LMISCore.cli import train
from LMISCore.cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]


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
        (["--text", "Infection.", "--backend", "onnx"], "The backend is 'onnx'"),
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
        (["--text", "Infection.", "--organ", "%chest.nrrd"], "holds grey values, not an organ mask"),
        (["--text", "Infection.", "--out", "@empty.txt/sub"], "is a file, not a folder"),
        (["--text", "Infection.", "--out", "@empty.txt"], "existing file"),
        (["--text", "Infection.", "--out", "result.nii.gz"], "looks like a file"),
        (["--text", "Infection.", "--out", ".seg.nrrd"], "no name"),
        (["--text", "Infection.", "--out", f"{'x' * 250}.seg.nrrd"], "shorter name"),
        (["--report", "@deep.json"], "nested too deeply"),
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
        "deep.json": b"[" * 200_000,
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


def test_weights_for_8_bit_pictures_refuse_a_ct_in_hounsfield_units(lmis: Run, material: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    save_tiny_checkpoint(folder / "unit.safetensors", material / "encoder", "unit")
    before = {str(path) for path in tmp_path.rglob("*")}
    result = lmis(*standard(material, "--text", "Infection.", "--checkpoint", folder / "unit.safetensors"))
    refused(result, "expect 8-bit pictures", tmp_path, before)


def test_an_empty_name_of_a_volume_is_not_the_folder_one_stands_in(lmis: Run, material: Path, tmp_path: Path) -> None:
    command = [*standard(material, "--text", "Infection.")]
    command[1] = ""
    refused(lmis(*command), "No volume was given", tmp_path, set())


def test_an_unknown_or_missing_command_is_exit_code_2(lmis: Run) -> None:
    assert lmis("paint")[0] == 2
    assert lmis()[0] == 2


def test_a_bad_volume_is_answered_without_loading_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from LMISCore.cli.main import main\n"
        "code = main(['segment', 'none.nrrd', '--text', 'Infection.'])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2 and done.stderr.startswith("lmis: There is no file"), done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory\nmore"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_that_runs_out_in_any_command_is_told_in_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(train, "run", fail)
    assert main(["train", "tirnet-chest-ct"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("lmis: Memory ran out (") and told.count("\n") == 1 and "more" not in told


def test_a_defect_of_ours_is_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: object) -> int:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(train, "run", fail)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        main(["train", "tirnet-chest-ct"])
