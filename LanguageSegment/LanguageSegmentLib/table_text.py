"""What the cells of the findings table show, in the user's language, and why a cell is empty."""

from __future__ import annotations

from LanguageSegmentLib.findings_table import NOT_RUN, TableRow
from LanguageSegmentLib.translation import tr as _
from LMISCore.text.report import State

SENTENCE, STATE, SEGMENT, PRESENCE, VOLUME, AGREEMENT = range(6)


def columnTitles() -> list[str]:
    """Return the titles of the columns in order."""
    return [_("Sentence"), _("State"), _("Segment"), _("Presence"), _("mL"), _("Agreement")]


def stateWords(state: str) -> str:
    """Return a state as people read it."""
    words = {
        State.AFFIRMED.value: _("affirmed"),
        State.NEGATED.value: _("negated"),
        State.UNCERTAIN.value: _("uncertain"),
        State.HISTORICAL.value: _("historical"),
        State.NORMAL.value: _("normal"),
        State.NOT_COVERED.value: _("not covered"),
        State.ABSENT.value: _("absent"),
        State.STALE.value: _("stale"),
        NOT_RUN: _("not run"),
    }
    return words.get(state, state)


def cellTexts(row: TableRow) -> list[str]:
    """Return the texts of a row's cells."""
    state = stateWords(row.state)
    if row.forced:
        state = _("{state} (forced)").format(state=state)
    name = _("{name} (edited)").format(name=row.name) if row.edited else row.name
    volume = "" if row.volumeMl is None else f"{row.volumeMl:.1f}"
    if volume and row.nominal:
        volume = _("{volume} (nominal)").format(volume=volume)
    presence = "" if row.presence is None else f"{row.presence:.2f}"
    return [" ".join(row.sentence.text.split()), state, name, presence, volume, _verdict(row)]


def _verdict(row: TableRow) -> str:
    words = {
        "contradicts": _("contradicts"),
        "differs": _("differs"),
        "agrees": _("agrees"),
        "unclear": _("unclear"),
    }
    return words.get(row.verdict, row.verdict or row.agreement)


def cellTips(row: TableRow) -> list[str]:
    """Return the tool tips of a row's cells."""
    field = row.sentence.field
    where = _("In {field}: {sentence}").format(field=field, sentence=row.sentence.text) if field else row.sentence.text
    segment = _("The sentence has no segment.")
    if row.segmentId:
        segment = _("{name}: tick to show the segment.").format(name=row.name)
    presence = _("How sure the network is that the finding is there at all, from 0 to 1.")
    volume = _("Volume of the segment in millilitres.")
    if row.nominal:
        volume = _("The scan does not tell its real spacing, so this volume is no real one.")
    agreement = _("It was not measured whether words and picture agree.")
    if row.agreement:
        agreement = _("Asked for the finding without its place: {words}").format(words=row.agreement)
    return [where, row.reason or _meaning(row.state), segment, presence, volume, agreement]


def _meaning(state: str) -> str:
    meanings = {
        State.AFFIRMED.value: _("The sentence says that the finding is there."),
        State.NEGATED.value: _("The sentence says that the finding is not there."),
        State.UNCERTAIN.value: _("The sentence leaves open whether the finding is there."),
        State.HISTORICAL.value: _("The sentence tells of the past, not of this scan."),
        State.NORMAL.value: _("The sentence says that something is as it should be."),
        State.NOT_COVERED.value: _("The sentence names nothing that these weights know."),
        State.ABSENT.value: _("The network did not find what the sentence names."),
        State.STALE.value: _("The sentence was edited since it was run."),
        NOT_RUN: _("The sentence was not run yet."),
    }
    return meanings.get(state, "")
