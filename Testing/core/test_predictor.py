"""The predictor: what is asked of the network, how often, and what becomes of the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from obedient import (
    SIZE,
    ObedientNetwork,
    WordEncoder,
    body,
    body_value,
    obedient_card,
    obedient_checkpoint,
    one_thread,  # noqa: F401
)
from predictor_makers import (
    LEFT,
    NOWHERE,
    RIGHT,
    bright_volume,
    network_of,
    noise_volume,
    obedient,
    tirnet,
)
from volume_makers import (
    axis_orders,
    places,
)

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.cleanup import Cleanup
from LMISCore.inference.predictor import Predictor
from LMISCore.text.report import State
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")


def test_each_side_gets_its_own_segment_on_exactly_the_right_voxels() -> None:
    volume = body()
    result = obedient().segment(volume, f"{LEFT} {RIGHT}")
    bright = volume.array > 128
    patient_left = places(volume.geometry)[..., 0] > 0
    assert [row.name for row in result.segments] == ["Pulmonary infection, left", "Pulmonary infection, right"]
    np.testing.assert_array_equal(result.rows[0].mask, bright & patient_left)
    np.testing.assert_array_equal(result.rows[1].mask, bright & ~patient_left)
    assert result.rows[0].volume_ml == pytest.approx(np.count_nonzero(bright & patient_left) / 1000)
    assert result.rows[0].slices == int((bright & patient_left).any(axis=(1, 2)).sum())


@pytest.mark.parametrize("axes", list(axis_orders())[::3], ids=lambda axes: "".join(map(str, axes.astype(int).ravel())))
def test_left_stays_the_patients_left_whatever_the_order_of_the_axes(axes: np.ndarray) -> None:
    extents = np.array([16, 16, 12])
    size = [int(abs(axes[:, axis]) @ extents) for axis in range(3)]
    middle = axes @ ((np.array(size) - 1) / 2)
    geometry = Geometry((size[0], size[1], size[2]), origin=tuple(-middle), direction=tuple(axes.ravel()))
    where = places(geometry)
    volume = Volume(body_value(where), geometry, "turned", "made for tests")
    result = obedient().segment(volume, LEFT)
    np.testing.assert_array_equal(result.rows[0].mask, (volume.array > 128) & (where[..., 0] > 0))
    assert result.geometry.same_as(geometry)


def test_the_batch_size_does_not_change_the_masks(device: torch.device) -> None:
    volume = noise_volume()
    kept = tirnet(device).segment(volume, LEFT, keep_probability=True).rows[0].probability
    assert kept is not None
    # Random weights: a threshold in the middle of what they give cuts each mask somewhere.
    middle = float(np.median(kept))
    masks: list[list[Any]] = []
    presence: list[list[Any]] = []
    for batch_size in (1, 2, 5):
        result = tirnet(device, batch_size).segment(volume, f"{LEFT} {RIGHT}", mask_threshold=middle)
        masks.append([row.mask for row in result.rows])
        presence.append([row.presence for row in result.rows])
        for row, first in zip(result.rows, masks[0], strict=True):
            np.testing.assert_array_equal(row.mask, first)
    np.testing.assert_allclose(presence[1:], [presence[0]] * 2, atol=1e-5)
    assert masks[0][0].any() and not masks[0][0].all()


def test_the_same_input_gives_the_same_bits(device: torch.device) -> None:
    first, second = (
        tirnet(device).segment(noise_volume(), LEFT, keep_probability=True).rows[0].permille for _ in range(2)
    )
    assert first is not None and second is not None and first.dtype == np.uint16
    np.testing.assert_array_equal(first, second)


def test_a_sentence_has_the_same_mask_whatever_else_the_report_says(device: torch.device) -> None:
    alone = tirnet(device).segment(noise_volume(), LEFT, keep_probability=True).rows[0]
    among = tirnet(device).segment(noise_volume(), f"{RIGHT} {LEFT} Infiltrate.", keep_probability=True).rows[1]
    np.testing.assert_array_equal(alone.probability, among.probability)


def test_image_features_are_computed_once_per_slice_for_all_sentences() -> None:
    predictor = obedient(batch_size=5)
    network = network_of(predictor)
    predictor.segment(body(12), f"{LEFT} {RIGHT} Infiltrate on both sides.")
    assert network.encoded == [5, 5, 2]
    assert network.decoded == [5, 5, 5, 5, 5, 5, 2, 2, 2]


def test_each_distinct_sentence_is_encoded_once_and_asked_once() -> None:
    encoder = WordEncoder()
    predictor = Predictor(obedient_checkpoint(), "cpu", 6, encoder=encoder)
    network = network_of(predictor)
    report = f"FINDINGS: {LEFT} {RIGHT}\nIMPRESSION: {LEFT}"
    result = predictor.segment(body(12), report)
    predictor.segment(body(12), report)
    assert sorted(encoder.sentences) == sorted({row.prompt.text for row in result.rows if row.prompt})
    assert len(network.decoded) == 2 * 2 * 2
    first, _, again = result.segments
    assert first.segment_id != again.segment_id and again.name == "Pulmonary infection, left (2)"
    np.testing.assert_array_equal(first.mask, again.mask)


def test_cancelling_stops_at_the_next_step() -> None:
    calls: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, stage: str) -> bool:
        calls.append((done, total, stage))
        return done < 5

    predictor = obedient(batch_size=5)
    network = network_of(predictor)
    with pytest.raises(Cancelled):
        predictor.segment(body(12), f"{LEFT} {RIGHT}", progress)
    assert network.encoded == [5] and calls[-1][0] == 5


def test_progress_counts_up_to_the_announced_total() -> None:
    seen: list[tuple[int, int]] = []
    obedient().segment(body(12), f"{LEFT} {RIGHT}", lambda done, total, stage: seen.append((done, total)))
    assert {total for _, total in seen} == {24}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen) and seen[-1][0] == 24


def test_the_given_checkpoints_network_is_left_as_it_is() -> None:
    checkpoint = obedient_checkpoint()
    checkpoint.network.train()
    Predictor(checkpoint, "cpu", encoder=WordEncoder()).segment(body(3), LEFT)
    assert checkpoint.network.training


def test_another_text_encoder_than_the_cards_is_refused() -> None:
    encoder = WordEncoder()
    encoder.hash = "0" * 64
    with pytest.raises(InputError, match="was trained with"):
        Predictor(obedient_checkpoint(), "cpu", encoder=encoder).segment(body(3), LEFT)


def test_clean_up_is_off_by_default_and_recorded_when_used() -> None:
    volume = bright_volume(6)
    volume.array[:] = 0
    volume.array[1, 4:8, 10:14] = 255
    volume.array[4, 4, 12] = 255
    plain = obedient().segment(volume, LEFT, presence_threshold=0.1)
    cleaned = obedient().segment(volume, LEFT, presence_threshold=0.1, cleanup=Cleanup(min_volume_ml=0.005))
    largest = obedient().segment(volume, LEFT, presence_threshold=0.1, cleanup=Cleanup(largest_components=1))
    assert [int(r.rows[0].mask.sum()) for r in (plain, cleaned, largest)] == [17, 16, 16]  # type: ignore[union-attr]
    assert plain.tags(plain.rows[0])["Cleanup"] == "none"
    assert cleaned.tags(cleaned.rows[0])["Cleanup"] == "components under 0.005 mL dropped"


def test_a_component_of_exactly_the_smallest_volume_stays() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, :2] = True
    assert Cleanup(min_volume_ml=0.2).apply(mask, 0.1).sum() == 2
    assert Cleanup(min_volume_ml=0.21).apply(mask, 0.1).sum() == 0


def test_every_segment_explains_itself_by_its_tags() -> None:
    result = obedient().segment(body(), f"FINDINGS: {LEFT}")
    tags = result.tags(result.rows[0])
    assert list(tags) == [
        *("Sentence", "Field", "Span", "State", "Prompt", "Network", "Checkpoint", "Version", "Threshold"),
        *("Presence", "Intensity", "Date", "Device", "Cleanup", "VolumeMl", "Mask"),
        *("PromptSource", "PromptReason", "Agreement"),
    ]
    assert tags["Sentence"] == LEFT and tags["Field"] == "FINDINGS" and tags["Checkpoint"] == "a" * 64
    start, end = (int(number) for number in tags["Span"].split("-"))
    assert f"FINDINGS: {LEFT}"[start:end] == LEFT
    assert tags["Intensity"].startswith("unit, picture: values run from")


def test_colours_are_distinct_and_ids_stable() -> None:
    report = " ".join(f"Infection number {n} in the left lung." for n in range(12))
    first, second = (obedient().segment(body(4), report) for _ in range(2))
    assert len({row.colour for row in first.segments}) == 12
    assert [row.segment_id for row in first.rows] == [row.segment_id for row in second.rows]


def test_explanation_maps_lie_on_the_volumes_grid_with_their_meaning(device: torch.device) -> None:
    volume = noise_volume()
    predictor = tirnet(device)
    maps = predictor.explain(volume, LEFT)
    assert set(maps) == set(maps.meanings) and {"probability", "similarity_1", "detail_gate_4"} <= set(maps)
    for values in maps.values():
        assert values.shape == volume.array.shape and values.dtype == np.float32 and np.isfinite(values).all()
    assert "decoder stage 4, computed at 4 x 4" in maps.meanings["detail_gate_4"]
    kept = predictor.segment(volume, LEFT, keep_probability=True).rows[0].probability
    assert kept is not None
    np.testing.assert_allclose(maps["probability"], kept, atol=1e-3)


def test_an_explanation_map_keeps_left_and_right_and_the_pictures_proportions() -> None:
    volume = body()
    light = obedient().explain(volume, LEFT, names=["light_1"])
    assert list(light) == ["light_1"]
    bright = volume.array > 128
    assert light["light_1"][bright].mean() > 0.5 > 0.2 > light["light_1"][~bright].mean()


def test_a_map_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="light_1"):
        obedient().explain(body(2), LEFT, names=["heat"])


def test_network_probability_asks_every_sentence_of_every_picture() -> None:
    predictor = obedient(batch_size=4)
    network = network_of(predictor)
    image = np.random.default_rng(0).random((6, 1, *SIZE), dtype=np.float32)
    found = predictor.network_probability(image, [LEFT, RIGHT, LEFT])
    assert found.shape == (3, 6, *SIZE) and found.dtype == np.float32
    assert network.encoded == [4, 2] and network.decoded == [4, 4, 2, 2]
    np.testing.assert_array_equal(found[0], found[2])
    expected = 1 / (1 + np.exp(-(image[:, 0, :, 8:] - 0.5) * 20))
    np.testing.assert_allclose(found[0][..., 8:], expected, rtol=1e-5)
    assert found[0][..., :8].max() < 1e-3
    with pytest.raises(ValueError, match=r"\(N, 1, h, w\)"):
        predictor.network_probability(image[0], [LEFT])


def test_padding_around_a_slice_is_no_place_for_a_finding() -> None:
    class Everywhere(ObedientNetwork):
        def decode(self, features: Any, text_states: torch.Tensor, text_mask: torch.Tensor) -> Any:
            output = super().decode(features, text_states, text_mask)
            output.logits.fill_(-20.0)[..., :4] = 20.0
            return output

    card = obedient_card()
    predictor = Predictor(Checkpoint(Everywhere(), card, NOWHERE, "c" * 64), "cpu", encoder=WordEncoder())
    narrow = Volume(np.full((3, 16, 8), 200, dtype=np.uint8), Geometry((8, 16, 3)), "narrow", "made for tests")
    (row,) = predictor.segment(narrow, LEFT).rows
    assert row.state == State.ABSENT and row.presence is not None and row.presence < 0.01


def test_colour_volumes_are_asked_in_the_order_of_channels_that_the_card_names() -> None:
    seen: list[torch.Tensor] = []

    class Watching(ObedientNetwork):
        def encode_image(self, image: torch.Tensor) -> Any:
            seen.append(image[0, :, 8, 8].clone())
            return super().encode_image(image)

    colour = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    colour[..., 0], colour[..., 1] = 255, 128
    volume = Volume(colour, Geometry((16, 16, 1)), "slide", "made for tests", spacing_known=False)
    found = {}
    for order in ("rgb", "bgr", "grey"):
        card: Card = obedient_card(image={**obedient_card().image, "colour": order})
        predictor = Predictor(Checkpoint(Watching(), card, NOWHERE, "c" * 64), "cpu", encoder=WordEncoder())
        seen.clear()
        result = predictor.segment(volume, LEFT, keep_probability=True)
        found[order] = seen[0].numpy()
        assert result.rows[0].probability is not None and result.rows[0].probability.shape == (1, 16, 16)
        assert not result.spacing_known
    np.testing.assert_allclose(found["rgb"], [1, 128 / 255, 0], atol=1e-6)
    np.testing.assert_allclose(found["bgr"], [0, 128 / 255, 1], atol=1e-6)
    np.testing.assert_allclose(found["grey"], [0.299 + 0.587 * 128 / 255] * 3, atol=1e-3)


@pytest.mark.parametrize(
    "options", [{"mask_threshold": 1.5}, {"presence_threshold": -0.1}, {"intensity": "mri"}], ids=str
)
def test_an_unusable_argument_of_a_run_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        obedient().segment(body(2), LEFT, **options)
