"""Each of the three networks in the module: what its card says, and that all of its maps appear with their meanings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import slicer.util
from explain_makers import SENTENCE, ExplainingRunner
from logic_makers import Material, load_volume
from session import SlicerSession
from tiny_checkpoint import save_tiny_checkpoint

from LanguageSegmentLib.explanation import Explanation, ExplanationRun, legend, showMap
from LanguageSegmentLib.weights_card import networkTitle, shortCard, weightsCard
from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.networks import NETWORKS

TINY: dict[str, dict[str, Any]] = {
    "tirnet": {"width": 4},
    "reclmis": {"width": 4},
    "tmca": {"width": 4, "depths": (1, 1, 1, 1), "embedding": 4},
}


@pytest.fixture(params=list(TINY))
def checkpoint(request: pytest.FixtureRequest, material: Material, tmp_path: Path) -> Path:
    name = str(request.param)
    return save_tiny_checkpoint(tmp_path / f"{name}.safetensors", material.encoder, network_name=name, **TINY[name])


@pytest.fixture
def explained(slicer_session: SlicerSession, material: Material) -> Callable[[Path], Explanation]:
    volume = load_volume(slicer_session, material.volume("oblique"))

    def explain(checkpoint: Path) -> Explanation:
        options = {"checkpoint": str(checkpoint), "text_encoder": str(material.encoder), "device": "cpu"}
        run = ExplanationRun(volume, SENTENCE, options, ExplainingRunner())
        while run.poll():
            pass
        return run.result()

    return explain


def test_all_networks_are_offered_here() -> None:
    assert NETWORKS.keys() == TINY.keys()


@pytest.mark.parametrize("name", list(TINY))
def test_a_network_is_named_with_its_source(name: str) -> None:
    assert networkTitle(name) == NETWORKS[name].title


def test_the_card_names_the_network_and_of_tmca_that_it_is_a_reading_of_the_abstract(checkpoint: Path) -> None:
    card = weightsCard(str(checkpoint)).card
    assert card is not None
    first, *others = shortCard(card).split("\n")
    assert NETWORKS[card.network].title in first and len(others) == 1
    assert ("this project's reading of the abstract" in first) == (card.network == "tmca")


def test_every_map_of_the_network_can_be_shown_and_its_legend_says_what_it_means(
    checkpoint: Path, explained: Callable[[Path], Explanation], slicer_session: SlicerSession
) -> None:
    network: Any = load_checkpoint(checkpoint).network
    found = explained(checkpoint)
    names = [each.name for each in found.maps]
    assert names[0] == "probability" and len(names) > 1
    # A meaning is kept once for maps that are numbered.
    stems = {name.rstrip("0123456789").rstrip("_") for name in names[1:]}
    assert stems == {name.rstrip("0123456789").rstrip("_") for name in network.MAP_MEANINGS}
    node = None
    for each in found.maps:
        node = showMap(found, each.name, node)
        assert slicer.util.arrayFromVolume(node).max() == pytest.approx(each.highest, rel=1e-5, abs=1e-6)
        meaning = network.MAP_MEANINGS.get(each.name.rstrip("0123456789").rstrip("_")) or each.meaning
        assert meaning.split(" (")[0][:30] in legend(found, each.name)
    found.close()
