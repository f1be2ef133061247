"""What is sent to the text encoder for a sentence, and which slices it is asked on.

In axial pictures the networks know side and front/middle/back. A head-feet word ("lower zone", "apical") says which
slices are meant: it is taken out of the words that are sent and returned as a level. Words about other things
("without pleural effusion") and the cue of a negation that the user overrides are left out as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from LMISCore.text.attributes import MOST_CHARACTERS
from LMISCore.text.language import DEFAULT, is_organ
from LMISCore.text.language import language as tables_of
from LMISCore.text.levels import take_levels
from LMISCore.text.report_types import Finding, Sentence, Span, State

_ASKED = ((State.AFFIRMED,), (State.UNCERTAIN, State.NEGATED), (State.HISTORICAL,))


@dataclass(frozen=True)
class Prompt:
    """The words sent, the slices they are asked on, and why they differ from the report's.

    Attributes:
        text: plain English, one line.
        levels: of "upper", "mid", "lower" (head to feet); empty means every slice.
        reason: what was left out or said in other words, "" if nothing was.
        source: whose words they are: the whole "sentence", a "clause" of it, or the wording of the weights' "card".
    """

    text: str
    levels: frozenset[str] = frozenset()
    reason: str = ""
    source: str = "sentence"


def prompt_for(sentence: Sentence | str, plane: str = "axial", places: Sequence[str] = ()) -> Prompt:
    """Return the prompt of a sentence for slices of ``plane`` ("axial", "coronal", "sagittal" or "picture").

    Only axial slices lose their head-feet words: on other planes and pictures these are places in the picture. With
    the sentence's findings known (``parse_report`` with a vocabulary), only the clauses about affirmed ones are sent;
    if none is affirmed, those about the uncertain or negated ones without their cue, for a sentence that is forced. A
    sentence in another language than English is sent in the card's wording: the finding's name, zone and side.

    Args:
        sentence: with its findings, or plain English text.
        plane: of the slices.
        places: the card's words of place; the organ among them is named in the card's wording.

    >>> prompt = prompt_for("Infection in the left lower lobe.")
    >>> prompt.text, prompt.levels
    ('Infection in the left lung.', frozenset({'lower'}))
    """
    if isinstance(sentence, str):
        sentence = Sentence("text-1", sentence, Span(0, len(sentence)), "")
    if sentence.language != DEFAULT and any(finding.name for finding in sentence.findings):
        return _in_the_cards_words(sentence, plane, places)
    text, left_out = _relevant(sentence)
    text = _one_line(text[:MOST_CHARACTERS])
    levels: frozenset[str] = frozenset()
    reasons = [f'"{words}" is not sent' for words in left_out]
    if plane == "axial":
        text, levels, taken = take_levels(text)
        if taken:
            quoted = ", ".join(f'"{words}"' for words in taken)
            reasons.append(f"{quoted} {'chooses' if len(taken) == 1 else 'choose'} the slices")
    return Prompt(text, levels, "; ".join(reasons), "clause" if left_out else "sentence")


def place_free_prompt(finding: Finding) -> str:
    """Return the question about a finding without side, zone, count or size: its name in the vocabulary alone.

    Its answer shows where the network sees the finding when it is not told where to look.

    >>> place_free_prompt(Finding("Opacities", Span(0, 9), State.AFFIRMED, "pulmonary infection", frozenset({"left"})))
    'Pulmonary infection.'
    """
    words = finding.name or finding.words
    return f"{words[:1].upper()}{words[1:]}."


def asked_findings(sentence: Sentence) -> list[Finding]:
    """Return the findings that a mask of the sentence shows: the affirmed ones, else all others that are not past."""
    for states in _ASKED:
        wanted = [finding for finding in sentence.findings if finding.status in states]
        if wanted:
            return wanted
    return []


def _in_the_cards_words(sentence: Sentence, plane: str, places: Sequence[str]) -> Prompt:
    """Return the prompt as the weights were trained to hear of findings: "Pulmonary infection in the left lung."."""
    organ = next((word for word in reversed(places) if is_organ(word)), "")
    parts, levels = [], frozenset[str]()
    for finding in asked_findings(sentence):
        at = [*(finding.levels if plane != "axial" else ()), *sorted(finding.zones)]
        side = "both" if len(finding.side) > 1 else next(iter(finding.side), "")
        words = " ".join([side, *at] if side == "both" else [*at, side]).strip()
        article = "" if side == "both" else "the "
        place = f" in {article}{words} {organ}{'s' if side == 'both' else ''}" if organ and words else ""
        parts.append(f"{finding.name}{place or (f', {words}' if words else '')}")
        levels |= finding.levels if plane == "axial" else frozenset()
    text = " and ".join(dict.fromkeys(parts))
    reasons = [f"the {tables_of(sentence.language).name} sentence is asked in the card's words"]
    if levels:
        chosen = ", ".join(level for level in ("upper", "mid", "lower") if level in levels)
        reasons.append(f'"{chosen}" chooses the slices')
    return Prompt(f"{text[:1].upper()}{text[1:]}.", levels, "; ".join(reasons), "card")


def _one_line(text: str) -> str:
    return " ".join(text.replace("\ufeff", " ").split())


def _relevant(sentence: Sentence) -> tuple[str, list[str]]:
    """Return the part of a sentence that is about its findings, and the parts left out."""
    wanted = asked_findings(sentence)
    if not wanted:
        return sentence.text, []
    kept = sorted({clause.shifted(-sentence.span.start) for finding in wanted for clause in finding.clauses})
    cues = [] if wanted[0].status is State.AFFIRMED else _cues(wanted, sentence)
    parts = [_without(sentence.text, clause, cues) for clause in kept]
    others = [_one_line(words).strip(" .,;()") for words in _between(sentence.text, kept)]
    left_out = [words for words in others if any(character.isalnum() for character in words)]
    left_out += [_one_line(cue.of(sentence.text)).strip(" :") for cue in cues]
    if not left_out:
        return sentence.text, []
    text = _one_line(", ".join(part for part in parts if part))
    if text.count("(") != text.count(")"):
        text = text.replace("(", "").replace(")", "")  # the other one was left out
    return (text[:1].upper() + text[1:]).rstrip(" .,;") + ".", left_out


def _cues(findings: list[Finding], sentence: Sentence) -> list[Span]:
    return sorted({finding.cue.shifted(-sentence.span.start) for finding in findings if finding.cue is not None})


def _without(text: str, clause: Span, cues: list[Span]) -> str:
    """Return the clause's words without the cues in it."""
    kept, position = [], clause.start
    for cue in cues:
        if clause.start <= cue.start and cue.end <= clause.end:
            kept.append(text[position : cue.start])
            position = cue.end
    return _one_line(" ".join([*kept, text[position : clause.end]])).strip(" ,;.")


def _between(text: str, kept: list[Span]) -> list[str]:
    edges = [0, *(edge for clause in kept for edge in (clause.start, clause.end)), len(text)]
    return [text[first:end] for first, end in zip(edges[::2], edges[1::2], strict=True)]
