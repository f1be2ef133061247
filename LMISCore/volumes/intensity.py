"""Intensity conventions: what is done to a picture's brightness before a network sees it.

A convention is one function named in the checkpoint's card and applied alike in training and use. Values in
Hounsfield units (HU) and in already windowed pictures go two ways at the start and the same way after it, so that
both arrive looking the same:

    HU -> lung window (level -600, width 1500) -\\
                                                 >- stretch (0.5 to 99.5 %) -> local histogram equalisation -> [0, 1]
    picture -----------------------------------/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from LMISCore.errors import InputError
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.local_rank import local_rank

Kind = Literal["hu", "picture"]

HU_BELOW = -100.0
WINDOWS = {"lung": (-600.0, 1500.0), "abdomen": (40.0, 400.0), "brain": (40.0, 80.0), "bone": (500.0, 2000.0)}
STRETCH = (0.5, 99.5)
# The neighbourhood of the local histogram is a quarter of the picture wide: a lung fits, a lesion does not fill it.
EQUALISATION_RADIUS = 1 / 8


def decide_kind(array: np.ndarray) -> tuple[Kind, str]:
    """Say whether a whole volume holds Hounsfield units or picture brightness, and why.

    The rule: grey values reaching below -100 are HU (air is -1000, fat about -100, and neither 8-bit pictures nor
    magnitude MR go below 0); everything else is a picture. A phase image is therefore taken for HU: set the kind to
    "picture" by hand then. A CT whose values were shifted to start at 0 is taken for a picture: its shift must be
    subtracted first, setting the kind by hand would only move the window (:func:`fit_normaliser` refuses it).

    Args:
        array: ``(K, J, I)`` or colour ``(K, J, I, 3)``.
    """
    if array.ndim == 4:
        return "picture", "it has colour"
    lowest, highest = float(array.min()), float(array.max())
    if lowest < HU_BELOW:
        return "hu", f"values run from {lowest:g} to {highest:g}, reaching below {HU_BELOW:g}"
    return "picture", f"values run from {lowest:g} to {highest:g}, none below {HU_BELOW:g}"


def window(array: np.ndarray, level: float, width: float) -> np.ndarray:
    """Map HU of any shape to [0, 1] linearly, clipped at ``level -/+ width / 2`` HU; float32."""
    low = level - width / 2
    windowed: np.ndarray = np.clip((array.astype(np.float32) - low) / width, 0, 1, dtype=np.float32)
    return windowed


def stretch(array: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Map ``[low, high]`` (by default the 0.5 and 99.5 percentiles of the array) to [0, 1], clipped; float32."""
    values = array.astype(np.float32)
    if low is None or high is None:
        low, high = (float(x) for x in np.percentile(values, STRETCH))
    if high <= low:
        # A flat region has no contrast to stretch: it becomes black rather than a division by zero.
        return np.zeros_like(values)
    stretched: np.ndarray = np.clip((values - low) / (high - low), 0, 1, dtype=np.float32)
    return stretched


def equalise(picture: np.ndarray) -> np.ndarray:
    """Local histogram equalisation of a grey picture ``(h, w)`` in [0, 1], in 256 levels; ``(h, w)`` in [0, 1].

    Source: Stark, IEEE Trans. Image Processing 9(5), 2000, with alpha = beta = 0 (classical adaptive
    equalisation): a pixel's value becomes its rank among its neighbours, which no gamma or contrast change alters.
    """
    height, width = picture.shape
    radius = max(1, round(height * EQUALISATION_RADIUS)), max(1, round(width * EQUALISATION_RADIUS))
    levels = np.round(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
    if levels.min() == levels.max():
        return np.zeros(picture.shape, np.float32)
    return local_rank(levels, radius).astype(np.float32)


@dataclass(frozen=True)
class Convention:
    """How one convention treats brightness.

    Attributes:
        hu_window: key of ``WINDOWS`` that HU pass first; None leaves HU to the percentiles.
        stretched_by: "volume" or "slice": whose 0.5 and 99.5 percentiles become 0 and 1 (a HU window replaces the
            volume's); "range" maps 0 to 0 and the top of the range the numbers use to 1, see :func:`top_of_range`, and
            takes no HU.
        equalised: share of the locally equalised picture in its mix with the stretched one.
        meaning: one line for cards and documentation.
    """

    hu_window: str | None
    stretched_by: Literal["volume", "slice", "range"]
    equalised: float
    meaning: str


CONVENTIONS: dict[str, Convention] = {
    "lung_equalised": Convention(
        "lung", "slice", 0.7, "HU: lung window; both: each slice stretched, then 0.7 of its local equalisation mixed in"
    ),
    "percentile": Convention(None, "volume", 0, "0.5 to 99.5 percentile of the whole volume to [0, 1]"),
    "lung": Convention("lung", "volume", 0, "HU: level -600, width 1500; picture: percentiles of the whole volume"),
    "abdomen": Convention("abdomen", "volume", 0, "HU: level 40, width 400; picture: percentiles of the whole volume"),
    "brain": Convention("brain", "volume", 0, "HU: level 40, width 80; picture: percentiles of the whole volume"),
    "bone": Convention("bone", "volume", 0, "HU: level 500, width 2000; picture: percentiles of the whole volume"),
    "unit": Convention(
        None, "range", 0, "picture: 8-bit values over 255, wider ones over 4095 or 65535; HU must be windowed before"
    ),
}


@dataclass(frozen=True)
class Normaliser:
    """One convention, fitted to one volume. Call it with a slice and a frame.

    Attributes:
        convention: name in ``CONVENTIONS``.
        kind: "hu" or "picture".
        low, high: values mapped to 0 and 1 before resizing; None leaves the slice as it is.
    """

    convention: str
    kind: Kind
    low: float | None
    high: float | None

    def __call__(self, picture: np.ndarray, frame: Frame) -> np.ndarray:
        """Turn one slice ``(H, W)`` or ``(H, W, 3)`` into the network's picture ``(3, h, w)`` float32 in [0, 1]."""
        plain, equalised = self.parts(picture, frame)
        share = CONVENTIONS[self.convention].equalised
        mixed = plain if equalised is None else (1 - share) * plain + share * equalised
        return np.ascontiguousarray(np.broadcast_to(mixed, (3, *mixed.shape[1:])))

    def parts(self, picture: np.ndarray, frame: Frame) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the plain and the equalised picture, each ``(C, h, w)``, C 1 or 3; None where there is none.

        Resizing comes before the equalisation (a 512x512 slice would take four times as long), and padding after
        it, so that the padding's brightness cannot shift the histogram.
        """
        values = picture.astype(np.float32)
        if self.low is not None and self.high is not None:
            values = stretch(values, self.low, self.high)
        values = frame.resize(values)
        rule = CONVENTIONS[self.convention]
        plain = stretch(values) if rule.stretched_by == "slice" else np.clip(values, 0, 1)
        channels = plain[None] if plain.ndim == 2 else np.moveaxis(plain, -1, 0)
        padded = np.stack([frame.pad(channel) for channel in channels])
        if not rule.equalised:
            return padded, None
        return padded, np.stack([frame.pad(equalise(channel)) for channel in channels])


def fit_normaliser(array: np.ndarray, convention: str, kind: Kind | Literal["auto"] = "auto") -> tuple[Normaliser, str]:
    """Fit a convention to a whole volume.

    Args:
        array: ``(K, J, I)`` or ``(K, J, I, 3)``, HU or picture brightness.
        convention: name in ``CONVENTIONS``.
        kind: "auto" decides by :func:`decide_kind`.

    Returns:
        the normaliser, and one clause saying how the kind was found.

    Raises:
        InputError: for an unknown convention or kind, for "hu" on values that do not reach below -100, and for HU
            under a convention that is made for pictures ("unit").
    """
    if convention not in CONVENTIONS:
        raise InputError(f"Unknown intensity convention {convention!r}; expected one of {', '.join(CONVENTIONS)}.")
    if kind not in ("auto", "hu", "picture"):
        raise InputError(f"Unknown intensity kind {kind!r}; expected 'auto', 'hu' or 'picture'.")
    decided, reason = decide_kind(array) if kind == "auto" else (kind, "set by the user")
    if kind == "hu" and float(array.min()) >= HU_BELOW:
        raise InputError(
            f"The intensity hu was set but the values start at {float(array.min()):g}, where Hounsfield units start "
            "near -1000; subtract 1024 first from a CT that was shifted to start at 0, or choose picture."
        )
    rule = CONVENTIONS[convention]
    if decided == "hu" and rule.stretched_by == "range":
        raise InputError(
            f"The volume holds Hounsfield units ({reason}) and these weights expect 8-bit pictures; window it to 0-255 "
            "first, as the pictures the weights were trained on were."
        )
    low: float | None = None
    high: float | None = None
    if decided == "hu" and rule.hu_window is not None:
        level, width = WINDOWS[rule.hu_window]
        low, high = level - width / 2, level + width / 2
    elif rule.stretched_by == "volume":
        low, high = (float(x) for x in np.percentile(array, STRETCH))
    elif rule.stretched_by == "range":
        low, high = 0.0, top_of_range(array)
    return Normaliser(convention, decided, low, high), reason


def top_of_range(array: np.ndarray) -> float:
    """Return the value that stands for white in an array of any shape.

    It is 1 for floats up to 1, else the next of 255, 4095 and 65535; above them the highest value itself. Decided by
    the highest value of the whole volume and not by the number type, as 12-bit grey and 8-bit pictures are both often
    stored in 16 bits.
    """
    highest = float(array.max())
    if highest <= 1 and np.issubdtype(array.dtype, np.floating):
        return 1.0
    return next((top for top in (255.0, 4095.0, 65535.0) if highest <= top), highest)
