"""Slice context in data, training and evaluation: which slices are neighbours, and that all three see the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_makers import SIZE, ObedientNetwork, WordEncoder, card, checkpoint
from lvit_maker import write_lvit
from PIL import Image
from torch import Tensor
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
)

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.data.context import neighbours
from LMISCore.data.manifest import read_pairs
from LMISCore.data.pair import Pair
from LMISCore.errors import InputError
from LMISCore.evaluation.asking import Asker, changed_volume
from LMISCore.evaluation.collect import changed_slice
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.pictures import Pictures
from LMISCore.inference.slices import prepare_slices
from LMISCore.networks.outputs import ImageFeatures
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import BatchMaker, clean_picture, load_slices
from LMISCore.training.recipe import Recipe
from LMISCore.training.trainer import CHECKPOINT_NAME, train
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.volume import Geometry, Volume

CHANGES = ("mirror", "rotate", "scale", "shift", "warp", "gamma", "contrast", "strength", "noise", "blur")
STILL = f"augment={{{', '.join(f'{name}: 0' for name in CHANGES)}}}"


def row(case: str, order: int) -> Pair:
    return Pair(Path(f"{case}_{order}.png"), Path("m.png"), None, "infection", case, case, order)


def maker(wanted: Recipe) -> BatchMaker:
    return BatchMaker(load_slices(wanted, read_split(wanted, "Train"), wanted.image.variants), wanted)


def test_neighbours_are_one_step_of_the_case_away_and_the_slice_itself_at_its_ends_and_gaps() -> None:
    pairs = [*(row("a", n) for n in (10, 12, 14, 20)), *(row("b", n) for n in (3, 4)), row("c", 7)]
    assert neighbours(pairs) == [(0, 1), (0, 2), (1, 2), (3, 3), (4, 5), (4, 5), (6, 6)]


def test_rows_about_one_slice_share_its_neighbours() -> None:
    pairs = [row("a", n) for n in (1, 1, 2, 2, 3)]
    assert neighbours(pairs) == [(0, 2), (1, 2), (0, 4), (0, 4), (2, 4)]


def test_training_sees_each_slice_as_inference_sees_it_in_its_volume(ground: Path) -> None:
    wanted = recipe(ground, "image.context=1", "image.convention=percentile")
    found = load_slices(wanted, read_split(wanted, "Train"), 1)
    whole = np.stack([read_volume(item.pair.image).array[0] for item in found])
    volume = Volume(whole, Geometry((64, 64, len(whole))), "case", "made for tests")
    image = {"size": [32, 32], "convention": "percentile", "plane": "axial", "colour": "grey", "context": 1}
    prepared = prepare_slices(volume, image)
    for number, item in enumerate(found):
        shown = clean_picture(item, "percentile").numpy()
        np.testing.assert_allclose(shown, prepared.picture(number), atol=0.5 / 255 + 1e-6)


def test_without_context_a_batch_has_three_equal_channels_which_are_the_middle_one_with_it(ground: Path) -> None:
    plain, with_it = maker(recipe(ground, STILL)), maker(recipe(ground, STILL, "image.context=1"))
    for step in range(3):
        without, seen = plain.batch(step), with_it.batch(step)
        assert torch.equal(without.images[:, 0], without.images[:, 2])
        assert torch.equal(seen.images[:, 1], without.images[:, 1])
        assert not torch.equal(seen.images[:, 0], seen.images[:, 1])
        assert without.sentences == seen.sentences and torch.equal(without.masks, seen.masks)


def test_the_neighbours_are_turned_flipped_and_disturbed_as_their_slice_is(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    folder = data / "Train_Folder" / "img"
    first = (folder / "scan_0_s0000.png").read_bytes()
    for path in folder.iterdir():
        path.write_bytes(first)
    batches = maker(recipe(ground, f"data.source={data}", "image.context=1", "image.variants=1"))
    for step in range(6):
        images = batches.batch(step).images
        assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 1], images[:, 2])


@pytest.mark.parametrize(("share", "exchanged"), [(0, False), (1, True)])
def test_the_slices_before_and_after_change_places_as_often_as_the_recipe_says(
    ground: Path, share: int, exchanged: bool
) -> None:
    always = maker(recipe(ground, STILL, "image.context=1", "image.variants=1", f"augment.exchange={share}"))
    seen = {item.pair.image.name: clean_picture(item, "unit") for item in always.slices}
    found = always.batch(0).images
    for picture in found:
        flipped = picture.flip(0) if exchanged else picture
        assert any(torch.allclose(flipped, own, atol=1e-5) for own in seen.values())


def paint(path: Path) -> None:
    grey = np.asarray(Image.open(path))
    Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1)).save(path)


def test_context_is_refused_where_it_cannot_be(ground: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"image\.context is 2, expected 0 or 1"):
        recipe(ground, "image.context=2")
    colours = write_lvit(tmp_path / "colours")
    paint(colours / "Train_Folder" / "img" / "scan_0_s0001.png")
    with pytest.raises(InputError, match="pictures are in colour"):
        maker(recipe(ground, f"data.source={colours}", "image.context=1"))
    with pytest.raises(InputError, match=r"none of 6 pictures has a neighbour in its case; set data\.case_pattern"):
        maker(recipe(ground, "image.context=1", "data.case_pattern=(?P<case>.*)"))


def test_weights_trained_with_context_say_so_and_are_measured_as_training_measured_them(
    ground: Path, tmp_path: Path
) -> None:
    result = train(recipe(ground, "image.context=1", "training.steps=2"), tmp_path, "cpu")
    trained = load_checkpoint(tmp_path / CHECKPOINT_NAME)
    assert trained.card.image["colour"] == "grey" and trained.card.context == 1
    found = evaluate(trained, ground / "data", "Val", encoder=ground / "encoder", draws=5, device="cpu",
                     robustness=False, surface=None)  # fmt: skip
    assert found["conditions"]["right sentence"]["mean_dice"]["estimate"] == pytest.approx(result.best_dice, abs=2e-3)


class NextSlice(ObedientNetwork):
    """Marks what is bright in the slice after."""

    def encode_image(self, image: Tensor) -> ImageFeatures:
        return super().encode_image(image[:, 2:].expand(-1, 3, -1, -1))


def write_case(folder: Path, numbers: list[int]) -> Path:
    """Slices with a 5 x 5 lesion in the left lung of the one numbered 4 alone."""
    lines = ["image,mask,text,split,case,patient,slice"]
    for number in numbers:
        picture = np.full((SIZE, SIZE), 20, dtype=np.uint8)
        picture[0, 0] = 255
        mask = np.zeros_like(picture)
        if number == 4:
            picture[20:25, 20:25] = mask[20:25, 20:25] = 235
        Image.fromarray(picture).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}_mask.png")
        lines.append(f"{number}.png,{number}_mask.png,Infection in the left lung.,Val,a,a,{number}")
    (folder / "set.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "set.csv"


def context_card() -> Any:
    return card(image={**card().image, "context": 1}, format_version=2)


@pytest.mark.parametrize(
    ("numbers", "marked"), [([0, 2, 4, 6], [0, 25, 0, 0]), ([1, 2, 3, 4], [0, 0, 25, 25]), ([1, 2, 4], [0, 0, 25])]
)
def test_an_evaluation_shows_each_slice_with_its_neighbours_in_the_set(
    tmp_path: Path, numbers: list[int], marked: list[int]
) -> None:
    data = write_case(tmp_path, numbers)
    network = checkpoint(NextSlice(), context_card())
    found = evaluate(network, data, "Val", encoder=WordEncoder(), draws=5, robustness=False, surface=None)
    counts = [slice_["counts"]["right sentence"] for slice_ in json.loads(json.dumps(found["slices"]))]
    assert [tp + fp for tp, fp, _ in counts] == marked


def test_a_changed_slice_has_its_neighbours_changed_as_on_their_own_turn(tmp_path: Path) -> None:
    pairs_file = write_case(tmp_path, [3, 4, 5])
    pairs = read_pairs(pairs_file, "Val")
    asker = Asker(checkpoint(ObedientNetwork(), context_card()), "cpu", WordEncoder())
    fits = {"a": prepare_slices(read_volume(pairs[0].image), asker.card.image).normaliser}
    change = "Gaussian noise of 3 % of the range"
    pictures = Pictures(asker, pairs, fits, lambda number, picture: changed_slice(picture, change, 7, number))
    volumes = [read_volume(pair.image) for pair in pairs]
    changed = [changed_slice(volume.array[0], change, 7, number) for number, volume in enumerate(volumes)]
    turns = [changed_volume(volume, picture) for volume, picture in zip(volumes, changed, strict=True)]
    expected = np.stack([asker.prepare(turn, fits["a"]).plane(0) for turn in turns])
    np.testing.assert_array_equal(pictures.picture(1, volumes[1]).picture(0), expected)
    assert (expected != Pictures(asker, pairs, fits).picture(1, volumes[1]).picture(0)).any()
