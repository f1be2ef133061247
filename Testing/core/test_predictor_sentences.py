"""Which sentences the predictor asks, in which words and on which slices, and the state each ends with."""

from __future__ import annotations

import numpy as np
import pytest
from obedient import (
    body,
    obedient_card,
    one_thread,  # noqa: F401
)
from predictor_makers import (
    LEFT,
    RIGHT,
    bright_volume,
    network_of,
    obedient,
)

from LMISCore.errors import InputError
from LMISCore.text.findings import Vocabulary
from LMISCore.text.report import State, parse_report
from LMISCore.text.terminology import term_for
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("words", "first", "end"),
    [("lower zone", 0, 4), ("middle zone", 4, 8), ("upper zone", 8, 12), ("upper and middle zones", 4, 12)],
)
def test_head_feet_words_choose_the_thirds_of_the_volume(words: str, first: int, end: int) -> None:
    predictor = obedient()
    network = network_of(predictor)
    result = predictor.segment(bright_volume(12), f"Infection in the {words} of the left lung.")
    (row,) = result.rows
    assert row.mask is not None and row.prompt is not None
    assert list(np.flatnonzero(row.mask.any(axis=(1, 2)))) == list(range(first, end))
    assert row.asked_slices == end - first == sum(network.decoded)
    assert "third" in row.reason and "volume" in row.reason
    assert not {"lower", "middle", "upper", "zone"} & set(row.prompt.text.lower().replace(".", "").split())


def test_head_feet_words_follow_the_organ_where_its_mask_is_given() -> None:
    volume = bright_volume(12)
    organ = np.zeros(volume.array.shape, dtype=np.uint8)
    organ[6:9, 4:8, 4:8] = 1
    (row,) = obedient().segment(volume, "Infection in the lower zone of the left lung.", organ_mask=organ).rows
    assert row.mask is not None and list(np.flatnonzero(row.mask.any(axis=(1, 2)))) == [6]
    assert "organ" in row.reason


def test_each_segment_carries_its_code_and_the_first_of_a_finding_its_colour() -> None:
    result = obedient().segment(bright_volume(12), f"{LEFT} {RIGHT}")
    left, right = result.segment_data()
    for segment, side in ((left, "Left"), (right, "Right")):
        assert segment.terminology is not None
        assert segment.terminology["type"] == ["SCT", "128601007", "Infectious disease of lung"]
        assert segment.terminology["anatomicRegionModifier"][2] == side
    assert left.colour == term_for("infection").colour != right.colour


def test_feet_are_found_by_the_geometry_not_by_the_order_in_the_file() -> None:
    upside_down = bright_volume(12, direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))
    (row,) = obedient().segment(upside_down, "Infection in the lower zone of the left lung.").rows
    assert row.mask is not None and list(np.flatnonzero(row.mask.any(axis=(1, 2)))) == [8, 9, 10, 11]


def test_too_few_slices_have_no_thirds_and_the_row_says_so() -> None:
    (row,) = obedient().segment(bright_volume(2), "Infection in the lower zone of the left lung.").rows
    assert row.slices == 2 and "too few" in row.reason


def test_a_report_parsed_without_vocabulary_is_understood_all_the_same() -> None:
    (row,) = obedient().segment(body(), parse_report("Infection in the left lung, no effusion.")).rows
    assert row.name == "Pulmonary infection, left" and row.state == State.AFFIRMED


def test_weights_for_pictures_say_so_when_given_a_volume() -> None:
    predictor = obedient(image={**obedient_card().image, "plane": "picture"})
    assert any("single pictures" in warning for warning in predictor.segment(body(4), LEFT).warnings)
    one = Volume(np.full((1, 16, 16), 230, dtype=np.uint8), Geometry((16, 16, 1)), "xray", "made for tests")
    result = predictor.segment(one, "Infection in the lower zone of the left lung.")
    assert not result.warnings and result.provenance["plane"] == "picture"
    assert result.rows[0].prompt is not None and "lower zone" in result.rows[0].prompt.text


SIDEWAYS = (-1, 0, 0, 0, -1, 0, 0, 0, 1)  # what RAS files of one slice state


def one_slice(direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> Volume:
    return bright_volume(1, direction)


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), SIDEWAYS], ids=["as a PNG", "in RAS"])
@pytest.mark.parametrize(
    ("plane", "places_known", "sent"),
    [
        ("axial", [], "Infection in the left lung."),
        ("axial", ["left", "anterior"], "Infection in the left lung."),
        ("axial", ["upper", "lower"], "Infection in the lower zone of the left lung."),
        ("picture", [], "Infection in the lower zone of the left lung."),
    ],
)
def test_one_slice_is_asked_in_the_words_its_weights_know_however_its_file_lies(
    direction: tuple[float, ...], plane: str, places_known: list[str], sent: str
) -> None:
    predictor = obedient(
        image={**obedient_card().image, "plane": plane},
        vocabulary={**obedient_card().vocabulary, "places": places_known},
    )
    result = predictor.segment(one_slice(direction), "Infection in the lower zone of the left lung.")
    (row,) = result.rows
    assert row.prompt is not None and row.prompt.text == sent and row.asked_slices == 1
    assert ("single slice" in row.reason) == (sent == "Infection in the left lung.") == bool(row.prompt.levels)
    assert not result.warnings


def test_thirds_of_the_volume_instead_of_the_organ_are_told() -> None:
    sentence = "Infection in the lower zone of the left lung."
    organ = np.ones((12, 16, 16), dtype=np.uint8)
    (warning,) = obedient().segment(bright_volume(12), sentence).warnings
    assert "--organ" in warning and "whole volume" in warning
    assert not obedient().segment(bright_volume(12), sentence, organ_mask=organ).warnings
    assert not obedient().segment(bright_volume(12), LEFT).warnings
    assert not obedient().segment(bright_volume(12), f"No {sentence[0].lower()}{sentence[1:]}").warnings


def test_weights_trained_without_text_are_refused_in_one_sentence() -> None:
    predictor = obedient(recipe={"text": {"ignore": True}})
    with pytest.raises(InputError, match=r"^The checkpoint obedient was trained without text .*\.$"):
        predictor.segment(body(3), LEFT)
    assert obedient(recipe={"text": {"ignore": False}}).segment(body(3), LEFT).rows


def test_a_report_read_with_another_vocabulary_is_read_anew_with_the_cards() -> None:
    text = "Infection in the left lung without nodules, no effusion on the left."
    other = Vocabulary({"effusion": ("effusion",)})
    foreign = obedient().segment(body(), parse_report(text, other)).rows
    own = obedient().segment(body(), text).rows
    prompts = [[row.prompt.text if row.prompt else None for row in rows] for rows in (foreign, own)]
    assert prompts[0] == prompts[1] and "effusion" not in str(prompts[0])
    assert [row.mask is not None for row in foreign] == [True]


def test_only_affirmed_and_present_sentences_get_a_segment() -> None:
    report = f"{LEFT} No infection in the right lung. The liver is unremarkable. Effusion on the left."
    result = obedient().segment(body(), report)
    states = [row.state for row in result.rows]
    assert states == [State.AFFIRMED, State.NEGATED, State.NOT_COVERED, State.ABSENT]
    assert [row.mask is not None for row in result.rows] == [True, False, False, False]
    absent = result.rows[3]
    assert absent.presence is not None and absent.presence < 0.01 and "under the threshold" in absent.reason
    assert result.rows[1].presence is None
    assert [data.id for data in result.segment_data()] == [result.rows[0].segment_id]


def test_a_forced_sentence_gets_a_mask_and_keeps_the_state_of_its_text() -> None:
    report = parse_report("No infection in the right lung.", obedient().vocabulary)
    (sentence,) = report.sentences
    result = obedient().segment(body(), report, force={sentence.id})
    (row,) = result.rows
    assert row.state == State.NEGATED and row.forced
    assert row.mask is not None and row.mask.any()
    assert result.tags(row)["State"] == "negated (forced)"


def test_a_forced_sentence_without_a_single_voxel_gets_no_segment() -> None:
    result = obedient().segment(body(), "Effusion on the left.", force={"text-1"})
    assert not result.segments
    assert "no voxel" in result.rows[0].reason


def test_forcing_an_unknown_sentence_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'findings-9'.*text-1"):
        obedient().segment(body(), LEFT, force={"findings-9"})


def test_no_segment_is_empty_when_no_voxel_reaches_the_threshold() -> None:
    result = obedient().segment(body(), LEFT, mask_threshold=1.0)
    assert result.rows[0].state == State.ABSENT and result.rows[0].segment_id is None
    assert result.rows[0].mask is None and not result.segment_data()


def test_a_report_without_a_sentence_is_refused() -> None:
    with pytest.raises(InputError, match="no sentence"):
        obedient().segment(body(), "  \n ")


def test_presence_is_the_mean_over_the_three_highest_slices() -> None:
    volume = bright_volume(6)
    volume.array[:] = 0
    volume.array[2, 4, 12] = 255
    (row,) = obedient().segment(volume, LEFT, presence_threshold=0.1).rows
    lit = 1 / (1 + np.exp(-10.0))
    dark = 1 / (1 + np.exp(10.0))
    assert row.presence == pytest.approx((lit + 2 * dark) / 3, abs=1e-4)


def test_a_sentence_run_alone_gets_what_it_gets_among_all() -> None:
    volume = body()
    report = f"No effusion. {LEFT} {RIGHT} {LEFT}"
    whole, predictor = obedient().segment(volume, report), obedient()
    network = network_of(predictor)
    alone = predictor.segment(volume, report, only={"text-3"})
    (row,) = alone.rows
    expected = whole.row("text-3")
    assert row.sentence.id == "text-3"
    assert (row.state, row.name, row.colour) == (expected.state, expected.name, expected.colour)
    assert row.mask is not None and expected.mask is not None and (row.mask == expected.mask).all()
    # One of the two questions of the report is asked: each slice once.
    assert sum(network.decoded) == volume.geometry.size[2]
    shared = predictor.segment(volume, report, only={"text-2"}).rows
    assert [each.sentence.id for each in shared] == ["text-2"]
    assert predictor.segment(volume, report, only={"text-1"}).rows[0].state == State.NEGATED


def test_an_unknown_sentence_cannot_be_run_alone() -> None:
    with pytest.raises(InputError, match="'text-9' to run again; this report has text-1"):
        obedient().segment(body(), LEFT, only={"text-9"})
