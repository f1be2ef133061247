"""The picture of a result and its tables."""

from __future__ import annotations

import numpy as np
import pytest
from obedient import WordEncoder, body, obedient_checkpoint, one_thread  # noqa: F401
from PIL import Image

from LMISCore.inference import overlay
from LMISCore.inference.naming import distinct_names, segment_colour, segment_id
from LMISCore.inference.overlay import PANEL_WIDTH, render_overlay, volume_words
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.result import CaseResult
from LMISCore.inference.tables import csv_text, terminal_table
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")
LEFT = "Infection in the left lung."


def segmented(report: str, volume: Volume, force: frozenset[str] = frozenset()) -> CaseResult:
    return Predictor(obedient_checkpoint(), "cpu", encoder=WordEncoder()).segment(volume, report, force=force)


def pixels_of(picture: Image.Image, colour: tuple[float, float, float]) -> np.ndarray:
    """Where the picture has exactly this colour."""
    wanted = np.array([round(255 * channel) for channel in colour])
    found: np.ndarray = (np.asarray(picture) == wanted).all(-1)
    return found


def test_each_segment_is_drawn_in_its_colour_on_the_side_where_it_lies() -> None:
    volume = body(16)
    result = segmented(f"{LEFT} Infection in the right lung. No effusion.", volume)
    picture = render_overlay(result, volume, "body")
    left, right = result.segments
    assert left.colour is not None and right.colour is not None
    # Below the panels' captions; the first panel shows the left-sided segment, on the picture's right.
    drawn = pixels_of(picture, left.colour)[170:, : PANEL_WIDTH + 24]
    columns = np.flatnonzero(drawn[:400].any(0))
    assert len(columns) and columns.min() > PANEL_WIDTH / 2
    assert pixels_of(picture, right.colour)[170:, PANEL_WIDTH + 24 :].any()


def test_an_outline_keeps_the_picture_inside_it_visible() -> None:
    volume = body(16)
    result = segmented(LEFT, volume)
    colour = result.segments[0].colour
    assert colour is not None
    bright = np.asarray(render_overlay(result, volume, "body")).astype(int)
    pure = pixels_of(Image.fromarray(bright.astype(np.uint8)), colour).sum()
    # Tinted, not covered: far more pixels lean towards the colour than have exactly it.
    tinted = (bright[..., 0] - bright[..., 2] > 20).sum()
    assert 0 < pure < tinted / 2


def test_a_result_without_segments_still_shows_the_volume_and_the_sentences() -> None:
    volume = body(16)
    shorter = render_overlay(segmented("No effusion.", volume), volume, "body")
    longer = render_overlay(segmented("No effusion. No infection. The heart is normal.", volume), volume, "body")
    assert longer.height > shorter.height and np.asarray(shorter).std() > 10


@pytest.mark.parametrize("shape", [(1, 20, 30), (1, 300, 20), (3, 16, 16)])
def test_pictures_of_any_shape_are_drawn_within_their_panel(shape: tuple[int, int, int]) -> None:
    volume = Volume(np.full(shape, 230, np.uint8), Geometry(shape[::-1]), "x", "made for tests", spacing_known=False)
    picture = render_overlay(segmented(LEFT, volume), volume, "a title " * 60)
    assert picture.width < 1000 and picture.height < 1200


def test_colour_volumes_and_many_segments_are_drawn() -> None:
    array = np.full((1, 16, 16, 3), 230, dtype=np.uint8)
    volume = Volume(array, Geometry((16, 16, 1)), "slide", "made for tests")
    report = " ".join(f"Infection number {number} in the left lung 左." for number in range(14))
    result = segmented(report, volume)
    assert len(result.segments) == 14
    assert render_overlay(result, volume, "slide").width > 3 * PANEL_WIDTH


def test_the_table_cuts_sentences_to_the_terminal_and_keeps_numbers_whole() -> None:
    result = segmented(f"{LEFT[:-1]} with a great many more words behind it. No effusion.", body()).to_dict()
    table = terminal_table(result, width=100)
    assert max(len(line) for line in table.splitlines()) <= 100
    assert "…" in table and f"{result['rows'][0]['volume_ml']:.1f}" in table
    result["geometry"]["spacing_known"] = False
    assert "(nominal spacing)" in terminal_table(result, width=200)


def test_the_csv_holds_each_sentence_on_one_line() -> None:
    result = segmented('Infection in\nthe left lung, "dense". No effusion.', body()).to_dict()
    lines = csv_text(result).splitlines()
    assert len(lines) == 3 and '"Infection in the left lung, ""dense""."' in lines[1]


def test_no_two_colours_and_no_two_names_are_the_same() -> None:
    assert len({segment_colour(number) for number in range(200)}) == 200
    assert distinct_names(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]
    assert segment_id("findings-1") == "lmis_findings-1" and segment_id("a|b c") == "lmis_a_b_c"


def test_volumes_are_worded_with_three_figures() -> None:
    assert [volume_words(v, True) for v in (0.01234, 12.345, 1234.5)] == ["0.0123 mL", "12.3 mL", "1234 mL"]
    assert volume_words(5, False) == "5 mL (nominal spacing)"


@pytest.mark.parametrize("text", ["_" * 600, "Infection " * 60])
def test_a_line_of_any_length_is_cut_after_a_few_measurements(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    plain = overlay._text_width

    def watch(text: str, size: int) -> float:
        measured.append(text)
        return plain(text, size)

    monkeypatch.setattr(overlay, "_text_width", watch)
    fitting = overlay._fit(text, 15, 480)
    assert len(measured) < 20 and max(map(len, measured)) <= 481
    # One letter more would not fit.
    kept = len(fitting) - 1
    assert fitting.endswith("…") and plain(fitting, 15) <= 480 < plain(f"{text[: kept + 2]}…", 15)
