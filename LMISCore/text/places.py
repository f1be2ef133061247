"""Words of place: rewriting left/right and the thirds of an axial slice.

Left and right are the patient's. Axial CT sets in the style of LViT say upper, middle, lower for the front, middle
and back third of the picture, where real reports mean head to feet: their sentences are rewritten to anterior,
middle, posterior.
"""

from __future__ import annotations

import re

_AXIAL = {"upper": "anterior", "lower": "posterior"}
_SIDES = {
    "left": "right",
    "right": "left",
    "left-sided": "right-sided",
    "right-sided": "left-sided",
    "lefthand": "righthand",
    "righthand": "lefthand",
    "links": "rechts",
    "rechts": "links",
    "linke": "rechte",
    "rechte": "linke",
    "linken": "rechten",
    "rechten": "linken",
    "linker": "rechter",
    "rechter": "linker",
    "linkes": "rechtes",
    "rechtes": "linkes",
}
# Organs that sit on one side: a mirrored picture would contradict the sentence whatever is done to left and right.
_ONE_SIDED = re.compile(
    r"\b(lingula\w*|middle lobe|heart|cardi\w+|aort\w+|liver|hepat\w+|spleen|splen\w+|stomach|gastric|gall\s?bladder|"
    r"azygos|vena cava|situs|dextro\w+)\b",
    re.IGNORECASE,
)


def _swap(text: str, table: dict[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        word = match.group(0)
        other = table[word.lower()]
        if word.isupper():
            return other.upper()
        return other.capitalize() if word[0].isupper() else other

    words = sorted(table, key=len, reverse=True)
    return re.sub(r"\b(" + "|".join(map(re.escape, words)) + r")\b", replace, text, flags=re.IGNORECASE)


def lvit_axial_words(text: str) -> str:
    """Rewrite upper/lower of LViT-style sentences on axial slices to anterior/posterior; ``middle`` stays.

    >>> lvit_axial_words("one infected area, lower left lung.")
    'one infected area, posterior left lung.'
    """
    return _swap(text, _AXIAL)


def mirror_sides(text: str) -> str:
    """Swap left and right (English and German forms), keeping capitals.

    >>> mirror_sides("Right lung, not the left-sided effusion")
    'Left lung, not the right-sided effusion'
    """
    return _swap(text, _SIDES)


def can_be_mirrored(text: str) -> bool:
    """Whether swapping left and right in ``text`` makes it true of the mirrored picture.

    False for sentences that name an organ which sits on one side, such as the heart or the liver.
    """
    return _ONE_SIDED.search(text) is None
