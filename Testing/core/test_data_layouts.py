"""Data sets as they are published: LViT's names of masks, LanGuideMedSeg's tables, counts, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_makers import write_languidemedseg
from lvit_maker import SENTENCES, write_lvit
from PIL import Image

from LMISCore.cli.main import main
from LMISCore.data.manifest import read_pairs
from LMISCore.errors import InputError
from LMISCore.training.data_check import describe_data, read_split
from LMISCore.training.recipe import load_recipe


def rename_masks(folder: Path) -> Path:
    """Give masks the prefix they have in QaTa-COV19, and the tables the masks' names."""
    for mask in folder.glob("*_Folder/labelcol/*.png"):
        mask.rename(mask.with_name(f"mask_{mask.name}"))
    for table in folder.glob("*_Folder/*_text.csv"):
        table.write_text(table.read_text(encoding="utf-8").replace("scan_", "mask_scan_"), encoding="utf-8")
    return folder


def test_a_table_may_name_the_masks_instead_of_the_pictures(tmp_path: Path) -> None:
    plain = read_pairs(write_lvit(tmp_path / "plain"), "Train")
    found = read_pairs(rename_masks(write_lvit(tmp_path / "masks")), "Train")
    assert [pair.image.name for pair in found] == [pair.image.name for pair in plain]
    assert [pair.mask.name for pair in found] == [f"mask_{pair.mask.name}" for pair in plain]
    assert [(p.text, p.case, p.order, p.lungs is None) for p in found] == [
        (p.text, p.case, p.order, p.lungs is None) for p in plain
    ]


def test_a_picture_may_be_of_another_kind_than_the_table_says(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path)
    picture = folder / "Test_Folder" / "img" / "scan_2_s0000.png"
    Image.open(picture).save(picture.with_suffix(".tif"))
    picture.unlink()
    assert read_pairs(folder, "Test")[0].image.suffix == ".tif"


@pytest.mark.parametrize("published", [False, True])
def test_languidemedsegs_table_is_split_into_four_fifths_and_the_rest(tmp_path: Path, published: bool) -> None:
    folder = write_languidemedseg(tmp_path, published=published)
    found = {split: read_pairs(folder, split) for split in ("Train", "Val", "Test")}
    assert {split: len(pairs) for split, pairs in found.items()} == {"Train": 8, "Val": 2, "Test": 3}
    assert {pair.image.name for pair in found["Val"]} == {"covid_8.png", "covid_9.png"}
    first = found["Train"][0]
    assert (first.image.name, first.mask.name, first.text) == ("covid_0.png", "mask_covid_0.png", SENTENCES["left"])
    assert first.image.parent.name == "Images"


@pytest.mark.parametrize(
    ("missing", "match"),
    [
        ("prompt/test.csv", r"holds no prompt/test\.csv"),
        (
            "Test/Images/covid_101.png",
            r"test\.csv row 3 names mask_covid_101\.png, but .*covid_101\.png does not exist",
        ),
        ("Test/GTs/mask_covid_101.png", r"test\.csv row 3 .*mask_covid_101\.png does not exist"),
        ("Test/GTs", r"Test holds no folder GTs or Ground-truths"),
        ("Test", r"holds no folder Test or Test Set"),
    ],
)
def test_what_languidemedsegs_layout_lacks_is_named(tmp_path: Path, missing: str, match: str) -> None:
    folder = write_languidemedseg(tmp_path)
    (folder / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=match):
        read_pairs(folder, "Test")


def recipe_text(folder: Path, source: Path, pairs: str) -> Path:
    path = folder / "counted.yaml"
    path.write_text(
        f"name: counted\ndata: {{source: '{source}', pairs: {pairs}, name: the set, obtain: fetch it and unpack it}}\n",
        encoding="utf-8",
    )
    return path


def test_a_set_with_other_counts_than_published_is_refused_until_asked_for(tmp_path: Path) -> None:
    source = write_lvit(tmp_path / "set")
    right = recipe_text(tmp_path, source, "{Train: 6, Val: 6, Test: 6}")
    assert len(read_split(load_recipe(right), "Train")) == 6
    wrong = recipe_text(tmp_path, source, "{Train: 7}")
    with pytest.raises(InputError, match=r"Train of .*set has 6 pairs, the set has 7; .*data\.pairs=\{\}"):
        read_split(load_recipe(wrong), "Train")
    assert len(read_split(load_recipe(wrong, ["data.pairs={}"]), "Train")) == 6
    with pytest.raises(InputError, match=r"line 2: data\.pairs has Valid, expected Train, Val, Test"):
        load_recipe(recipe_text(tmp_path, source, "{Valid: 6}"))


def test_checking_counts_the_whole_split_and_not_the_patterns_share(tmp_path: Path) -> None:
    path = recipe_text(tmp_path, write_lvit(tmp_path / "set"), "{Train: 6}")
    path.write_text(path.read_text(encoding="utf-8").replace("name: the set", "train: [scan_0], name: the set"))
    assert len(read_split(load_recipe(path), "Train")) == 6


def test_a_description_counts_and_finds_a_patient_in_two_splits(tmp_path: Path) -> None:
    source = write_lvit(tmp_path / "set")
    recipe = load_recipe(recipe_text(tmp_path, source, "{}"))
    assert describe_data(recipe)[0] == "Train: 6 pairs, 1 patients, 3 distinct sentences"
    for place in ("img", "labelcol", "lungs"):
        (source / "Test_Folder" / place / "scan_2_s0000.png").rename(
            source / "Test_Folder" / place / "scan_0_s0000.png"
        )
    table = source / "Test_Folder" / "Test_text.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("scan_2_s0000", "scan_0_s0000"), encoding="utf-8")
    with pytest.raises(InputError, match="Patient scan_0 is in both Train and Test"):
        describe_data(recipe)


@pytest.mark.parametrize("name", ["qata-cov19", "mosmeddata-plus", "monuseg", "own-data"])
def test_training_without_the_data_says_in_one_sentence_what_to_put_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for source, start in (("", f"The recipe {name}-tirnet names no data"), ("nowhere", "There is no data set at")):
        arguments = ["train", name, "--out", str(tmp_path / "run")] + [f"data.source={source}"] * bool(source)
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip()
        assert len(error.splitlines()) == 1
        assert error.startswith(f"lmis: {start}")
        assert "Train_Folder" in error
        assert error.endswith("give data.source=FOLDER after the recipe.")
    assert not (tmp_path / "run").exists()


def test_check_prints_the_recipe_and_counts_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_languidemedseg(tmp_path / "set")
    assert main(["train", "own-data", f"data.source={source}", "--check"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("name: own-data-tirnet\n")
    assert "# Train: 8 pairs, 8 patients, 3 distinct sentences\n# Val: 2 pairs" in shown


def test_a_training_says_which_of_its_sentences_the_checkpoint_would_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_languidemedseg(tmp_path / "set")
    command = ["train", "own-data", f"data.source={source}"]
    assert main([*command, "--check"]) == 0
    told = capsys.readouterr().err
    assert "the checkpoint will know finding, which 3 of 3 sentences of Train do not name" in told
    assert main([*command, "pairs.names=[infected areas]", "--check"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*command, "text.ignore=true", "--check"]) == 0
    assert capsys.readouterr().err == ""
