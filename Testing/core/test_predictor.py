"""The predictor: what is asked of the network, how often, on which slices, and what becomes of the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
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
from volume_makers import axis_orders, places

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.errors import Cancelled, InputError, OutOfMemoryError
from LMISCore.inference.cleanup import Cleanup
from LMISCore.inference.devices import DeviceChoice
from LMISCore.inference.predictor import Predictor
from LMISCore.networks import create_network
from LMISCore.text.report import State, parse_report
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")
NOWHERE = Path("nowhere")
LEFT, RIGHT = "Infection in the left lung.", "Infection in the right lung."


def obedient(batch_size: int | None = 5, **changes: Any) -> Predictor:
    return Predictor(obedient_checkpoint(**changes), "cpu", batch_size, encoder=WordEncoder())


def network_of(predictor: Predictor) -> ObedientNetwork:
    network: ObedientNetwork = predictor.engine.network
    network.encoded.clear()
    network.decoded.clear()
    return network


def tirnet(device: torch.device, batch_size: int = 2, seed: int = 1) -> Predictor:
    torch.manual_seed(seed)
    network = create_network("tirnet", width=4, text_width=4)
    card = obedient_card(
        network="tirnet",
        network_options=network.options,
        image={**obedient_card().image, "size": [32, 32]},
        thresholds={"mask": 0.5, "presence": 0.0},
    )
    return Predictor(Checkpoint(network, card, NOWHERE, "b" * 64), str(device), batch_size, encoder=WordEncoder())


def noise_volume(slices: int = 5) -> Volume:
    array = np.random.default_rng(3).integers(0, 256, (slices, 24, 20)).astype(np.uint8)
    return Volume(array, Geometry((20, 24, slices), (1.5, 1.0, 2.0)), "noise", "made for tests")


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
    masks, presence = [], []
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
        tirnet(device).segment(noise_volume(), LEFT, keep_probability=True).rows[0].probability for _ in range(2)
    )
    assert first is not None and second is not None and first.dtype == np.float16
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


def bright_volume(slices: int, direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> Volume:
    geometry = Geometry((16, 16, slices), direction=direction)
    return Volume(np.full(geometry.shape, 230, dtype=np.uint8), geometry, "bright", "made for tests")


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


def test_running_out_of_memory_halves_the_batch_and_says_so() -> None:
    predictor = obedient(batch_size=8)
    network = network_of(predictor)
    network.most = 3
    result = predictor.segment(body(12), LEFT)
    assert network.encoded == [8, 4, 2, 2, 2, 2, 2, 2]
    assert [("8 slices" in w, "4 slices" in w) for w in result.warnings] == [(True, False), (False, True)]
    np.testing.assert_array_equal(result.rows[0].mask, obedient().segment(body(12), LEFT).rows[0].mask)


def test_a_slice_that_does_not_fit_the_cpu_is_an_error_of_its_own_kind() -> None:
    predictor = obedient(batch_size=2)
    network_of(predictor).most = 0
    with pytest.raises(OutOfMemoryError, match="one slice of 16 x 16"):
        predictor.segment(body(3), LEFT)


def test_an_accelerator_that_cannot_hold_one_slice_gives_way_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = obedient(batch_size=1)
    network = network_of(predictor)
    network.most = 0

    class Pretended(DeviceChoice):
        """The CPU in an accelerator's place."""

        @property
        def device(self) -> torch.device:
            return torch.device("cpu")

    predictor.engine.device = Pretended("cuda", "pretended.")
    moved: list[Any] = []

    def to(*args: Any, **kwargs: Any) -> ObedientNetwork:
        moved.append(args)
        network.most = None
        return network

    monkeypatch.setattr(network, "to", to)
    result = predictor.segment(body(3), LEFT)
    assert moved and result.segments
    assert any("cpu" in warning for warning in result.warnings)
    assert result.provenance["device"]["name"] == "cpu" and "memory ran out" in result.provenance["device"]["reason"]


def test_other_errors_of_the_network_are_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = obedient()

    def fail(image: torch.Tensor) -> None:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(predictor.engine.network, "encode_image", fail)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        predictor.segment(body(3), LEFT)


def test_the_memory_estimate_covers_masks_and_grows_with_what_is_asked() -> None:
    predictor = obedient()
    shape = (200, 512, 512)
    one, five = (predictor.estimate_memory(shape, n) for n in (1, 5))
    kept = predictor.estimate_memory(shape, 5, keep_probability=True)
    voxels = 200 * 512 * 512
    assert five.masks - one.masks == 4 * voxels and five.masks >= 5 * voxels
    assert kept.total - five.total >= 5 * 2 * voxels
    assert predictor.estimate_memory((400, 512, 512), 1).working == one.working
    assert five.total == five.network + five.working + five.masks and "1.0 GB" in kept.sentence()


def test_the_networks_part_of_the_estimate_follows_batch_and_picture_size(device: torch.device) -> None:
    one, two, four = (tirnet(device, batch_size).estimate_memory((64, 32, 32), 1).working for batch_size in (1, 2, 4))
    assert four - two == 2 * (two - one)
    # Features of TIRNet at width C hold (C + 2C/4 + 4C/16 + 8C/64 + 8C/256) h w numbers.
    features = 4 * int(4 * (1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 32) * 32 * 32)
    assert features < two - one < 40 * features


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
        *("Presence", "Intensity", "Date", "Device", "Cleanup"),
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
    ("options", "words"),
    [
        ({"device": "tpu0"}, "device 'tpu0' is unknown"),
        ({"device": "abc:1"}, "unknown"),
        ({"precision": "int4"}, "precision 'int4' is unknown"),
        ({"batch_size": 0}, "batch size is 0"),
    ],
)
def test_an_unusable_option_is_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Predictor(obedient_checkpoint(), **{"device": "cpu", **options})


@pytest.mark.parametrize(
    "options", [{"mask_threshold": 1.5}, {"presence_threshold": -0.1}, {"intensity": "mri"}], ids=str
)
def test_an_unusable_argument_of_a_run_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        obedient().segment(body(2), LEFT, **options)


def test_auto_takes_a_device_that_really_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    monkeypatch.setattr(devices, "_failure", lambda name: "no kernel image" if name == "cuda" else "not an Apple GPU")
    choice = devices.choose_device("auto")
    assert choice.name == "cpu" and "no kernel image" in choice.reason
    monkeypatch.setattr(devices, "_failure", lambda name: None)
    monkeypatch.setattr(devices, "_describe", lambda name: name)
    assert devices.choose_device("auto").name == "cuda"


def test_bf16_is_taken_only_where_the_hardware_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert devices.choose_precision("auto", "cpu").dtype == torch.bfloat16
    assert devices.choose_precision("fp32", "cpu").dtype is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert devices.choose_precision("auto", "cpu").dtype is None
    with pytest.raises(InputError, match="does not multiply in bfloat16"):
        devices.choose_precision("bf16", "cpu")


def test_bf16_probabilities_stay_near_those_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = tirnet(torch.device("cpu"))
    plain = predictor.network_probability(np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32), [LEFT])
    predictor.engine.precision = replace(predictor.engine.precision, name="bf16", dtype=torch.bfloat16)
    rough = predictor.network_probability(np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32), [LEFT])
    assert 0 < np.abs(plain - rough).max() < 0.02


def test_a_device_that_computes_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from LMISCore.inference import devices

    assert devices.kernel_failure("cpu") is None
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda image, weight: torch.zeros(1))
    assert "instead of 324" in (devices.kernel_failure("cpu") or "")
