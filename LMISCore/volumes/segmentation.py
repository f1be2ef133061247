"""Write and read segments as Slicer's .seg.nrrd, without Slicer, through slicerio.

The file is NRRD: one label map, or several in a list axis ("layers") where segments overlap, and for each segment its
name, colour, label, layer and tags in the header. Slicer ends a tag at the first ``|`` and a header line cannot hold a
line break, so the project's tags are percent-encoded; pynrrd under slicerio knows ASCII headers only, so names and
foreign tags go through it as markers and are put in afterwards as UTF-8, which is what Slicer reads and writes.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError
from LMISCore.volumes.layers import pack, regrid
from LMISCore.volumes.volume import Geometry

SUFFIX = ".seg.nrrd"
TAG_PREFIX = "LanguageSegment."
_SAFE = " ,.;:()/-_"
_TERMINOLOGY = "TerminologyEntry"
# gzip level: for five masks of 512 x 512 x 200, level 9 (slicerio's own) takes 2.2 s and 0.6 MB, level 4 0.6 s, 0.9 MB.
_COMPRESSION = 4


@dataclass(eq=False)
class SegmentData:
    """One segment.

    Attributes:
        id: stable name within the file, of letters, digits, ``_``, ``.`` and ``-``.
        name: what the user sees; any language, one line (line breaks become spaces).
        colour: red, green, blue from 0 to 1.
        mask: bool (K, J, I).
        tags: text of ours by key, any characters; "Sentence" is short for "LanguageSegment.Sentence". Percent-encoded
            in the file only.
        terminology: Slicer's coded meaning as slicerio gives it (``contextName``, ``category``, ``type`` ... with
            [scheme, code, meaning]), or None.
        other_tags: tags of other programs, kept as they stand.
    """

    id: str
    name: str
    colour: tuple[float, float, float]
    mask: npt.NDArray[np.bool_]
    tags: dict[str, str] = field(default_factory=dict)
    terminology: dict[str, Any] | None = None
    other_tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tags = _with_prefix(self.tags)
        self.name = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", self.name).split())


def encode_tag(text: str) -> str:
    """Percent-encode a text so that it survives as a segment tag: ASCII, no ``|``, no line break, ends kept."""
    encoded = quote(text, safe=_SAFE, errors="replace")
    body = encoded.strip(" ")
    if not body:
        return encoded.replace(" ", "%20")
    before, after = encoded.split(body, 1)  # readers trim a tag, so blanks at its ends are encoded too
    return before.replace(" ", "%20") + body + after.replace(" ", "%20")


def decode_tag(text: str) -> str:
    """Give back the text that ``encode_tag`` was given."""
    return unquote(text)


def _with_prefix(tags: Mapping[str, str]) -> dict[str, str]:
    full = {key if key.startswith(TAG_PREFIX) else TAG_PREFIX + key: str(value) for key, value in tags.items()}
    for key in full:
        if not re.fullmatch(r"[A-Za-z0-9_.]+", key):
            raise ValueError(f"tag key {key!r} must be of letters, digits, _ and .")
    return full


def write_segmentation(
    path: str | Path,
    segments: Sequence[SegmentData],
    geometry: Geometry,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write segments on exactly ``geometry``, whole or not at all; the same segments give the same bytes.

    Segments that do not overlap share a layer (first layer that is free, in the order given), as Slicer does;
    overlapping ones get layers of their own, so that each keeps all its voxels. For 512 x 512 x 200 voxels a layer
    takes 52 MB twice while it is written, beside the masks.

    Args:
        path: file ending in .seg.nrrd.
        segments: at least one, each with at least one voxel, ids distinct.
        geometry: grid of all masks.
        tags: text about the whole segmentation. It stays in this file; Slicer drops it on saving anew, unlike the
            tags of segments.

    Raises:
        InputError: if there is no segment, a segment is empty, the ending is another or the file cannot be written.
        ValueError: if a mask does not fit the grid, ids are not distinct or plain, or a colour is out of range.
    """
    import slicerio

    path = Path(path)
    if not path.name.lower().endswith(SUFFIX):
        raise InputError(f"Cannot write {path}: expected the ending {SUFFIX}; add it.")
    _check(segments, geometry)
    voxels, places = pack([segment.mask for segment in segments])
    texts: list[str] = []
    header: dict[str, Any] = {
        "voxels": voxels,
        "ijkToLPS": geometry.matrix(),
        "encoding": "gzip",
        "containedRepresentationNames": ["Binary labelmap"],
        "conversionParameters": [_reference_geometry(geometry)],
        **{key: encode_tag(value) for key, value in _with_prefix(tags or {}).items()},
        "segments": [
            _entry(segment, label, layer, geometry, texts)
            for segment, (layer, label) in zip(segments, places, strict=True)
        ],
    }
    buffer = io.BytesIO()
    slicerio.write_segmentation(buffer, header, compression_level=_COMPRESSION)
    del voxels, header
    content = buffer.getvalue()
    end = content.index(b"\n\n")  # the header ends at the first empty line
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(_finished(content[:end], texts))
        stream.write(content[end:])


def _check(segments: Sequence[SegmentData], geometry: Geometry) -> None:
    if not segments:
        raise InputError("There is no segment to write; expected at least one; no empty segment is ever written.")
    if len({segment.id for segment in segments}) < len(segments):
        raise ValueError("segment ids must be distinct")
    for segment in segments:
        if not re.fullmatch(r"[A-Za-z0-9_.\-]+", segment.id):
            raise ValueError(f"segment id {segment.id!r} must be of letters, digits, _, . and -")
        if segment.mask.dtype != np.bool_ or segment.mask.shape != geometry.shape:
            raise ValueError(f"mask must be bool {geometry.shape}, got {segment.mask.dtype} {segment.mask.shape}")
        if len(segment.colour) != 3 or not all(0 <= part <= 1 for part in segment.colour):
            raise ValueError(f"colour must be three numbers from 0 to 1, got {segment.colour}")
        if not segment.mask.any():
            raise InputError(
                f"The segment {segment.name!r} has no voxel; expected at least one; leave it out: no empty segment is "
                "ever written."
            )
        for key, value in segment.other_tags.items():
            if re.search(r"[|\r\n]", key + value) or ":" in key:
                raise ValueError(f"tag {key!r} of another program holds |, a line break or a : in its key")


def _entry(segment: SegmentData, label: int, layer: int, geometry: Geometry, texts: list[str]) -> dict[str, Any]:
    """Describe a segment as slicerio wants it; texts beyond ASCII go to ``texts`` and leave a marker."""
    from slicerio.segmentation import terminology_entry_to_string

    tags = {_marker(key, texts): _marker(value, texts) for key, value in segment.other_tags.items()}
    if segment.terminology is not None:
        terminology = terminology_entry_to_string(segment.terminology)
        if re.search(r"[|\r\n]", terminology):
            raise ValueError("a terminology must not hold | or a line break")
        tags[_TERMINOLOGY] = _marker(terminology, texts)
    tags.update({key: encode_tag(value) for key, value in segment.tags.items()})
    i, j, k = geometry.size
    return {
        "id": segment.id,
        "name": _marker(segment.name, texts),
        "nameAutoGenerated": False,
        "color": [float(part) for part in segment.colour],
        "colorAutoGenerated": False,
        # Slicer crops a whole layer to the extent of its first segment, so each states the full grid.
        "extent": [0, i - 1, 0, j - 1, 0, k - 1],
        "labelValue": label,
        "layer": layer,
        "tags": tags,
    }


def _marker(text: str, texts: list[str]) -> str:
    texts.append(text)
    return f"@text{len(texts) - 1}@"


def _finished(header: bytes, texts: list[str]) -> bytes:
    # The comment with the time of writing goes: same input, same file.
    header = re.sub(rb"(?m)^# on .*\n", b"", header)
    # NRRD reads a backslash in a header value as the start of an escape.
    escaped = [text.replace("\\", "\\\\").encode("utf-8", "replace") for text in texts]
    return re.sub(rb"@text(\d+)@", lambda found: escaped[int(found[1])], header)


def _reference_geometry(geometry: Geometry) -> dict[str, str]:
    """Slicer's conversion parameter for the grid: 4x4 matrix to RAS and index extent, ``;`` after each number."""
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.matrix()
    i, j, k = geometry.size
    numbers = [*(f"{value + 0.0:.17g}" for value in ras.ravel()), *map(str, (0, i - 1, 0, j - 1, 0, k - 1))]
    return {
        "name": "Reference image geometry",
        "value": "".join(f"{number};" for number in numbers),
        "description": "Geometry of the image that was segmented.",
    }


def read_segmentation(
    path: str | Path, geometry: Geometry | None = None
) -> tuple[list[SegmentData], Geometry, dict[str, str]]:
    """Read a .seg.nrrd of ours or of Slicer's.

    Args:
        path: file to read.
        geometry: grid to put the masks on. Slicer saves only the box around all segments and turns the k axis of
            left-handed volumes over; with the image's grid given here the masks lie on it again. None keeps the file's.

    Returns:
        segments, grid of their masks, and the tags of the whole segmentation.

    Raises:
        InputError: if the file is missing, damaged, holds no segments, or its voxels do not lie on ``geometry``.
    """
    import nrrd
    import slicerio

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}; expected a segmentation ({SUFFIX}); check the path.")
    try:
        content = slicerio.read_segmentation(str(path))
        lines = _header_lines(path)
    except (nrrd.NRRDError, OSError, EOFError, StopIteration, ValueError, LookupError, TypeError, zlib.error) as error:
        raise InputError(
            f"{path} could not be read as a segmentation: it is damaged or of another kind; expected {SUFFIX}; "
            "save it again."
        ) from error
    voxels: npt.NDArray[Any] = content["voxels"]
    entries: list[dict[str, Any]] = content.get("segments") or []
    if not entries or not np.issubdtype(voxels.dtype, np.integer):
        raise InputError(
            f"{path} holds no binary segments; expected a segmentation saved as binary label map ({SUFFIX}); "
            "save it so from Slicer."
        )
    grid = Geometry.from_matrix(voxels.shape[-3:], content["ijkToLPS"])
    numbers = sorted(int(found[1]) for key in lines if (found := re.fullmatch(r"Segment(\d+)_ID", key)))
    segments = []
    for place, entry in enumerate(entries):
        mask = _mask(voxels, entry, place, path)
        if geometry is not None:
            mask = regrid(mask, grid, geometry, str(path))
        number = numbers[place] if len(numbers) == len(entries) else place
        segments.append(_segment(entry, mask, lines, number))
    ours = {key: decode_tag(value) for key, value in lines.items() if key.startswith(TAG_PREFIX)}
    return segments, geometry or grid, ours


def _header_lines(path: Path) -> dict[str, str]:
    """Key and value lines of the header as UTF-8; pynrrd throws away what is not ASCII."""
    lines: dict[str, str] = {}
    with path.open("rb") as stream:
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                break
            key, separator, value = line.partition(":=")
            if separator and not line.startswith("#"):
                lines[key.strip()] = re.sub(r"\\([\\n])", lambda found: "\n" if found[1] == "n" else "\\", value)
    return lines


def _mask(voxels: npt.NDArray[Any], entry: dict[str, Any], place: int, path: Path) -> npt.NDArray[np.bool_]:
    label = entry.get("labelValue", 1)
    if voxels.ndim == 3:
        return np.ascontiguousarray((voxels == label).T)
    layer = entry.get("layer", place)  # Slicer 4.10 wrote one layer for each segment, unnumbered
    if not 0 <= layer < voxels.shape[0]:
        raise InputError(f"{path} names layer {layer} of {voxels.shape[0]}; expected an existing one; save it again.")
    return np.ascontiguousarray((voxels[layer] == label).T)


def _segment(entry: dict[str, Any], mask: npt.NDArray[np.bool_], lines: dict[str, str], number: int) -> SegmentData:
    from slicerio.segmentation import terminology_entry_from_string

    ours: dict[str, str] = {}
    others: dict[str, str] = {}
    terminology = None
    for tag in lines.get(f"Segment{number}_Tags", "").split("|"):
        key, separator, value = tag.strip().partition(":")
        if key == _TERMINOLOGY:
            terminology = terminology_entry_from_string(value)
        elif key.startswith(TAG_PREFIX):
            ours[key] = decode_tag(value)
        elif separator:
            others[key] = value
    red, green, blue = entry.get("color", (0.5, 0.5, 0.5))
    return SegmentData(
        id=entry["id"],
        name=lines.get(f"Segment{number}_Name", entry["id"]),
        colour=(red, green, blue),
        mask=mask,
        tags=ours,
        terminology=terminology,
        other_tags=others,
    )
