"""Does it listen? The sentences asked beside the right one, and obedience by side and third of a lung."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_makers import (
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    one_thread,  # noqa: F401
    small_data,  # noqa: F401
)
from torch import Tensor

from LMISCore.data.lungs import AXIAL_ZONES, FRONTAL_ZONES, LungGeometry
from LMISCore.evaluation import conditions
from LMISCore.evaluation.asking import Asker
from LMISCore.evaluation.conditions import (
    EMPTY,
    NEGATED,
    OUTSIDE,
    OUTSIDE_SENTENCES,
    RIGHT,
    SHUFFLED,
    negated,
    out_of_vocabulary,
    shuffled,
)
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.obedience import measure_lung, places_in_view
from LMISCore.evaluation.places import ALL_LUNGS, ALL_ZONES, zones_of
from LMISCore.evaluation.tables import markdown
from LMISCore.networks.outputs import ImageFeatures
from LMISCore.text.findings import Vocabulary
from LMISCore.text.report_types import Finding, Span, State

VOCABULARY = Vocabulary({"pulmonary infection": ("infection", "infected area", "opacity")})
ONE_LUNG = "Unilateral pulmonary infection, one infected area, posterior right lung."


@pytest.fixture(scope="module")
def result(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    log = tmp_path_factory.mktemp("result") / "log"
    network = checkpoint(ObedientNetwork(), card())
    return evaluate(network, data, "Val", encoder=WordEncoder(), draws=50, robustness=False, log=log, device="cpu")


@pytest.mark.parametrize(
    ("sentence", "denial"),
    [
        (
            ONE_LUNG,
            "No evidence of unilateral pulmonary infection, no evidence of one infected area, posterior right lung.",
        ),
        ("There is an opacity in the left lung.", "No evidence of opacity in the left lung."),
        ("COVID infection in both lungs.", "No evidence of COVID infection in both lungs."),
        ("No infection.", None),
        ("Small effusion on the left.", None),
        ("", None),
    ],
)
def test_a_sentence_that_affirms_a_finding_is_denied_in_its_own_words(sentence: str, denial: str | None) -> None:
    assert negated([sentence], VOCABULARY).sentences == (denial,)


def test_a_denial_that_the_text_rules_do_not_read_as_one_gives_way_to_the_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = "No pulmonary infection."

    def reading(text: str, vocabulary: Vocabulary) -> tuple[Finding, ...]:
        status = State.NEGATED if text == plain else State.AFFIRMED
        return (Finding(text, Span(0, len(text)), status, "pulmonary infection"),)

    monkeypatch.setattr(conditions, "assess", reading)
    assert negated([ONE_LUNG], VOCABULARY).sentences == (plain,)


def test_shuffled_sentences_are_the_same_ones_dealt_out_anew() -> None:
    sentences = [f"sentence {number}" for number in range(30)] + ["twice", "twice"]
    condition = shuffled(sentences, 5)
    assert condition == shuffled(sentences, 5)
    assert condition != shuffled(sentences, 6)
    dealt = [new or own for new, own in zip(condition.sentences, sentences, strict=True)]
    assert sorted(dealt) == sorted(sentences)
    assert condition.asked > 25
    assert shuffled(["alike", "alike"], 5).asked == 0


def test_an_out_of_vocabulary_sentence_names_nothing_that_the_weights_know_or_saw() -> None:
    known = Vocabulary({"fracture": (), "detachment": ("polyp",)})
    seen = ["enlarged PITUITARY gland.", "Rupture of the Achilles tendon."]
    condition = out_of_vocabulary(["a"] * 40, known, seen, 0)
    assert set(condition.sentences) == {"Impacted wisdom tooth."}
    assert set(out_of_vocabulary(["a"] * 200, VOCABULARY, (), 0).sentences) == set(OUTSIDE_SENTENCES)
    everything = Vocabulary({"all": ("fracture", "detachment", "polyp", "gland", "tendon", "tooth")})
    assert out_of_vocabulary(["a"], everything, (), 0).asked == 0


def test_the_table_shows_how_much_is_marked_for_every_other_sentence(result: dict[str, Any]) -> None:
    asked, differences = result["conditions"], result["differences"]
    # No word, nothing marked; this network does not understand "no" and marks as much as before.
    assert asked[EMPTY]["unmarked_share"]["estimate"] == 1
    assert differences[EMPTY]["foreground_ratio"]["estimate"] == 0
    assert asked[NEGATED]["n"] == 22
    assert differences[NEGATED]["foreground_ratio"]["estimate"] == 1
    assert differences[NEGATED]["mean_dice"]["estimate"] == 0
    # It marks everything bright when no side is named: right and left lesions, the dot, and the corner each time.
    everything = 12 * 25 + 6 * 50 + 3 * 26 + 4 + 1
    right = 12 * 25 + 6 * 50 + 3 * 25 + 3 + 1
    assert differences[OUTSIDE]["foreground_ratio"]["estimate"] == pytest.approx(everything / right)
    assert asked[RIGHT]["presence"]["estimate"] == pytest.approx(1, abs=1e-3)
    assert asked[EMPTY]["presence"]["estimate"] == pytest.approx(0, abs=1e-3)
    assert 0 < asked[SHUFFLED]["n"] < 23
    page = markdown(result)
    for name in (NEGATED, OUTSIDE, SHUFFLED, "posterior right lung", ALL_ZONES):
        assert f"| {name} |" in page


def test_obedience_by_place_is_counted_by_hand(result: dict[str, Any]) -> None:
    places = result["obedience"]["places"]
    assert list(places)[:3] == [ALL_LUNGS, "left lung", "right lung"]
    assert list(places)[3:7] == [ALL_ZONES, "anterior left lung", "middle left lung", "posterior left lung"]
    # Rows 4 to 27 are lung, so the thirds begin at 4, 12 and 20; the right lesion has 8 pixels in the middle one and
    # 16 in the posterior one. The network knows sides only: it marks all 24 and the corner.
    posterior = places["posterior right lung"]
    assert [posterior[key] for key in ("asked", "affected", "unaffected")] == [23, 18, 5]
    assert posterior["foreground_in_place"]["estimate"] == pytest.approx(18 * 16 / (18 * 25 + 5))
    right = 12 * 25 + 6 * 50 + 3 * 25 + 3 + 1
    assert posterior["right_sentence_in_place"]["estimate"] == pytest.approx(18 * 16 / right)
    # Asked for the right lung it marks the corner on every slice; the right sentence names the left lung alone on four.
    assert places["right lung"]["right_sentence_in_place"]["estimate"] == pytest.approx((12 * 25 + 6 * 25 + 1) / right)
    assert posterior["cut_dice"]["estimate"] == pytest.approx(2 * 16 / (16 + 25))
    assert posterior["affected_without_answer"]["estimate"] == 0
    middle = places["middle right lung"]
    assert [middle[key] for key in ("asked", "affected", "unaffected")] == [23, 0, 5]
    assert middle["cut_dice"]["estimate"] is None
    # On the 21 slices with an affected lung, the right sentence's answer against the whole mask.
    whole = result["obedience"]["side_cut_dice"]["whole_slice_pooled"]["estimate"]
    assert whole == pytest.approx(2 * 657 / (2 * 657 + 18))
    lungs = places[ALL_LUNGS]
    assert lungs["foreground_in_place"] == result["obedience"]["foreground_on_named_side"]["all_lungs"]
    assert lungs["presence_auroc"] == {
        key: result["obedience"]["presence_auroc"][key] for key in ("estimate", "low", "high", "level", "draws")
    }


def test_a_third_of_a_lung_is_cut_on_its_side_and_level_alone() -> None:
    geometry = LungGeometry(midline=5.0, top=0, bottom=9)
    truth = np.zeros((9, 10), dtype=bool)
    truth[1, 1:4] = truth[7, 1:5] = truth[7, 6:8] = True
    answer = np.zeros_like(truth)
    answer[6:9, 2:7] = True
    found = measure_lung(0, "right", answer, truth, geometry, 0.5, "posterior", AXIAL_ZONES, usual=truth)
    assert (found.inside, found.outside, found.lesion) == (9, 6, 4)
    assert (found.counts.tp, found.counts.fp, found.counts.fn) == (3, 12, 1)
    assert (found.usual_inside, found.usual, found.place) == (4, 9, "posterior right lung")
    lungs = np.zeros((9, 10))
    lungs[1, 1] = 255
    assert places_in_view(lungs, geometry, AXIAL_ZONES) == [("right", None), ("right", "anterior")]


def test_the_thirds_are_called_as_the_weights_know_them() -> None:
    image = card().image
    assert zones_of(card()) == AXIAL_ZONES
    words = {**card().vocabulary, "places": ["left", "upper", "middle", "lower"]}
    assert zones_of(card(vocabulary=words, image={**image, "plane": "picture"})) == FRONTAL_ZONES
    assert zones_of(card(vocabulary=words)) == FRONTAL_ZONES
    assert zones_of(card(image={**image, "plane": "picture"})) == ()


def test_no_sentence_is_asked_twice_of_one_picture(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[tuple[int, int, str]] = []
    decoded: list[int] = []
    ask, decode = Asker.ask, ObedientNetwork.decode

    def asking(self: Asker, features: ImageFeatures, asked: list[tuple[int, str]]) -> list[Tensor]:
        questions.extend((id(features), row, sentence) for row, sentence in asked)
        kept.append(features)
        decoded.append(0)
        return ask(self, features, asked)

    def counting(self: ObedientNetwork, features: ImageFeatures, states: Tensor, mask: Tensor) -> Any:
        if decoded:
            decoded[-1] += len(states)
        return decode(self, features, states, mask)

    # Held, so that no later object gets the address of an earlier one.
    kept: list[ImageFeatures] = []
    monkeypatch.setattr(Asker, "ask", asking)
    monkeypatch.setattr(ObedientNetwork, "decode", counting)
    network = checkpoint(ObedientNetwork(), card())
    evaluate(network, data, "Val", encoder=WordEncoder(), draws=5, robustness=False, log=tmp_path / "log")
    assert len(questions) == len(set(questions)) == sum(decoded)
    # The right sentence and that of one lung at least, and six thirds.
    assert len(questions) > 23 * 8
