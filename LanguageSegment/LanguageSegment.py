"""The Slicer module: a volume and a report in, one segment per affirmed sentence out.

Loads without PyTorch, without a network and without a main window: what it imports is torch-free, and the network runs
in a process of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTextNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from LanguageSegmentLib.diagnosis import diagnosis
from LanguageSegmentLib.installer import install
from LanguageSegmentLib.observers import BindingObserver
from LanguageSegmentLib.packages import installPlan
from LanguageSegmentLib.report_nodes import createReportNode
from LanguageSegmentLib.sample import CATEGORY, SAMPLE_NAME, loadSample, sampleSource
from LanguageSegmentLib.scripting import reportNodeFor, segmentReport, startSegmentReport
from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.terminology import registerTerminology

if TYPE_CHECKING:
    from LanguageSegmentLib.panel import Panel

HOMEPAGE = "https://github.com/LanguageSegment/SlicerLanguageSegment"


class LanguageSegment(ScriptedLoadableModule):
    """What Slicer's list of modules shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Language Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Terminologies", "Texts", "Volumes"]
        parent.contributors = ["LanguageSegment contributors"]
        parent.helpText = _(
            "Marks in a scan what each sentence of its written report describes, one segment per sentence. "
            'For research only, not for clinical use. See the <a href="{homepage}">documentation</a>.'
        ).format(homepage=HOMEPAGE)
        parent.acknowledgementText = _(
            "The networks are re-implementations; the papers that describe them are named in the documentation."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", registerFindings)


def registerSampleData() -> None:
    """Offer the bundled case in the module Sample Data."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        thumbnailFileName=os.path.join(os.path.dirname(__file__), "Resources", "Icons", "LanguageSegment.png"),
        customDownloader=_loadSample,
        **sampleSource(),
    )


def registerFindings() -> None:
    """Put the findings and their codes among Slicer's terminologies, where segments' names and colours are chosen."""
    registerTerminology(slicer.modules.terminologies.logic())


def _loadSample(source: Any = None) -> None:
    """Load the bundled case with its report, and show it where there are slice views."""
    volumeNode, _reportNode = loadSample()
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


@parameterNodeWrapper
class LanguageSegmentParameterNode:
    """What is chosen in the panel; saved with the scene.

    inputVolume - the volume that is segmented.
    reportNode - the report, a text node.
    segmentationNode - where the segments go; none lets the module choose.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    reportNode: vtkMRMLTextNode
    segmentationNode: vtkMRMLSegmentationNode


class LanguageSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: a volume, the report's text, Apply, and the table of findings; see LanguageSegmentLib.panel."""

    def __init__(self, parent: Any = None) -> None:
        # The base class calls setup() itself where it is given no parent.
        self.logic: LanguageSegmentLogic | None = None
        self.panel: Panel | None = None
        self._parameterNode: Any = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Build the panel; called once, when the module is opened for the first time."""
        from LanguageSegmentLib.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LanguageSegment.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LanguageSegmentLogic()
        self.panel = Panel(uiWidget, self.ui, self.logic, self.makeWorker(), self.makeStore())
        self.logic.onChange = self.panel.refreshLater
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    @staticmethod
    def makeWorker() -> ServingWorker:
        """What segments: a process that keeps the network loaded."""
        from LanguageSegmentLib.qt_process import QtProcess

        return ServingWorker(QtProcess)

    @staticmethod
    def makeStore() -> Any:
        """Where the user's settings are kept."""
        import qt

        return qt.QSettings()

    def cleanup(self) -> None:
        """Stop what runs and let go of the scene; called before the module is unloaded or reloaded."""
        self.removeObservers()
        self._parameterNode = None
        if self.panel is not None:
            self.panel.close()
        if self.logic is not None:
            self.logic.close()

    def enter(self) -> None:
        """Called whenever the module is opened."""
        self.initializeParameterNode()
        if self.panel is not None:
            self.panel.enter()

    def onReload(self) -> None:
        """Load the module anew, its library included."""
        forgetLibrary()
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        self.setParameterNode(None)

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        """Take the parameter node anew: its wrapper read it before the nodes that it names, and remembers none."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Take the scene's parameter node; choose its first volume if none is chosen."""
        assert self.logic is not None
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            first = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if first:
                self._parameterNode.inputVolume = first

    def setParameterNode(self, parameterNode: Any) -> None:
        """Show another parameter node's choices and follow them."""
        if self._parameterNode is not None:
            node = self._parameterNode.parameterNode
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            # The node itself: VTKObservationMixin would keep each wrapper, with its own observers, to the end.
            node = parameterNode.parameterNode
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        if self.panel is not None:
            self.panel.setParameterNode(parameterNode)

    def onParameterNodeModified(self, caller: Any = None, event: Any = None) -> None:
        """Show what the parameter node holds, after all of its changes are made."""
        if self.panel is not None:
            self.panel.refreshLater()


class LanguageSegmentLogic(ScriptedLoadableModuleLogic):
    """What the module does, for the panel, scripts and the Python console; needs no window.

    Its methods are the functions of LanguageSegmentLib, documented there; while a logic is open, reports and segments
    of the scene are kept tied.
    """

    segmentReport = staticmethod(segmentReport)
    startSegmentReport = staticmethod(startSegmentReport)
    reportNodeFor = staticmethod(reportNodeFor)
    createReportNode = staticmethod(createReportNode)
    loadSample = staticmethod(loadSample)
    installPlan = staticmethod(installPlan)
    installPackages = staticmethod(install)
    diagnosis = staticmethod(diagnosis)

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.onChange: Callable[[], None] | None = None
        self._observer: BindingObserver | None = BindingObserver(slicer.mrmlScene, self._changed)

    def close(self) -> None:
        """Stop watching the scene."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def _changed(self) -> None:
        if self.onChange is not None:
            self.onChange()

    def getParameterNode(self) -> LanguageSegmentParameterNode:
        """The scene's parameter node of this module."""
        # The decorator gives the class this argument, which type checkers cannot see.
        node: LanguageSegmentParameterNode = LanguageSegmentParameterNode(  # type: ignore[call-arg]
            ScriptedLoadableModuleLogic.getParameterNode(self)
        )
        return node


def forgetLibrary() -> None:
    """Let the next import read the module's library and LMISCore anew."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("LanguageSegmentLib", "LMISCore")]:
        del sys.modules[name]


class LanguageSegmentTest(ScriptedLoadableModuleTest):
    """Runs the bundled case in the application; the project's own tests lie in its folder Testing."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        self.setUp()
        self.test_the_bundled_case_is_segmented()

    def test_the_bundled_case_is_segmented(self) -> None:
        logic = LanguageSegmentLogic()
        try:
            missing = logic.installPlan().all()
            volumeNode, reportNode = logic.loadSample()
            if missing:
                # Slicer's own test machines install nothing: loading is what they can test.
                self.delayDisplay(f"Loaded the case; not segmented, as these packages are missing: {missing}")
                return
            result = logic.segmentReport(volumeNode, reportNode)
            segments = sum(node.GetSegmentation().GetNumberOfSegments() for node in result.segmentationNodes)
            self.assertEqual(segments, sum(row["segment_id"] is not None for row in result.rows))
            self.assertGreater(segments, 0)
            self.delayDisplay("Test passed")
        finally:
            logic.close()
