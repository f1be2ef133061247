"""The Slicer build installs exactly the module's and the package's files, and they work where it puts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from checkout import ROOT, shipped_files
from cmake_lists import FOLDERS, MODULE, PACKAGE, cmake_text

STAND_IN = Path(__file__).parent / "slicer_stand_in"
MODULES = Path("lib", "Slicer-5.12", "qt-scripted-modules")
# A checkout of 3D Slicer; where the variable names one, its own macros are tested beside the stand-in's.
SLICER_SOURCE = os.environ.get("LANGUAGESEGMENT_SLICER_SOURCE", "")
MACROS = ["the stand-in", *(["Slicer's own macros"] if SLICER_SOURCE else [])]


def _cmake() -> str:
    found = shutil.which("cmake", path=sysconfig.get_path("scripts")) or shutil.which("cmake")
    assert found, "cmake is not installed; install the extra test"
    return found


def _configure(source: Path, build: Path, slicer_source: str = "") -> subprocess.CompletedProcess[str]:
    # Nothing is compiled, so any program passes for a compiler and the machine needs none.
    pretended = [f"-DCMAKE_{what}={sys.executable}" for what in ("MAKE_PROGRAM", "C_COMPILER", "CXX_COMPILER")]
    trusted = [f"-DCMAKE_{lang}_COMPILER_{what}=1" for lang in ("C", "CXX") for what in ("FORCED", "ID_RUN")]
    options = ["-DBUILD_TESTING=ON", f"-DLANGUAGESEGMENT_SLICER_SOURCE={slicer_source}"]
    command = [_cmake(), "-S", str(source), "-B", str(build), "-G", "Unix Makefiles", f"-DSlicer_DIR={STAND_IN}"]
    return subprocess.run([*command, *options, *pretended, *trusted], capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module", params=MACROS)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules after a configure and an install."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("slicer")
    result = _configure(ROOT, build, "" if request.param == MACROS[0] else SLICER_SOURCE)
    assert result.returncode == 0, result.stderr
    subprocess.run([_cmake(), "--install", build, "--prefix", prefix], check=True, capture_output=True)
    return prefix / MODULES


def _run(installed: Path, folder: Path, program: str, *arguments: str) -> str:
    """What a program prints that finds only the installed tree, as Slicer puts it on Python's path."""
    path = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    result = subprocess.run(
        [sys.executable, "-P", "-c", path + program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_list_names_every_module_and_resource_that_git_sees(folder: str) -> None:
    written = (ROOT / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    assert written == cmake_text(folder, shipped_files(folder)), (
        f"{folder}/CMakeLists.txt is behind the files; run: python Testing/package/cmake_lists.py"
    )


def test_the_extension_installs_the_module_and_the_whole_package_beside_it(installed: Path) -> None:
    found = sorted(path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file())
    module = [path.removeprefix(f"{MODULE}/") for path in shipped_files(MODULE)]
    assert "LanguageSegment.py" in module and "Resources/Icons/LanguageSegment.png" in module
    assert found == sorted([*shipped_files(PACKAGE), *module])


def test_only_the_module_itself_lies_where_slicer_takes_every_script_for_a_module(installed: Path) -> None:
    assert [path.name for path in installed.glob("*.py")] == ["LanguageSegment.py"]
    libraries = {path.parent.name for path in installed.glob("*/__init__.py")}
    assert libraries == {"LMISCore", "LanguageSegmentLib"}


def test_the_installed_extension_opens_every_resource(installed: Path, tmp_path: Path) -> None:
    resources = [path.split("/")[2:] for path in shipped_files(PACKAGE) if path.startswith("LMISCore/resources/")]
    program = (
        "from LMISCore.resources import resource\n"
        f"print(sum(len(resource(*parts).read_bytes()) > 0 for parts in {resources!r}))"
    )
    assert _run(installed, tmp_path, program) == str(len(resources))


def test_the_installed_extension_segments_the_sample_in_a_scene(installed: Path, tmp_path: Path) -> None:
    program = (
        "import json; from pathlib import Path\n"
        f"sys.path.append({str(ROOT / 'Testing' / 'scene')!r})\n"
        "from session import SlicerSession\n"
        "session = SlicerSession(Path.cwd())\n"
        "from LanguageSegmentLib import runner\n"
        "from LanguageSegmentLib.sample import loadSample\n"
        "from LanguageSegmentLib.scripting import segmentReport\n"
        "result = segmentReport(*loadSample(), device='cpu')\n"
        "found = {row['id']: [row['state'], row['segment_id'] is not None] for row in result.rows}\n"
        "print(json.dumps([str(runner.CORE_FOLDER), found])); session.close()"
    )
    place, found = json.loads(_run(installed, tmp_path, program))
    expected = json.loads((ROOT / "LMISCore/resources/sample/expected.json").read_text(encoding="utf-8"))
    assert Path(place) == installed.resolve()
    assert found == {name: [each["state"], each["segment"]] for name, each in expected.items()}


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ("SCRIPTS nowhere.py", "does not exist: nowhere.py"),
        ("SCRIPTS here.py OPTIONAL", "does not exist: OPTIONAL"),
        ("WITH_SUBDIRS", "unknown keywords: WITH_SUBDIRS"),
    ],
)
def test_the_stand_in_refuses_what_slicer_refuses(tmp_path: Path, listing: str, message: str) -> None:
    source = tmp_path / "extension"
    source.mkdir()
    (source / "here.py").touch()
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16.3...3.28.0)\nproject(Wrong)\nfind_package(Slicer REQUIRED)\n"
        f"slicerMacroBuildScriptedModule({listing if 'WITH_' in listing else f'NAME Wrong {listing}'})\n"
    )
    result = _configure(source, tmp_path / "build")
    assert result.returncode != 0
    assert message in result.stderr


def test_a_name_that_cmake_lists_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="two words"):
        cmake_text(PACKAGE, ["LMISCore/resources/two words.json"])
