"""What the project says about itself agrees from file to file, and the README's commands are what CI runs."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from checkout import ROOT, tracked_files
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import LMISCore

# What 3D Slicer 5.12 bundles of the packages that the constraints name.
SLICER_PINS = Path(__file__).parent / "slicer_5.12_pins.txt"


def _text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def _requirements(*lines: str) -> dict[str, Requirement]:
    kept = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in kept}


def _pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: str(requirement.specifier) for name, requirement in _requirements(*lines).items()}


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return dict(tomllib.loads(_text("pyproject.toml"))["project"])


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    return _pins(ROOT / "LMISCore" / "resources" / "constraints.txt")


def test_changelog_citation_and_package_tell_the_same_version() -> None:
    newest = re.findall(r"^## (\S+)", _text("CHANGELOG.md"), re.MULTILINE)[0]
    cited = yaml.safe_load(_text("CITATION.cff"))["version"]
    assert newest == str(cited) == LMISCore.__version__


def test_the_citation_names_the_papers_of_all_three_networks() -> None:
    citation = yaml.safe_load(_text("CITATION.cff"))
    papers = {reference["notes"]: reference for reference in citation["references"]}
    assert {name: paper["url"].rsplit("/", 1)[1] for name, paper in papers.items()} == {
        "TIRNet": "2606.27794",
        "RecLMIS": "2404.02845",
        "TMCA": "2412.13533",
    }
    assert all(paper["title"] and paper["authors"] and paper["year"] for paper in papers.values())
    assert citation["authors"] == [{"name": "LanguageSegment contributors"}]


def test_the_licence_is_the_full_apache_text(project: dict[str, object]) -> None:
    text = _text("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project["license"] == "Apache-2.0"


def test_constraints_pin_exact_versions_for_every_platform(pins: dict[str, str]) -> None:
    assert all(re.fullmatch(r"==[\w.]+", specifier) for specifier in pins.values()), "no ranges, no +cpu or +cu suffix"


def test_constraints_pin_every_requirement_within_its_bounds(project: dict[str, object], pins: dict[str, str]) -> None:
    base = _text("LMISCore", "resources", "requirements.txt").splitlines()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = [_requirements(*base), *(_requirements(*lines) for lines in extras.values())]
    for requirements in wanted:
        for name, requirement in requirements.items():
            assert name in pins, f"{name} is not in constraints.txt"
            assert requirement.specifier.contains(pins[name].removeprefix("==")), f"{requirement}, but {pins[name]}"


def test_constraints_pin_all_that_the_pinned_packages_bring_along(
    project: dict[str, object], pins: dict[str, str]
) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    seen: set[str] = set()
    waiting = [*_text("LMISCore", "resources", "requirements.txt").splitlines(), *itertools.chain(*extras.values())]
    while waiting:
        for name, requirement in _requirements(waiting.pop()).items():
            wanted = not requirement.marker or requirement.marker.evaluate({"extra": ""})
            found = _installed(name) if wanted and name not in seen else None
            seen |= {name} if wanted else set()
            # Another version may need other packages; torch itself pins the libraries of its GPU builds.
            if found and f"=={Version(found.version).public}" == pins.get(name) and name != "torch":
                waiting += found.requires or []
    assert not seen - pins.keys()


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def test_constraints_never_replace_a_package_that_slicer_bundles(pins: dict[str, str]) -> None:
    bundled = _pins(SLICER_PINS)
    shared = bundled.keys() & pins.keys()
    assert {"numpy", "scipy", "simpleitk", "pillow", "requests"} <= shared
    assert {name: pins[name] for name in shared} == {name: bundled[name] for name in shared}


def _command(marker: str) -> str:
    found = re.findall(rf"^<!-- {marker} -->\n```bash\n(.+)\n```$", _text("README.md"), re.MULTILINE)
    assert len(found) == 1, f"README.md needs one bash block of one line after <!-- {marker} -->"
    return str(found[0])


def test_the_readme_runs_the_sample_in_one_command() -> None:
    words = shlex.split(_command("run-command"))
    assert words[words.index("-c") + 1] == "LMISCore/resources/constraints.txt"
    assert words[-4:] == ["segment", "--sample", "--out", "sample-output"]


def test_the_readme_test_command_installs_every_extra_that_tests_use(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    (asked,) = re.findall(r"\.\[([\w,]+)\]", _command("test-command"))
    assert set(asked.split(",")) == set(extras)


def test_ci_is_executable_and_takes_the_test_command_from_the_readme() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    line = next(line for line in run.read_text(encoding="utf-8").splitlines() if line.startswith("command="))
    result = subprocess.run(
        ["bash", "-c", f'{line}; printf %s "$command"'], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.stdout == _command("test-command")


def test_the_readme_says_that_it_is_not_for_clinical_use() -> None:
    assert "Not for clinical use" in _text("README.md")


def test_golden_cases_are_complete() -> None:
    names = {path.rsplit("/", 1)[1] for path in tracked_files("Testing/golden")}
    cases = {name.removesuffix("_case.npz") for name in names if name.endswith("_case.npz")}
    assert {"tirnet", "reclmis"} <= cases
    assert {f"{case}_parameters.json" for case in cases} | {"fill.py", "README.md"} <= names
