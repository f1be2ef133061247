"""The rule tables of one language: what words are, which phrases mark negation, side, severity and the rest.

A language is one file, ``resources/rules/languages/<code>.json``. Nothing of a language stands in the code: its cues,
its vocabulary of findings, organs and devices, and the endings by which it bends and builds words are all in that file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any

from LMISCore.errors import InputError
from LMISCore.resources import resource
from LMISCore.text.phrases import PhraseTable, tokens
from LMISCore.text.spelling import is_one_slip, slips_of, without_one

DEFAULT = "en"
_READ_TO_DECIDE = 4000
_LEAST_LEFT = 3
"""Fewest letters that taking off an ending leaves."""
_MENDED, _LONG = 6, 8
"""Fewest letters of a word that may be mistyped by a letter too many or too few, and by a wrong one."""

Values = Mapping[str, frozenset[str]]
"""What a phrase marks: kind -> values, such as {"side": {"left"}, "zone": {"upper"}}."""


class Kind:
    """What a word can be, as bits of a plain integer: every word of a report is looked at several times."""

    HEAD = 1 << 0
    DEVICE = 1 << 1
    PROCEDURE = 1 << 2
    ORGAN = 1 << 3
    ANATOMY = 1 << 4
    NAME = 1 << 5
    PROPERTY = 1 << 6
    QUALITY = 1 << 7
    ABNORMAL_BEFORE = 1 << 8
    ABNORMAL_AFTER = 1 << 9
    DETERMINER = 1 << 10
    PREPOSITION = 1 << 11
    COMPANION = 1 << 12
    VERB = 1 << 13
    COPULA = 1 << 14
    CONJUNCTION = 1 << 15
    OR = 1 << 16
    MEASURE = 1 << 17
    LABEL = 1 << 18
    CUED = 1 << 19
    OF = 1 << 20
    ADVERB = 1 << 21
    RELATIVE = 1 << 28
    SYMPTOM = 1 << 29


_LISTS = {
    "heads": Kind.HEAD,
    "devices": Kind.DEVICE,
    "procedures": Kind.PROCEDURE,
    "procedures_with_cue": Kind.PROCEDURE | Kind.CUED,
    "organs": Kind.ORGAN,
    "anatomy_adjectives": Kind.ANATOMY,
    "name_modifiers": Kind.NAME,
    "property": Kind.PROPERTY,
    "quality": Kind.QUALITY,
    "abnormal_attributive": Kind.ABNORMAL_BEFORE,
    "abnormal_predicative": Kind.ABNORMAL_AFTER,
    "determiners": Kind.DETERMINER,
    "prepositions": Kind.PREPOSITION,
    "companions": Kind.COMPANION,
    "verbs": Kind.VERB,
    "copulas": Kind.COPULA,
    "conjunctions": Kind.CONJUNCTION,
    "or_words": Kind.OR | Kind.CONJUNCTION,
    "measure_words": Kind.MEASURE,
    "label_before_number": Kind.LABEL,
    "of_words": Kind.PREPOSITION | Kind.OF,
    "grade_adverbs": Kind.ADVERB,
    "relative": Kind.RELATIVE,
    "context_only": Kind.SYMPTOM,
}
_FUNCTION = Kind.DETERMINER | Kind.PREPOSITION | Kind.COMPANION | Kind.VERB | Kind.CONJUNCTION
_PHRASED = ("heads", "head_phrases", "devices", "procedures", "procedures_with_cue")


class Language:
    """The tables of one language, folded for look-up.

    Attributes:
        code: such as "en".
        name: such as "English".
        english: this language's words for findings -> English ones, empty for English.
        side_letters: capitals that stand for a side -> its word.
        place_stems: words of place that begin compound names, as in German "Unterlappenpneumonie".
    """

    def __init__(self, code: str, table: Mapping[str, Any]) -> None:
        self.code, self._table = code, table
        self.name = str(table["name"])
        self.english: Mapping[str, str] = table.get("english", {})
        self.letters = frozenset(table["letters"])
        self.side_letters: Mapping[str, str] = table.get("side_letters", {})
        self.place_stems = tuple(table.get("place_stems", ()))
        self.function_words = frozenset(table["function_words"])
        self._irregular: Mapping[str, str] = table.get("irregular", {})
        self._strip = tuple(sorted(table.get("strip", ()), key=len, reverse=True))
        # Where endings are many, a word loses one only if what is left is a word of the file.
        self._written = frozenset(self._all_words()) if self._strip else frozenset[str]()
        self._known: dict[str, int] = {}
        for key, kind in _LISTS.items():
            for phrase in table.get(key, ()):
                words = self.fold_all(phrase)
                if len(words) == 1:
                    self._known[words[0]] = self._known.get(words[0], 0) | kind
        # "lead" or "mass" stay what they are; a word of grammar is never the name of a finding.
        for word, kind in self._known.items():
            if kind & _FUNCTION and kind & Kind.HEAD:
                self._known[word] = kind & ~Kind.HEAD
        self.kinds = lru_cache(maxsize=65536)(self._kinds)
        self.fold = lru_cache(maxsize=65536)(self._fold)
        self.words = cache(self._words)

    def _all_words(self) -> Iterable[str]:
        lists = [self._table.get(key, ()) for key in (*_LISTS, "head_phrases", "not_findings", "english")]
        for phrases in (*lists, *self._table["marks"].values()):
            for phrase in phrases:
                yield from tokens(f" {phrase} ")[0]

    def fold_all(self, phrase: str) -> tuple[str, ...]:
        """The folded words of a phrase."""
        return tuple(self._unbent(word) for word in tokens(f" {phrase} ")[0])

    def _fold(self, word: str) -> str:
        """Return ``word`` (lower case) without the endings that bend it, so that all its forms are one."""
        folded = self._unbent(word)
        if not self._table.get("mend_spelling") or len(folded) < _LONG or folded in self._known:
            return folded
        if folded in self._mark_words or not folded.isalpha():
            return folded
        return self._close(folded, self._mark_slips) or folded

    def _unbent(self, word: str) -> str:
        word = word.replace("’", "'").removesuffix("'s")  # noqa: RUF001
        if word in self._irregular:
            return self._irregular[word]
        for ending in self._strip:
            left = word.removesuffix(ending)
            if left != word and len(left) >= _LEAST_LEFT and left in self._written:
                return left
        if word in self._written:
            return word
        for ending, replacement in self._table.get("foldings", ()):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                return word[: len(word) - len(ending)] + str(replacement)
        return word

    def _kinds(self, word: str) -> int:
        known = self._known.get(word)
        if known is not None:
            return known
        if not word.isalpha() or len(word) < 5:
            return 0
        kind = self._by_ending(word)
        if kind or word in self._exceptions or not self._table.get("mend_spelling"):
            return kind
        close = self._close(word, self._slips)
        return 0 if close is None else self._known[close]

    def _by_ending(self, word: str) -> int:
        """What a word is by the way it is built."""
        if len(word) < 5 or word in self._exceptions:
            return 0
        for endings, kind in (
            (self._procedure_endings, Kind.PROCEDURE),
            (self._device_endings, Kind.DEVICE),
            (self._head_endings, Kind.HEAD),
            (self._organ_endings, Kind.ORGAN),
        ):
            if word.endswith(endings):
                return kind
        return 0

    def knows(self, word: str) -> bool:
        """Whether a folded word is one of the file's own, spelt right."""
        return word in self._known or word in self._mark_words or bool(self._by_ending(word))

    @cached_property
    def _mark_words(self) -> frozenset[str]:
        """Words that mark something by themselves."""
        phrases = (self.fold_all(phrase) for group in self._table["marks"].values() for phrase in group)
        return frozenset(words[0] for words in phrases if len(words) == 1)

    @cached_property
    def _exceptions(self) -> frozenset[str]:
        return frozenset(self._unbent(word) for word in self._table["not_suffixes"]) | frozenset(
            self._table["not_suffixes"]
        )

    def _endings(self, key: str) -> tuple[str, ...]:
        given = self._table.get(key, ())
        return tuple({form for ending in given for form in (ending, self._unbent(ending)) if len(form) > 2}) or ("\0",)

    @cached_property
    def _head_endings(self) -> tuple[str, ...]:
        return self._endings("suffixes")

    @cached_property
    def _procedure_endings(self) -> tuple[str, ...]:
        return self._endings("procedure_suffixes")

    @cached_property
    def _device_endings(self) -> tuple[str, ...]:
        return self._endings("device_suffixes")

    @cached_property
    def _organ_endings(self) -> tuple[str, ...]:
        return self._endings("organ_suffixes")

    @cached_property
    def _slips(self) -> dict[str, str]:
        """Names of findings and organs with one letter left out -> the name, to find words that were mistyped."""
        wanted = Kind.HEAD | Kind.ORGAN | Kind.DEVICE
        names = [word for word, kind in self._known.items() if kind & wanted and len(word) >= 5]
        return slips_of(names)

    @cached_property
    def _mark_slips(self) -> dict[str, str]:
        return slips_of(word for word in self._mark_words if len(word) >= _LONG)

    def _close(self, word: str, slips: Mapping[str, str]) -> str | None:
        """Return the name that ``word`` misspells by one letter or one swap of neighbours, None if there is none."""
        if len(word) < _MENDED or word in self._words_of_their_own:
            return None
        for candidate in (word, *without_one(word)):
            found = slips.get(candidate)
            if found is not None and is_one_slip(word, found, long=len(word) >= _LONG):
                return found
        return None

    @cached_property
    def _words_of_their_own(self) -> frozenset[str]:
        return frozenset(self._unbent(word) for word in self._table.get("no_misspelling", ()))

    @cached_property
    def marks(self) -> PhraseTable[Values]:
        """Folded phrases -> what they mark."""
        gathered: dict[tuple[str, ...], dict[str, set[str]]] = {}
        for key, phrases in self._table["marks"].items():
            pairs = [part.partition(":")[::2] for part in key.split()]
            for phrase in phrases:
                kinds = gathered.setdefault(self.fold_all(phrase), {})
                for kind, value in pairs:
                    kinds.setdefault(kind, set()).update(("left", "right") if value == "both" else (value,))
        return PhraseTable(
            (words, {kind: frozenset(values) for kind, values in kinds.items()}) for words, kinds in gathered.items()
        )

    @cached_property
    def names(self) -> PhraseTable[int]:
        """Folded phrases of several words that are a finding, device or procedure; kind 0 where they are none."""
        entries: list[tuple[Sequence[str], int]] = [
            (self.fold_all(phrase), 0) for phrase in self._table["not_findings"]
        ]
        for key in _PHRASED:
            kind = _LISTS.get(key, Kind.HEAD)
            folded = (self.fold_all(phrase) for phrase in self._table.get(key, ()))
            entries += [(words, kind) for words in folded if len(words) > 1]
        return PhraseTable(entries)

    @cached_property
    def organ_phrases(self) -> PhraseTable[bool]:
        """Folded phrases of several words that name an organ."""
        folded = (self.fold_all(phrase) for phrase in self._table["organs"])
        return PhraseTable((words, True) for words in folded if len(words) > 1)

    @cached_property
    def without_side(self) -> tuple[PhraseTable[bool], frozenset[str]]:
        """Names of what has no side of its own: phrases, and single words."""
        phrases = [self.fold_all(phrase) for phrase in self._table["no_side_phrases"]]
        words = frozenset(self._unbent(word) for word in self._table["no_side_heads"])
        return PhraseTable((phrase, True) for phrase in phrases), words

    def _words(self, key: str) -> frozenset[str]:
        """The folded single words of one list of the file."""
        return frozenset(self._unbent(word) for word in self._table.get(key, ()))


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages there are files for, English first."""
    folder = resource("rules", "languages")
    codes = sorted(path.stem for path in folder.glob("*.json"))
    return (DEFAULT, *(code for code in codes if code != DEFAULT))


@cache
def language(code: str) -> Language:
    """Return the tables of a language.

    Raises:
        InputError: if there is no file for it.
    """
    if code not in languages():
        raise InputError(f"There are no rules for the language {code!r}; give one of {', '.join(languages())}.")
    text = resource("rules", "languages", f"{code}.json").read_text(encoding="utf-8")
    return Language(code, json.loads(text))


def is_organ(word: str) -> bool:
    """Whether an English word names an organ, as "lung" does and "left" does not."""
    tables = language(DEFAULT)
    return bool(tables.kinds(tables.fold(word.lower())) & Kind.ORGAN)


def detect_language(text: str) -> str:
    """Return the code of the language that knows most of a text's words; English unless another knows more.

    Function words ("the", "der") and words with a language's own letters count twice. Only the first 4000 characters
    are looked at.

    >>> detect_language("Kein Nachweis eines Ergusses."), detect_language("No effusion."), detect_language("")
    ('de', 'en', 'en')
    """
    words = [word for word in tokens(text[:_READ_TO_DECIDE])[0] if len(word) > 1]
    scores = {code: _familiar(language(code), words) for code in languages()}
    return max(languages(), key=lambda code: scores[code])


def _familiar(tables: Language, words: Sequence[str]) -> int:
    """How much of a text a language knows: its function words count twice, words with letters of its own as well."""
    counted = Counter(words)
    score = 2 * sum(number for word, number in counted.items() if word in tables.function_words)
    score += 2 * sum(number for word, number in counted.items() if tables.letters & set(word))
    return score + _known_words(tables, counted)


def _known_words(tables: Language, words: Iterable[str]) -> int:
    found = [tables.fold(word) for word in words if len(word) > 2]
    return sum(1 for word in found if tables.knows(word))
