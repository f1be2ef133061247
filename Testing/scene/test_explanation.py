"""Explanation maps: run by the worker, put over the volume one at a time, with a legend; none in a closed scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import slicer.util
from explain_makers import SENTENCE, ExplainingRunner
from logic_makers import Material, load_volume
from session import SlicerSession

from LanguageSegmentLib.explanation import Explanation, ExplanationRun, isExplanation, legend, showMap
from LanguageSegmentLib.volume_files import geometryOf
from LMISCore.errors import Cancelled, InputError, LMISError
from LMISCore.volumes.files import read_volume


@pytest.fixture
def volume(slicer_session: SlicerSession, material: Material) -> Any:
    return load_volume(slicer_session, material.volume("left-handed"))


@pytest.fixture
def explain(volume: Any, material: Material) -> Iterator[Callable[..., Explanation]]:
    found: list[Explanation] = []

    def run(sentence: str = SENTENCE, during: Callable[[], None] = lambda: None, **more: Any) -> Explanation:
        options = {"checkpoint": str(material.checkpoint), "text_encoder": str(material.encoder), "device": "cpu"}
        made = ExplanationRun(volume, sentence, options, ExplainingRunner(during), **more)
        with pytest.raises(LMISError, match=r"has not ended|without a result"):
            made.result()
        while made.poll():
            pass
        found.append(made.result())
        return found[-1]

    yield run
    for each in found:
        each.close()


def test_a_map_lies_on_the_voxels_of_its_volume(volume: Any, explain: Callable[..., Explanation]) -> None:
    found = explain()
    assert found.maps[0].name == "probability" and len(found.maps) > 3
    node = showMap(found, "probability")
    assert geometryOf(node).same_as(geometryOf(volume)) and isExplanation(node) and not isExplanation(volume)
    array = slicer.util.arrayFromVolume(node)
    assert (array == read_volume(found.maps[0].path).array).all() and 0 < array.min() < array.max() < 1
    display = node.GetDisplayNode()
    assert display.GetWindowLevelMin() == pytest.approx(found.maps[0].lowest)
    assert display.GetWindowLevelMax() == pytest.approx(found.maps[0].highest)


def test_another_map_takes_the_first_ones_place(slicer_session: SlicerSession, explain: Any) -> None:
    found = explain()
    node = showMap(found, "probability")
    before = np.array(slicer.util.arrayFromVolume(node))
    other = found.maps[1].name
    assert showMap(found, other, node) is node and other in node.GetName()
    assert not np.array_equal(slicer.util.arrayFromVolume(node), before)
    assert len(slicer_session.nodes("vtkMRMLScalarVolumeNode")) == 2
    slicer_session.scene.RemoveNode(node)
    assert showMap(found, other, node) is not node


def test_the_legend_tells_what_the_colours_mean(explain: Any) -> None:
    found = explain()
    words = legend(found, "probability")
    assert SENTENCE in words and found.maps[0].meaning[:20] in words
    assert f"Blue is {found.maps[0].lowest:.3g}, red is {found.maps[0].highest:.3g}." in words


def test_what_cannot_be_shown_is_refused_in_one_sentence(
    slicer_session: SlicerSession, volume: Any, explain: Any
) -> None:
    found = explain()
    with pytest.raises(InputError, match="no map 'sorcery'; there are probability, "):
        showMap(found, "sorcery")
    slicer_session.scene.RemoveNode(volume)
    with pytest.raises(InputError, match="no longer in the scene"):
        showMap(found, "probability")


def test_an_empty_sentence_and_a_cancel_end_in_their_own_words(explain: Any) -> None:
    with pytest.raises(InputError, match="No sentence was given"):
        explain("  ")
    with pytest.raises(Cancelled):
        explain(progress=lambda done, total, stage: False)


def test_no_map_is_made_for_a_scene_or_volume_that_is_gone(
    slicer_session: SlicerSession, volume: Any, explain: Any
) -> None:
    with pytest.raises(InputError, match="The volume was changed while"):
        explain(during=lambda: slicer.util.arrayFromVolumeModified(volume))
    with pytest.raises(Cancelled, match="The volume was removed"):
        explain(during=lambda: slicer_session.scene.Clear(False))
