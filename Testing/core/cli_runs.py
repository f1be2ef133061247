"""Running ``lmis`` within the tests' process, and the files that its tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore.cli import main as cli
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.volume import Geometry

REPORT = "FINDINGS: Infection in the left lung.\nNo effusion.\nThe heart is normal.\n"
GRID = Geometry((12, 10, 8), (0.7, 0.8, 2.5), (3.0, -4.0, 5.0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="material", scope="module")
def cli_material(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


@pytest.fixture(name="lmis")
def cli_lmis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
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
    tiny: list[str | Path] = [
        "--checkpoint",
        material / "tiny.safetensors",
        "--text-encoder",
        material / "encoder",
        "--device",
        "cpu",
    ]
    return ["segment", material / volume, *tiny, *more]


def refused(result: tuple[int, str, str], words: str, folder: Path, before: set[str]) -> None:
    """One sentence on stderr, exit code 2, nothing printed and no file left."""
    code, out, err = result
    assert code == 2 and out == ""
    assert err.startswith("lmis: ") and err.count("\n") == 1 and "Traceback" not in err
    assert words in err
    assert {str(path) for path in folder.rglob("*")} == before
