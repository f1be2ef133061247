"""LanguageSegment.py against stand-ins for the application: loading, scene swaps, reloading, the sample."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import slicer
from logic_makers import REPORT, InProcessRunner, Material, load_volume
from session import SlicerSession
from slicer_application import MARK, MODULE_FILE, Application, load_module

from LanguageSegmentLib.binding import isReportNode
from LanguageSegmentLib.packages import InstallPlan
from LanguageSegmentLib.tags import readTag
from LanguageSegmentLib.volume_files import hasNominalSpacing

ROOT = MODULE_FILE.parents[1]


@pytest.fixture
def application(slicer_session: SlicerSession, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(monkeypatch)


def test_the_module_tells_who_it_is_and_registers_its_sample_at_startup(application: Application) -> None:
    parent = SimpleNamespace(path=str(MODULE_FILE))
    application.module.LanguageSegment(parent)
    assert parent.title == MARK + "Language Segment" and parent.categories == [MARK + "Segmentation"]
    assert parent.contributors == ["LanguageSegment contributors"]
    assert "not for clinical use" in parent.helpText and application.module.HOMEPAGE in parent.helpText
    assert not application.samples
    assert application.module.registerSampleData in application.app.slots["startupCompleted()"]


def test_the_sample_is_registered_with_files_that_exist(application: Application) -> None:
    application.module.registerSampleData()
    (sample,) = application.samples
    path = Path(url2pathname(urlsplit(sample["uris"]).path))
    assert sample["checksums"] == "SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert Path(sample["thumbnailFileName"]).is_file() and sample["category"] == "LanguageSegment"
    assert sample["fileNames"] == sample["sampleName"] + ".nrrd"


def test_the_button_of_sample_data_loads_volume_and_report(
    application: Application, slicer_session: SlicerSession
) -> None:
    application.module.registerSampleData()
    application.samples[0]["customDownloader"](None)
    (volumeNode,) = slicer_session.nodes("vtkMRMLScalarVolumeNode")
    (reportNode,) = slicer_session.nodes("vtkMRMLTextNode")
    assert volumeNode.GetImageData().GetDimensions()[2] > 1 and hasNominalSpacing(volumeNode)
    assert isReportNode(reportNode) and "Pulmonary infection" in reportNode.GetText()
    assert volumeNode.GetStorageNode() is None


def test_loading_needs_no_torch_no_transformers_and_no_network() -> None:
    program = (
        "import sys, socket, pathlib\n"
        "def refuse(*_): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        f"sys.path[:0] = [{str(ROOT / 'LanguageSegment')!r}, {str(ROOT / 'Testing' / 'scene')!r}]\n"
        "blocked = ('torch', 'transformers', 'slicerio', 'nrrd', 'safetensors', 'yaml', 'tokenizers')\n"
        "for name in blocked: sys.modules[name] = None\n"
        "import pytest; from session import SlicerSession; from slicer_application import Application\n"
        "session = SlicerSession(pathlib.Path.cwd())\n"
        "application = Application(pytest.MonkeyPatch())\n"
        "logic = application.module.LanguageSegmentLogic()\n"
        "print(type(logic).__name__, sorted(n for n in ('scipy', 'SimpleITK', 'PIL') if n in sys.modules))\n"
        "logic.close()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert result.stdout.strip().splitlines()[-1:] == ["LanguageSegmentLogic []"], result.stderr


def test_what_is_chosen_is_saved_with_the_scene(
    application: Application, slicer_session: SlicerSession, tmp_path: Path
) -> None:
    logic = application.module.LanguageSegmentLogic()
    volumeNode, reportNode = logic.loadSample()
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.reportNode = volumeNode, reportNode
    slicer_session.save(tmp_path / "scene.mrb")
    slicer_session.load(tmp_path / "scene.mrb")
    again = logic.getParameterNode()
    assert again.inputVolume.GetName() == "Chest CT" and again.reportNode.GetName() == "Chest CT report"
    assert again.segmentationNode is None
    logic.close()


def test_a_logic_works_on_after_the_scene_was_closed(
    application: Application, slicer_session: SlicerSession, material: Material
) -> None:
    logic = application.module.LanguageSegmentLogic()
    for _ in range(2):
        volumeNode = load_volume(slicer_session, material.volume("oblique"))
        logic.getParameterNode().inputVolume = volumeNode
        result = logic.segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **material.options)
        (node,) = result.segmentationNodes
        result.reportNode.SetText("No infection in the left lung.")
        segment = node.GetSegmentation().GetSegment("lmis_findings-1")
        assert readTag(segment, "Binding") in ("stale", "orphan")
        slicer_session.scene.Clear(False)
        assert logic.getParameterNode().inputVolume is None
    logic.close()


def test_a_closed_logic_no_longer_watches_the_scene(application: Application, slicer_session: SlicerSession) -> None:
    watched = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.StartCloseEvent)
    before = [slicer_session.scene.HasObserver(event) for event in watched]
    logic = application.module.LanguageSegmentLogic()
    assert slicer_session.scene.HasObserver(slicer.vtkMRMLScene.NodeAddedEvent)
    logic.close()
    logic.close()
    assert [slicer_session.scene.HasObserver(event) for event in watched] == before


def test_the_module_can_be_loaded_anew_with_its_library(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("LanguageSegmentLib", "LMISCore")]:
        # so that the other tests get back the modules they know
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    old = sys.modules["LanguageSegmentLib.run"]
    application.module.forgetLibrary()
    again = load_module()
    assert sys.modules["LanguageSegmentLib.run"] is not old
    assert again.LanguageSegmentLogic is not application.module.LanguageSegmentLogic
    again.LanguageSegmentLogic().close()


def test_the_modules_own_test_can_run_where_packages_are_missing(
    application: Application, monkeypatch: pytest.MonkeyPatch, slicer_session: SlicerSession
) -> None:
    plan = staticmethod(lambda: InstallPlan(torch="torch>=2.6"))
    monkeypatch.setattr(application.module.LanguageSegmentLogic, "installPlan", plan)
    application.module.LanguageSegmentTest().runTest()
    assert len(slicer_session.nodes("vtkMRMLScalarVolumeNode")) == 1


def test_every_text_that_the_module_shows_goes_through_the_translation() -> None:
    tree = ast.parse(MODULE_FILE.read_text(encoding="utf-8"))
    shown = ("title", "helpText", "acknowledgementText", "text", "toolTip", "placeholderText")
    plain = [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and node.targets[0].attr in shown
        and _plain_words(node.value)
    ]
    plain += [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in ("addRow", "QPushButton", "errorDisplay", "_ended")
        and any(_plain_words(argument) for argument in node.args)
    ]
    assert not plain


def _plain_words(node: ast.expr) -> bool:
    """Whether an expression holds words outside ``_(...)``."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_", "translate"):
        return False
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and any(letter.isalpha() for letter in node.value)
    return any(_plain_words(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
