"""What the chosen weights are, in two lines, and what lies outside of what they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import arrayOf
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.card_text import metric_sentence
from LMISCore.checkpoints.files import bundled_checkpoint, locate, read_card
from LMISCore.errors import LMISError
from LMISCore.text.findings import Vocabulary, sentence_state
from LMISCore.text.report import State, parse_report
from LMISCore.volumes.intensity import HU_BELOW

_MOST_SLICES = 24
_MOST_GREYS = 255


@dataclass(frozen=True)
class WeightsCard:
    """The card of the chosen weights.

    Attributes:
        lines: two lines for people; "" if they cannot be used.
        problem: why they cannot be used, in a sentence; "" if they can.
        card: None if they cannot be used.
    """

    lines: str
    problem: str
    card: Card | None

    @property
    def threshold(self) -> float | None:
        """The mask threshold that a run takes by itself."""
        return None if self.card is None else float(self.card.thresholds["mask"])


def weightsCard(checkpoint: str | None) -> WeightsCard:
    """Read the card of a checkpoint, None or "" for the bundled one; the weights themselves are not read."""
    try:
        files = locate(checkpoint or bundled_checkpoint())
        path = files.card or files.weights
        return _read(str(files.path), path.stat().st_mtime_ns)
    except LMISError as error:
        return WeightsCard("", str(error), None)
    except OSError as error:
        return WeightsCard("", _("The weights cannot be read ({why}); choose others.").format(why=error.strerror), None)


@lru_cache(maxsize=8)
def _read(path: str, changed: int) -> WeightsCard:
    try:
        card = read_card(Path(path))
    except LMISError as error:
        return WeightsCard("", str(error), None)
    return WeightsCard(card.summary(), "", card)


def networkTitle(network: str) -> str:
    """Return a network's name with its source; of one that is only read out of an abstract, that it is."""
    titles = {
        "tirnet": "TIRNet (arXiv 2606.27794)",
        "reclmis": "RecLMIS (arXiv 2404.02845)",
        "tmca": _("TMCA (this project's reading of the abstract of arXiv 2412.13533)"),
    }
    return titles.get(network, network)


def shortCard(card: Card) -> str:
    """Return a card in two lines: what the weights are and what for, and what they reach."""
    first = f"{card.name}: {networkTitle(card.network)}" + (f", {card.modality}" if card.modality else "")
    second = metric_sentence(card.metrics[0]) if card.metrics else _("No figure was measured.")
    return f"{first}\n{second}"


def warnings(card: Card | None, volumeNode: Any, report: str, intensity: str = "auto") -> list[str]:
    """Return sentences on what of the volume and the report lies outside of the weights' training.

    Args:
        card: None gives no warning.
        volumeNode: None, or one without voxels, is passed over.
        report: the text; "" is passed over.
        intensity: auto, hu or picture, as the run will take it.
    """
    if card is None:
        return []
    return [*_ofModality(card, volumeNode, intensity), *_ofWords(card, report)]


def _ofModality(card: Card, volumeNode: Any, intensity: str) -> list[str]:
    known = modalityOf(volumeNode)
    isCt = "CT" in card.modality.upper().split()
    if not card.modality or volumeNode is None:
        return []
    if known:
        # Only CT is told apart: of other modalities a card may speak in many words.
        if isCt == (known == "CT"):
            return []
        text = _("These weights were trained on {modality}, and this volume is {known}.")
        return [text.format(modality=card.modality, known=known)]
    values = valueRange(volumeNode)
    if values is None:
        return []
    looksLikeCt = intensity == "hu" or (intensity == "auto" and values[0] < HU_BELOW)
    if not isCt and looksLikeCt:
        text = _("These weights were trained on {modality}, and this volume looks like CT.")
        return [text.format(modality=card.modality)]
    # CT is kept in Hounsfield units, or as a picture of 256 greys.
    if isCt and not looksLikeCt and values[1] > _MOST_GREYS:
        text = _("These weights were trained on {modality}, and the values of this volume do not look like CT.")
        return [text.format(modality=card.modality)]
    return []


def modalityOf(volumeNode: Any) -> str:
    """Return what DICOM says that a volume is, such as "CT"; "" if it did not come from DICOM."""
    scene = volumeNode.GetScene() if volumeNode is not None else None
    hierarchy = scene.GetSubjectHierarchyNode() if scene is not None else None
    if hierarchy is None:
        return ""
    item = hierarchy.GetItemByDataNode(volumeNode)
    return str(hierarchy.GetItemAttribute(item, "DICOM.Modality") or "").strip().upper() if item else ""


def valueRange(volumeNode: Any) -> tuple[float, float] | None:
    """Return the lowest and the highest value of a grey volume, from slices all over it; None if there is none."""
    image = volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        return None
    try:
        array = arrayOf(volumeNode)
    except LMISError:
        return None
    if array.ndim != 3:
        return None
    some = array[:: max(1, len(array) // _MOST_SLICES)]
    return float(some.min()), float(some.max())


def _ofWords(card: Card, report: str) -> list[str]:
    outside, total = unknownSentences(card, report)
    if not outside:
        return []
    if outside == total:
        return [_("No sentence of this report names a finding that these weights know, so none will get a segment.")]
    return [
        _("{count} of {total} sentences name no finding that these weights know; they get no segment.").format(
            count=outside, total=total
        )
    ]


def unknownSentences(card: Card, report: str) -> tuple[int, int]:
    """Return how many sentences on the image name nothing of the weights' vocabulary, and how many there are."""
    if not report.strip():
        return 0, 0
    vocabulary = Vocabulary.from_card(card.vocabulary)
    sentences = [each for each in parse_report(report, vocabulary).sentences if each.kind == "finding"]
    states = [sentence_state(sentence, vocabulary)[0] for sentence in sentences]
    return sum(state == State.NOT_COVERED for state in states), len(sentences)
