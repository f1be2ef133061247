"""The second, place-free mask against the words: side, place, number and size, and what the user is told."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import agreement_figures
import numpy as np
import pytest
from lvit_maker import write_lvit
from obedient import one_thread  # noqa: F401
from predictor_makers import LEFT, network_of, obedient

from LMISCore.inference.agreement import Agreement, Verdict, compare, measure
from LMISCore.inference.landmarks import find_landmarks
from LMISCore.inference.summary import summary_line
from LMISCore.inference.tables import csv_text, terminal_table
from LMISCore.text.findings import Vocabulary
from LMISCore.text.places import mirror_sides
from LMISCore.text.report import parse_report
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")
VOCABULARY = Vocabulary({"infection": ("infected area",)}, ("left", "right", "lung"))
THIRDS = ("anterior", "middle", "posterior")


def chest(slices: int = 6) -> Volume:
    """A bright ellipse, the body, in dark air, with two dark lungs in it."""
    y, x = np.mgrid[:60, :80]
    body = ((x - 40) / 34) ** 2 + ((y - 30) / 26) ** 2 < 1
    lungs = (((x - 24) / 10) ** 2 + ((y - 30) / 18) ** 2 < 1) | (((x - 56) / 10) ** 2 + ((y - 30) / 18) ** 2 < 1)
    picture = np.where(body & ~lungs, 200, 10).astype(np.uint8)
    return Volume(np.repeat(picture[None], slices, 0), Geometry((80, 60, slices), (1.0, 1.0, 2.0)), "chest", "made")


def agreement_of(
    text: str,
    mask: np.ndarray,
    volume: Volume,
    organ: np.ndarray | None = None,
    elsewhere: frozenset[str] = frozenset(),
) -> Agreement:
    canonical = Canonical(volume)
    (sentence,) = parse_report(text, VOCABULARY, "en").sentences
    facts = measure(mask, find_landmarks(canonical, organ), canonical)
    return compare(sentence.findings[0], facts, "Infection.", elsewhere=elsewhere)


def blob(side: str, third: str, volume: Volume) -> np.ndarray:
    """A block of 9 x 6 pixels in two slices, on one side, in one third of the body; canonical ``(N, H, W)``."""
    mask = np.zeros(Canonical(volume).slices.shape, dtype=bool)
    row = {"anterior": 8, "middle": 27, "posterior": 44}[third]
    column = 20 if side == "right" else 52
    mask[2:4, row : row + 6, column : column + 9] = True
    return mask


def test_true_masks_agree_with_the_words_that_describe_them() -> None:
    volume = chest()
    verdicts = []
    for side in ("left", "right"):
        for third in THIRDS:
            text = f"One infected area of 11 mm in the {third} {side} lung."
            agreement = agreement_of(text, blob(side, third, volume), volume)
            verdicts += [aspect.verdict for aspect in agreement.aspects]
            assert [aspect.name for aspect in agreement.aspects] == ["side", "place", "count", "size"]
    both = blob("left", "posterior", volume) | blob("right", "posterior", volume)
    verdicts += [a.verdict for a in agreement_of("Bilateral infection, two infected areas.", both, volume).aspects]
    assert np.mean([verdict is Verdict.AGREES for verdict in verdicts]) >= 0.99


def test_the_smaller_half_of_a_mask_contradicts_only_where_no_other_sentence_names_the_other_side() -> None:
    volume = chest()
    mask = blob("right", "posterior", volume)
    mask[3, 44:50, 52:55] = True
    alone = agreement_of("Infection in the left lung.", mask, volume)
    assert alone.verdict is Verdict.CONTRADICTS and "86 % of the mask is on the right" in alone.words
    both = agreement_of("Infection in the left lung.", mask, volume, elsewhere=frozenset({"left", "right"}))
    assert both.verdict is Verdict.AGREES
    nothing = agreement_of(
        "Infection in the left lung.", blob("right", "posterior", volume), volume, elsewhere=frozenset({"right"})
    )
    assert nothing.verdict is Verdict.CONTRADICTS


def test_a_mirrored_side_is_told_in_plain_words() -> None:
    volume = chest()
    mask = blob("right", "posterior", volume)
    mask[3, 44, 52:60] = True
    agreement = agreement_of("Infection in the left lung.", mask, volume)
    assert agreement.verdict is Verdict.CONTRADICTS
    assert agreement.words == "text says left, 93 % of the mask is on the right"
    assert agreement_of(mirror_sides("Infection in the left lung."), mask, volume).verdict is Verdict.AGREES


def test_front_and_back_contradict_each_other_and_a_neighbouring_third_only_within_an_organ() -> None:
    volume = chest()
    mask = blob("left", "posterior", volume)
    assert agreement_of("Infection in the anterior left lung.", mask, volume).verdict is Verdict.CONTRADICTS
    beside = agreement_of("Infection in the anterior left lung.", blob("left", "middle", volume), volume)
    assert beside.aspects[1].verdict is Verdict.UNCLEAR
    organ = np.ones(volume.geometry.shape, dtype=np.uint8)
    by_organ = agreement_of("Infection in the anterior left lung.", blob("left", "middle", volume), volume, organ)
    assert by_organ.aspects[1].verdict is Verdict.CONTRADICTS


def test_number_and_size_differ_without_contradicting() -> None:
    agreement = agreement_of("Three infected areas, 40 mm.", blob("left", "middle", chest()), chest())
    assert agreement.verdict is Verdict.DIFFERS
    assert agreement.words == "text says 3, the mask has 1 piece; text says 40 mm, the largest piece measures 11 mm"


def test_one_empty_side_of_two_is_no_contradiction() -> None:
    agreement = agreement_of("Bilateral infection.", blob("left", "middle", chest()), chest())
    assert (agreement.verdict, agreement.words) == (
        Verdict.DIFFERS,
        "text says both sides, all of the mask is on the left",
    )


def test_an_empty_mask_says_nothing() -> None:
    agreement = agreement_of("Infection in the left lung.", np.zeros((6, 60, 80), dtype=bool), chest())
    assert (agreement.verdict, agreement.aspects) == (Verdict.UNCLEAR, ())


def test_the_midline_is_the_bodys_wherever_it_lies_in_the_picture() -> None:
    volume = chest()
    shifted = Volume(np.roll(volume.array, 5, axis=2), volume.geometry, "shifted", "made")
    assert find_landmarks(Canonical(volume)).midline == pytest.approx(40.5, abs=1)
    assert find_landmarks(Canonical(shifted)).midline == pytest.approx(45.5, abs=1)


def one_sided() -> Volume:
    """Bright on the patient's right alone, with a dim body around it."""
    array = np.full((4, 16, 16), 100, dtype=np.uint8)
    array[:, 4:8, 2:6] = 255
    return Volume(array, Geometry((16, 16, 4)), "one-sided", "made for tests")


def test_a_sentence_on_the_wrong_side_is_contradicted_though_its_own_mask_obeys() -> None:
    result = obedient().segment(one_sided(), f"{LEFT} Infection in the right lung.", agreement=True, force={"text-1"})
    wrong, right = result.rows
    assert wrong.mask is None and right.mask is not None
    assert [agreement.verdict for agreement in wrong.agreement] == [Verdict.CONTRADICTS]
    assert wrong.agreement[0].words == "text says left, 100 % of the mask is on the right"
    assert [agreement.verdict for agreement in right.agreement] == [Verdict.AGREES]
    values = result.to_dict()
    assert values["summary"]["contradicted"] == ["text-1"] and values["summary"]["bound"] == ["text-2"]
    assert summary_line(values["summary"]) == "1 bound, 1 contradicted, 1 absent"
    assert "contradicts" in terminal_table(values, 200)
    cells = list(csv.DictReader(io.StringIO(csv_text(values))))
    assert [cell["agreement"] for cell in cells] == ["contradicts", "agrees"]
    assert cells[0]["agreement_words"] == wrong.agreement[0].words


def test_two_sentences_with_a_side_each_do_not_contradict_each_other_over_an_uneven_mask() -> None:
    volume = one_sided()
    volume.array[:, 4:8, 12:13] = 255
    both = obedient().segment(volume, "Infection in the left lung. Infection in the right lung.", agreement=True)
    assert [row.agreement[0].verdict for row in both.rows] == [Verdict.AGREES, Verdict.AGREES]
    alone = obedient().segment(volume, "Infection in the left lung.", agreement=True)
    assert alone.rows[0].agreement[0].words == "text says left, 80 % of the mask is on the right"


def test_the_second_question_costs_one_decode_a_slice_and_changes_no_mask() -> None:
    text = f"{LEFT} Two infected areas in the right lung. No infection on the left."
    predictor = obedient()
    network = network_of(predictor)
    plain = predictor.segment(one_sided(), text)
    without = sum(network.decoded)
    network.decoded.clear()
    asked = predictor.segment(one_sided(), text, agreement=True)
    assert (without, sum(network.decoded)) == (8, 12)
    for first, second in zip(plain.rows, asked.rows, strict=True):
        assert (first.state, first.mask is None) == (second.state, second.mask is None)
        assert first.mask is None or second.mask is None or np.array_equal(first.mask, second.mask)
    assert [len(row.agreement) for row in plain.rows] == [0, 0, 0]
    assert [len(row.agreement) for row in asked.rows] == [1, 1, 0]
    assert asked.rows[0].agreement[0].prompt == "Pulmonary infection."


def test_the_figures_count_slices_and_patients(tmp_path: Path) -> None:
    cases = agreement_figures.read_cases(write_lvit(tmp_path), "Val", None, True, "cpu")
    found = agreement_figures.figures(cases)
    assert found["false_alarms_of_side"]["slices"] == 6 and found["mirrored_side_caught"]["slices"] == 4
    assert found["true_masks_agree"] == {"share": 1.0, "slices": 6, "of_them": 6, "patients": 1}
