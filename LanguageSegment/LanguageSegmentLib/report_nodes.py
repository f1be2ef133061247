"""A report in the scene: a UTF-8 text node that keeps its text, its identity and the keys of its sentences."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import slicer
import vtk

from LanguageSegmentLib.sentence_keys import Register, align
from LMISCore.text.report import Report, Sentence, Span, State, parse_report

_IDENTITY = "LanguageSegment.Report"
"""Attribute that marks a report node; its value is the report's identity, which copies of the node share."""
_KEYS = "LanguageSegment.SentenceKeys"
_TEXT = "LanguageSegment.KeyedText"


@dataclass(frozen=True)
class BoundSentence:
    """A sentence of a report in the scene, or of one that only a segment's tags still tell of.

    Attributes:
        key: stays with the sentence over edits of the report, such as "findings-2".
        id: its number in the text as it stands, such as "findings-3"; "" if it is in no report of the scene.
        text: as the report has it now, or as the mask was made from.
        field: canonical name, "" for text without headings.
        span: characters of the report's text.
        state: what became of it when its segment was made, ``State.STALE`` if it was edited since; None without one.
        kind: "finding" if its field describes the image, "context" if not.
    """

    key: str
    id: str
    text: str
    field: str
    span: Span
    state: State | None = None
    kind: str = "finding"


def createReportNode(text: str, name: str = "Report", scene: Any = None) -> Any:
    """Add a report to a scene (``slicer.mrmlScene`` if none is given) and return its vtkMRMLTextNode."""
    node = (scene or slicer.mrmlScene).AddNewNodeByClass("vtkMRMLTextNode", name)
    node.SetEncoding(vtk.VTK_ENCODING_UTF_8)
    node.SetText(text)
    markReportNode(node)
    return node


def markReportNode(node: Any) -> None:
    """Make a text node that the user typed or loaded a report; one that is a report already stays as it is.

    Raises:
        ValueError: if it is no text node.
    """
    if node is None or not node.IsA("vtkMRMLTextNode"):
        raise ValueError("a report must be a vtkMRMLTextNode")
    if not isReportNode(node):
        node.SetAttribute(_IDENTITY, uuid.uuid4().hex)


def isReportNode(node: Any) -> bool:
    """Tell whether a node is a report of ours."""
    return node is not None and bool(node.IsA("vtkMRMLTextNode")) and bool(node.GetAttribute(_IDENTITY))


def reportNodes(scene: Any = None) -> list[Any]:
    """Return a scene's report nodes in order."""
    return [node for node in nodesOf(scene or slicer.mrmlScene, "vtkMRMLTextNode") if isReportNode(node)]


def reportIdentity(reportNode: Any) -> str:
    """Return what tells this report's keys from another's; it survives saving, loading and importing."""
    return str(reportNode.GetAttribute(_IDENTITY))


def reportOf(reportNode: Any) -> Report:
    """Return the report that a node's text says, parsed once for each text."""
    return _parsed(str(reportNode.GetText() or ""))


def sentencesOf(reportNode: Any) -> list[BoundSentence]:
    """Return the report's sentences in order, with the keys that they keep over edits.

    The first call after an edit aligns the edited text with the keys that the node holds and stores the result in it.
    """
    report = reportOf(reportNode)
    keys = [each.key for each in _register(reportNode).present]
    return [_bound(key, each) for key, each in zip(keys, report.sentences, strict=True)]


def sentenceWithKey(reportNode: Any, key: str) -> BoundSentence | None:
    """Return the report's sentence of that key, None if it was deleted or never there."""
    return next((each for each in sentencesOf(reportNode) if each.key == key), None)


def keyWasGiven(reportNode: Any, key: str) -> bool:
    """Tell whether a sentence of the report has that key or had it before it was deleted."""
    return _register(reportNode).knows(key)


def fieldNames(reportNode: Any) -> list[str]:
    """Return the names of the report's fields in order, each once; "" is text without headings."""
    return list(dict.fromkeys(each.name for each in reportOf(reportNode).fields))


def nodesOf(scene: Any, kind: str) -> list[Any]:
    """Return a scene's nodes of one class and its subclasses, in the scene's order."""
    return [scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind))]


def _bound(key: str, sentence: Sentence) -> BoundSentence:
    return BoundSentence(key, sentence.id, sentence.text, sentence.field, sentence.span, None, sentence.kind)


@lru_cache(maxsize=16)
def _parsed(text: str) -> Report:
    return parse_report(text)


def _register(reportNode: Any) -> Register:
    """Return the keys that fit the node's text as it stands, aligned and stored anew if the text was edited."""
    text = str(reportNode.GetText() or "")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    stored = str(reportNode.GetAttribute(_KEYS) or "")
    if reportNode.GetAttribute(_TEXT) == digest and (register := _stored(stored)) is not None:
        return register
    register = align(_stored(stored) or Register(), _parsed(text))
    reportNode.SetAttribute(_KEYS, register.to_json())
    reportNode.SetAttribute(_TEXT, digest)
    return register


@lru_cache(maxsize=16)
def _stored(text: str) -> Register | None:
    try:
        return Register.from_json(text)
    except ValueError:
        return None
