"""The Slicer build installs exactly the package's files, and the extension's header is one the index accepts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from checkout import ROOT, shipped_files
from cmake_lists import LIST_FILE, cmake_text

STAND_IN = Path(__file__).parent / "slicer_stand_in"
MODULES = Path("lib", "Slicer-5.12", "qt-scripted-modules")


def _cmake() -> str:
    found = shutil.which("cmake", path=sysconfig.get_path("scripts")) or shutil.which("cmake")
    assert found, "cmake is not installed; install the extra test"
    return found


def _configure(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    # Nothing is compiled, so any program passes for a compiler and the machine needs none.
    pretended = [f"-DCMAKE_{what}={sys.executable}" for what in ("MAKE_PROGRAM", "C_COMPILER", "CXX_COMPILER")]
    trusted = [f"-DCMAKE_{lang}_COMPILER_{what}=1" for lang in ("C", "CXX") for what in ("FORCED", "ID_RUN")]
    command = [_cmake(), "-S", str(source), "-B", str(build), "-G", "Unix Makefiles", f"-DSlicer_DIR={STAND_IN}"]
    return subprocess.run([*command, *pretended, *trusted], capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules after a configure and an install against the stand-in."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("slicer")
    result = _configure(ROOT, build)
    assert result.returncode == 0, result.stderr
    subprocess.run([_cmake(), "--install", build, "--prefix", prefix], check=True, capture_output=True)
    return prefix / MODULES


def test_the_list_names_every_module_and_resource_that_git_sees() -> None:
    assert LIST_FILE.read_text(encoding="utf-8") == cmake_text(shipped_files()), (
        "LMISCore/CMakeLists.txt is behind the files; run: python Testing/package/cmake_lists.py"
    )


def test_the_extension_installs_the_whole_package_beside_the_module(installed: Path) -> None:
    found = sorted(path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file())
    assert found == shipped_files()


def test_the_installed_extension_opens_every_resource(installed: Path, tmp_path: Path) -> None:
    resources = [path.split("/")[2:] for path in shipped_files() if path.startswith("LMISCore/resources/")]
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "from LMISCore.resources import resource\n"
        f"print(sum(len(resource(*parts).read_bytes()) > 0 for parts in {resources!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.stdout.strip() == str(len(resources)), result.stderr


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
        cmake_text(["LMISCore/resources/two words.json"])


def test_the_extension_header_is_what_the_index_reads() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    values = dict(re.findall(r'^set\(EXTENSION_([A-Z]+) "([^"$]+)"\)$', text, re.MULTILINE))
    assert re.findall(r"^project\((\w+)\)$", text, re.MULTILINE) == ["LanguageSegment"]
    assert {"HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "DEPENDS"} <= values.keys()
    assert values["HOMEPAGE"].rsplit("/", 1)[1].startswith("Slicer")
    assert values["DEPENDS"] == "PyTorch"


def test_every_picture_of_the_extension_header_lies_in_this_repository() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    homepage = re.findall(r'EXTENSION_HOMEPAGE "https://github\.com/([^"]+)"', text)[0]
    urls = re.findall(r"https://\S+?\.(?:png|jpg)", text)
    assert urls
    for url in urls:
        path = url.removeprefix(f"https://raw.githubusercontent.com/{homepage}/main/")
        assert (ROOT / path).is_file(), f"{url} names no file of this repository"
