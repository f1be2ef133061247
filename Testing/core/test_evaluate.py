"""A whole evaluation on a small made-up data set, with a network whose every figure is known beforehand."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from test_bundled_figures import PROMISES
from tiny_checkpoint import save_tiny_encoder
from torch import Tensor, nn

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint, save_checkpoint
from LMISCore.cli.main import main
from LMISCore.errors import Cancelled, InputError
from LMISCore.evaluation.asking import Asker
from LMISCore.evaluation.card import store_figures
from LMISCore.evaluation.conditions import EMPTY, IMAGE_ONLY, OTHER, RIGHT, SWAPPED
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.robustness import CHANGES
from LMISCore.evaluation.tables import card_metrics, markdown
from LMISCore.evaluation.test_log import read_log
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.slices import SlicePictures
from LMISCore.networks import create_network
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.text.encoders import create_encoder
from LMISCore.text.states import TextEncoder
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.intensity import Normaliser
from LMISCore.volumes.volume import Geometry, Volume

SIZE = 32
SIDE_WORDS = ("left", "right")
LESIONS = {"left": (slice(20, 25), slice(20, 25)), "right": (slice(18, 24), slice(6, 10))}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Pictures this small gain nothing from threads, which on a busy machine mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class WordEncoder(TextEncoder):
    """One state per word: (names the left, names the right, is a word)."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), "cpu")
        self.name, self.width, self.length, self.hash = "words", 3, 32, "words-1"

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        words = re.findall(r"[a-z]+", sentence.lower()) or [""]
        ids = [SIDE_WORDS.index(word) if word in SIDE_WORDS else 2 if word else 3 for word in words]
        return torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.eye(4)[ids][..., :3]


class ObedientNetwork(nn.Module):
    """Marks what is bright on the sides that the sentence names; everything bright when it names none."""

    stride = 16
    text_width = 3

    def __init__(self, reads_text: bool = True) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.reads_text = reads_text
        self.encoded = 0

    def encode_image(self, image: Tensor) -> ImageFeatures:
        self.encoded += image.shape[0]
        return ImageFeatures((image,), (image.shape[-2], image.shape[-1]))

    def decode(self, features: ImageFeatures, states: Tensor, mask: Tensor) -> NetworkOutput:
        image = features.levels[0]
        named = (states * mask.unsqueeze(-1)).amax(1)
        left, right, words = (named[:, i].view(-1, 1, 1, 1) > 0 for i in range(3))
        column = torch.arange(image.shape[-1]).view(1, 1, 1, -1)
        on_left = column >= image.shape[-1] // 2
        inside = torch.where(on_left, left, right) | (~left & ~right & words)
        if not self.reads_text:
            inside = torch.ones_like(inside)
        bright = image.mean(1, keepdim=True) > 0.5
        return NetworkOutput(torch.where(bright & inside, 9.0, -9.0))


def card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "name": "obedient",
        "network": "tirnet",
        "network_options": {"width": 4, "text_width": 3},
        "text_encoder": {"name": "words", "hash": "words-1", "width": 3, "length": 32},
        "image": {
            "size": [SIZE, SIZE],
            "convention": "unit",
            "plane": "axial",
            "orientation": "patient's right on the picture's left",
            "colour": "grey",
        },
        "vocabulary": {"findings": {"pulmonary infection": ["infection"]}, "places": [], "sentences_seen": 0},
        "recipe": {"text": {"rewrite": "lvit_axial", "ignore": False}},
    }
    return Card(**{**values, **changes})


def checkpoint(network: nn.Module, its_card: Card) -> Checkpoint:
    return Checkpoint(network, its_card, Path("obedient"), "0" * 64)


def write_slice(folder: Path, name: str, lesions: list[str]) -> None:
    picture = np.full((SIZE, SIZE), 20 if folder.name == "Test_Folder" else 21, dtype=np.uint8)
    mask, lungs = np.zeros_like(picture), np.zeros_like(picture)
    lungs[4:28, 4:14] = lungs[4:28, 18:28] = 255
    picture[lungs > 0] = 40
    for lesion in lesions:
        if lesion == "dot":
            place: Any = (slice(10, 11), slice(20, 23))
        else:
            place = LESIONS[lesion]
        picture[place], mask[place] = 235, 255
    picture[0, 0] = 255
    for kind, array in (("img", picture), ("labelcol", mask), ("lungs", lungs)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / name)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patient case_001: 12 slices, right lesion. case_002: 6 bilateral, 3 left, one dot and one without lesion."""
    right = "Unilateral pulmonary infection, one infected area, lower right lung."
    left = "Unilateral pulmonary infection, one infected area, lower left lung."
    both = "Bilateral pulmonary infection, two infected areas, lower left lung and lower right lung."
    rows = [("case_001", ["right"], right)] * 12
    rows += [("case_002", ["left", "right"], both)] * 6 + [("case_002", ["left"], left)] * 3
    rows += [("case_002", ["dot"], left), ("case_002", [], "No infection.")]
    folder = tmp_path_factory.mktemp("data") / "small set"
    for split in ("Val", "Test"):
        place = folder / f"{split}_Folder"
        table = [("Image", "Description")]
        for number, (case, lesions, text) in enumerate(rows):
            name = f"{case}_s{number:04d}.png"
            write_slice(place, name, lesions)
            table.append((name, text))
        with (place / f"{split}_text.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(table)
    return folder


@pytest.fixture
def own_data(data: Path, tmp_path: Path) -> Path:
    """A copy for tests that damage it."""
    return Path(shutil.copytree(data, tmp_path / data.name))


@pytest.fixture(scope="module")
def result(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    blind = card(name="blind", recipe={"text": {"ignore": True}})
    return evaluate(
        checkpoint(ObedientNetwork(), card()),
        data,
        image_only=checkpoint(ObedientNetwork(reads_text=False), blind),
        encoder=WordEncoder(),
        draws=100,
        log=tmp_path_factory.mktemp("result") / "log.jsonl",
        device="cpu",
    )


def test_the_right_sentence_of_an_obedient_network_is_perfect_and_empty_truths_are_counted(
    result: dict[str, Any],
) -> None:
    right = result["conditions"][RIGHT]
    # The 255 in the picture's corner is marked as well, one false pixel wherever the right is named or nothing is.
    dice = [2 * 24 / 49] * 12 + [2 * 49 / 99] * 6 + [1.0] * 4
    assert (right["n"], right["images_in_mean"], right["empty_truths"]) == (23, 22, 1)
    assert right["mean_dice"]["estimate"] == pytest.approx(np.mean(dice))
    tp, fp = 12 * 24 + 6 * 49 + 3 * 25 + 3, 12 + 6 + 1
    assert right["pooled_dice"]["estimate"] == pytest.approx(2 * tp / (2 * tp + fp))
    assert right["per_patient"]["case_001"]["mean_dice"] == pytest.approx(48 / 49)
    assert result["data"]["patients"] == {"case_001": 12, "case_002": 11}
    assert result["settings"]["blocks"] == 4


def test_other_sentences_do_worse_by_as_much_as_they_name_other_places(result: dict[str, Any]) -> None:
    conditions, differences = result["conditions"], result["differences"]
    assert conditions[SWAPPED]["n"] == 12 + 3 + 1
    assert conditions[SWAPPED]["mean_dice"]["estimate"] == 0
    assert differences[SWAPPED]["mean_dice"]["high"] < 0
    assert conditions[EMPTY]["mean_dice"]["estimate"] == 0
    # Every slice has another patient's sentence that names other sides; the empty truth is out of the mean.
    assert (conditions[OTHER]["n"], conditions[OTHER]["images_in_mean"]) == (23, 22)
    assert differences[OTHER]["mean_dice"]["estimate"] < 0


def test_an_image_only_network_is_asked_without_words(result: dict[str, Any]) -> None:
    everything = [2 * 24 / 49] * 12 + [2 * 49 / 99] * 6 + [50 / 51] * 3 + [6 / 7]
    assert result["conditions"][IMAGE_ONLY]["mean_dice"]["estimate"] == pytest.approx(np.mean(everything))
    assert result["image_only_checkpoint"]["name"] == "blind"
    assert RIGHT not in result["differences"]


def test_obedience_of_an_obedient_network(result: dict[str, Any]) -> None:
    found = result["obedience"]
    assert found["sentences"]["left"] == "Pulmonary infection in the left lung."
    lungs = found["lungs"]
    assert [lungs[key] for key in ("asked", "affected", "unaffected", "left_out")] == [46, 27, 18, 1]
    assert found["foreground_on_named_side"]["all_lungs"]["estimate"] == 1
    assert found["affected_lungs_without_answer"]["share"]["estimate"] == 0
    # One pixel of 1024: the score is the brightest one, and each right half holds the bright corner.
    assert found["presence_auroc"]["n_affected"] == 27
    assert found["presence_auroc"]["per_patient"]["case_001"] == {"auroc": 1.0, "n_affected": 12, "n_unaffected": 12}


def test_a_network_that_ignores_its_sentence_is_caught(data: Path, tmp_path: Path) -> None:
    network = checkpoint(ObedientNetwork(reads_text=False), card())
    found = evaluate(network, data, "Val", encoder=WordEncoder(), draws=20, robustness=False, log=tmp_path / "log")
    assert found["differences"][SWAPPED]["mean_dice"]["estimate"] == 0
    assert found["differences"][EMPTY]["mean_dice"]["estimate"] == 0
    assert found["obedience"]["foreground_on_named_side"]["all_lungs"]["estimate"] < 0.6
    assert found["obedience"]["side_cut_dice"]["share_of_whole_slice"]["estimate"] < 0.9


def test_changes_that_keep_the_lesion_bright_cost_nothing(result: dict[str, Any]) -> None:
    assert list(result["robustness"]) == list(CHANGES)
    for name in ("gamma 0.7", "gamma 1.4"):
        difference = result["robustness"][name]["difference"]
        assert (difference["n"], difference["mean_dice"]["estimate"]) == (23, 0)


def test_each_slice_is_encoded_once_for_all_its_sentences(data: Path, tmp_path: Path) -> None:
    network = ObedientNetwork()
    counted: list[int] = []
    original = ObedientNetwork.encode_image

    def counting(self: ObedientNetwork, image: Tensor) -> ImageFeatures:
        counted.append(image.shape[0])
        return original(self, image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ObedientNetwork, "encode_image", counting)
        evaluate(
            checkpoint(network, card()),
            data,
            "Val",
            encoder=WordEncoder(),
            robustness=False,
            draws=5,
            log=tmp_path / "l",
        )
    # The first call is the engine's own, on one empty picture, to estimate memory.
    assert counted[0] == 1
    assert sum(counted[1:]) == 23


def test_the_same_seed_gives_the_same_figures(data: Path, tmp_path: Path) -> None:
    def figures(seed: int) -> dict[str, Any]:
        found = evaluate(
            checkpoint(ObedientNetwork(), card()),
            data,
            "Val",
            encoder=WordEncoder(),
            draws=50,
            seed=seed,
            log=tmp_path / "log",
        )
        return {key: found[key] for key in ("conditions", "differences", "obedience", "robustness", "slices")}

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


def test_every_run_on_test_is_logged_and_the_earlier_ones_are_counted(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    network = checkpoint(ObedientNetwork(), card())
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "robustness": False, "log": path}
    runs = [evaluate(network, data, split, **options) for split in ("Test", "Val", "Test", "Test")]
    assert [run["earlier_test_runs"] for run in runs] == [0, 0, 1, 2]
    entries = read_log(path)
    assert len(entries) == 3
    assert entries[0]["checkpoint_hash"] == network.hash
    assert entries[0]["data_hash"] == runs[0]["data"]["hash"]
    assert entries[0]["figures"]["mean_dice"] == round(runs[0]["conditions"][RIGHT]["mean_dice"]["estimate"], 4)
    # Leaving a case out does not start a new count.
    part = evaluate(network, data, "Test", cases=["case_001*"], **options)
    assert (part["data"]["n"], part["earlier_test_runs"]) == (12, 3)


def test_a_stopped_evaluation_leaves_the_log_as_it_was(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(Cancelled):
        evaluate(
            checkpoint(ObedientNetwork(), card()),
            data,
            encoder=WordEncoder(),
            log=path,
            progress=lambda done, total, stage: False,
        )
    assert not path.exists()


def test_the_page_and_the_json_hold_the_same_figures(result: dict[str, Any]) -> None:
    page = markdown(json.loads(json.dumps(result, allow_nan=False)))
    estimate = result["conditions"][RIGHT]["mean_dice"]["estimate"]
    assert f"{estimate:.3f} [" in page
    for name in (*result["conditions"], *CHANGES, "case_001", "case_002", "presence AUROC"):
        assert name in page
    assert "Earlier runs on this Test split | 0" in page


def test_the_cards_metrics_carry_n_interval_data_and_split(result: dict[str, Any]) -> None:
    metrics = card_metrics(result)
    assert metrics[0]["name"] == "mean Dice"
    assert (metrics[0]["n"], metrics[0]["data"], metrics[0]["split"]) == (22, "small set", "Test")
    # The card checks every metric when it is built.
    assert card(metrics=metrics).metrics == metrics
    assert len({metric["name"] for metric in metrics}) == len(metrics)


def test_every_figure_promised_of_the_bundled_weights_is_one_that_a_card_gets(result: dict[str, Any]) -> None:
    assert {name for name, *_ in PROMISES} <= {metric["name"] for metric in card_metrics(result)}


def test_a_set_without_lung_masks_has_no_obedience_and_says_why(own_data: Path, tmp_path: Path) -> None:
    for mask in (own_data / "Val_Folder" / "lungs").iterdir():
        mask.unlink()
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, own_data, "Val", encoder=WordEncoder(), draws=5, robustness=False, log=tmp_path / "log")
    assert found["obedience"] is None
    assert "Not measured: the set has no lung masks." in markdown(found)


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("text") / "encoder")


def saved(path: Path, encoder_folder: Path, **changes: Any) -> Path:
    """A real checkpoint on disk: a random TIRNet of width 4 with its text encoder in a folder."""
    encoder = create_encoder(encoder_folder).describe()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_network("tirnet", width=4, text_width=encoder["width"])
    save_checkpoint(path, network, card(network_options=network.options, text_encoder=encoder, **changes))
    return path


def run_command(*arguments: str) -> int:
    return main(["evaluate", *arguments])


def test_the_command_writes_both_files_the_log_and_the_card_and_leaves_the_weights(
    data: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "net.safetensors", encoder_folder)
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    before = load_checkpoint(path)
    common = [str(path), str(data), "--out", str(out), "--log", str(log), "--quiet", "--device", "cpu"]
    common += ["--encoder", str(encoder_folder)]
    assert run_command(*common) == 0
    assert run_command(*common, "--write-card", "--no-robustness") == 0
    after = load_checkpoint(path)
    assert after.hash == before.hash
    assert before.card.metrics == []
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert after.card.metrics[0]["value"] == written["conditions"][RIGHT]["mean_dice"]["estimate"]
    assert after.card.test_runs_before == written["earlier_test_runs"] == 1
    assert len(read_log(log)) == 2
    assert (out / "evaluation.md").read_text(encoding="utf-8") in capsys.readouterr().out


def test_new_figures_of_a_split_replace_its_old_ones_only(data: Path, encoder_folder: Path, tmp_path: Path) -> None:
    old = {"name": "mean Dice", "value": 0.5, "n": 3, "data": "x", "split": "Test"}
    path = saved(tmp_path / "net", encoder_folder, metrics=[old])
    options: dict[str, Any] = {"encoder": encoder_folder, "draws": 5, "robustness": False, "log": tmp_path / "log"}
    for split in ("Val", "Test"):
        found = evaluate(path, data, split, **options)
        store_figures(path, found)
        store_figures(path, found)
    metrics = load_checkpoint(path).card.metrics
    main = [(metric["data"], metric["split"]) for metric in metrics if metric["name"] == "mean Dice"]
    assert sorted(main) == [("small set", "Test"), ("small set", "Val"), ("x", "Test")]


def test_figures_of_other_weights_or_of_some_cases_are_not_stored(
    data: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "net", encoder_folder)
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, data, "Val", encoder=WordEncoder(), draws=5, robustness=False, log=tmp_path / "log")
    with pytest.raises(InputError, match="measured on weights with sha256 000000000000"):
        store_figures(path, found)
    arguments = [str(path), str(data), "--cases", "case_001*", "--write-card", "--out", str(tmp_path / "out")]
    assert run_command(*arguments) == 2
    assert "whole split" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_input_is_refused_in_one_sentence_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    network, log = checkpoint(ObedientNetwork(), card()), tmp_path / "log.jsonl"
    options: dict[str, Any] = {"encoder": WordEncoder(), "log": log}
    with pytest.raises(InputError, match="no data set"):
        evaluate(network, data / "nowhere", **options)
    with pytest.raises(InputError, match="Unknown split"):
        evaluate(network, data, "Exam", **options)
    with pytest.raises(InputError, match="case matching"):
        evaluate(network, data, cases=["other*"], **options)
    with pytest.raises(InputError, match="No checkpoint"):
        evaluate(tmp_path / "absent", data, **options)
    with pytest.raises(InputError, match="trained with text"):
        evaluate(network, data, image_only=network, **options)
    other_text = {"name": "words", "hash": "words-2", "width": 3, "length": 32}
    with pytest.raises(InputError, match="text encoder"):
        evaluate(replace(network, card=card(text_encoder=other_text)), data, **options)
    with pytest.raises(InputError, match=r"cannot be read.*--log"):
        evaluate(network, data, encoder=WordEncoder(), log=tmp_path)
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=r"cannot be written.*--log"):
        evaluate(network, data, encoder=WordEncoder(), log=tmp_path / "a file" / "log.jsonl")
    assert not log.exists()


def test_a_mask_of_another_size_is_named(own_data: Path, tmp_path: Path) -> None:
    name = "case_002_s0014.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(own_data / "Test_Folder" / "labelcol" / name)
    with pytest.raises(InputError, match=rf"{name} has 32 x 32 pixels but .* has 8 x 8"):
        evaluate(checkpoint(ObedientNetwork(), card()), own_data, encoder=WordEncoder(), log=tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_an_evaluated_picture_gets_the_mask_and_score_that_the_predictor_gives_it(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 32), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    volume = read_volume(tmp_path / "picture.png")
    network = checkpoint(ObedientNetwork(), card())
    sentence = "Pulmonary infection in the left lung."
    asker = Asker(network, "cpu", WordEncoder())
    prepared = asker.prepare(volume)
    (probability,) = asker.ask(asker.features([prepared]), [(0, sentence)])
    row = Predictor(network, "cpu", encoder=WordEncoder()).segment(volume, sentence).rows[0]
    assert row.mask is not None
    assert np.array_equal(asker.mask(prepared, probability), row.mask[0])
    assert 0 < row.mask.sum() < row.mask.size / 2
    assert asker.presence(prepared, probability) == row.presence
    padding_only = torch.ones(SIZE, SIZE)
    padding_only[6:26] = 0
    assert asker.presence(prepared, padding_only) == 0


def test_a_changed_picture_in_hounsfield_units_is_still_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Contrast x 0.7 lifts the darkest value from -150 to above 0, where the rule by itself would see a picture.
    values = np.linspace(-150, 1000, SIZE * SIZE, dtype=np.float32).reshape(1, SIZE, SIZE)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "a.mha"))
    Image.fromarray(np.eye(SIZE, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "set.csv").write_text("image,mask,text,split\na.mha,a.png,infection,Val\n", encoding="utf-8")
    kinds: list[str] = []
    prepare = Asker.prepare

    def recording(self: Asker, volume: Volume, fitted: Normaliser | None = None) -> SlicePictures:
        prepared = prepare(self, volume, fitted)
        kinds.append(prepared.normaliser.kind)
        return prepared

    monkeypatch.setattr(Asker, "prepare", recording)
    network = checkpoint(ObedientNetwork(), card(image={**card().image, "convention": "lung"}))
    evaluate(network, tmp_path / "set.csv", "Val", encoder=WordEncoder(), draws=5, log=tmp_path / "log")
    assert kinds == ["hu"] * (1 + len(CHANGES))


def test_a_slice_is_shown_with_the_brightness_that_its_whole_case_gives_it(tmp_path: Path) -> None:
    rows = ["image,mask,text,split,case"]
    for name, low, high in (("dim", 0, 60), ("bright", 0, 240)):
        picture = np.full((SIZE, SIZE), low, dtype=np.uint8)
        picture[20:25, 20:25] = high
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        Image.fromarray((picture > 0).astype(np.uint8)).save(tmp_path / f"{name}_mask.png")
        rows.append(f"{name}.png,{name}_mask.png,Infection in the left lung.,Val,one")
    (tmp_path / "set.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    network = checkpoint(ObedientNetwork(), card(image={**card().image, "convention": "percentile"}))
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "log": tmp_path / "log", "device": "cpu"}
    found = evaluate(network, tmp_path / "set.csv", "Val", image_only=blind_checkpoint(), **options)
    # By itself the dim slice would be stretched until its lesion is bright; as a slice of its case it stays dim.
    for condition in (RIGHT, IMAGE_ONLY):
        counts = {row["image"]: row["counts"][condition] for row in found["slices"]}
        assert counts == {"bright.png": [25, 0, 0], "dim.png": [0, 0, 25]}
    gamma = found["robustness"]["gamma 1.4"]
    assert gamma["mean_dice"]["estimate"] == pytest.approx(0.5)
    volume = Volume(
        np.stack([np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("bright", "dim")]),
        Geometry((SIZE, SIZE, 2)),
        "case",
        "made for tests",
    )
    row = Predictor(network, "cpu", encoder=WordEncoder()).segment(volume, "Infection in the left lung.").rows[0]
    assert row.mask is not None
    assert row.mask.sum(axis=(1, 2)).tolist() == [25, 0]


def blind_checkpoint() -> Checkpoint:
    image = {**card().image, "convention": "percentile"}
    return checkpoint(
        ObedientNetwork(reads_text=False), card(name="blind", image=image, recipe={"text": {"ignore": True}})
    )


def test_a_mirrored_slice_is_compared_with_its_mask_in_one_orientation(tmp_path: Path) -> None:
    # Its columns run from the patient's left to right, so the picture is turned over before the network sees it.
    geometry = Geometry((SIZE, SIZE, 1), direction=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    picture = np.full((1, SIZE, SIZE), 20, dtype=np.uint8)
    picture[0, 20:25, 3:8] = 235
    picture[0, 0, 0] = 255
    lungs = np.zeros_like(picture)
    lungs[0, 4:28, 2:14] = lungs[0, 4:28, 18:30] = 1
    for name, array in (("a", picture), ("m", (picture == 235).astype(np.uint8)), ("l", lungs)):
        write_volume(tmp_path / f"{name}.nii.gz", array, geometry)
    text = "image,mask,lungs,text,split\na.nii.gz,m.nii.gz,l.nii.gz,Infection in the left lung.,Val\n"
    (tmp_path / "set.csv").write_text(text, encoding="utf-8")
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, tmp_path / "set.csv", "Val", encoder=WordEncoder(), draws=5, log=tmp_path / "log")
    tp, fp, fn = found["slices"][0]["counts"][RIGHT]
    assert (tp, fp, fn) == (25, 1, 0)
    assert found["obedience"]["foreground_on_named_side"]["all_lungs"]["estimate"] == 1
    assert found["obedience"]["lungs"]["affected"] == 1
