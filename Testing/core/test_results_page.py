"""RESULTS.md is what its committed records make of it, and calls a difference only what is one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from LMISCore.errors import InputError
from LMISCore.networks import reclmis
from LMISCore.training.parts import check_parts
from LMISCore.training.recipe import load_recipe
from Training.results_figures import Table, counts_of, difference, mean_dice, read_table, seed_range
from Training.results_measure import write_record
from Training.results_page import PAGE, page
from Training.results_reading import measured, what_helps
from Training.results_table import RESULTS, Row, draw, read_draw, read_rows

# How far a second run from scratch may be from the first one, mean Dice.
AGREEMENT = 0.005
MAIN_ROWS = 12


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the committed results that a test may change."""
    return Path(shutil.copytree(RESULTS, tmp_path / "results"))


def change(results: Path, row: str, **values: Any) -> None:
    """Set keys of a record's test."""
    path = results / "rows" / f"{row}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["test"].update(values)
    write_record(path, record)


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def record(hits: list[int], lungs: list[list[int]] | None = None, name: str = "row") -> dict[str, Any]:
    """Pictures of 10 lesion pixels each, of which so many are found and nothing else is marked."""
    return {
        "row": name,
        "test": {
            "hash": "h",
            "n": len(hits),
            "scans": [[f"patient {k}", f"scan {k}", 1] for k in range(len(hits))],
            "counts": {"right sentence": [[hit, 0, 10 - hit] for hit in hits]},
            "conditions": {"right sentence": {"mean_dice": [float(np.mean([2 * h / (10 + h) for h in hits])), 0, 1]}},
            "obedience": None,
            "lungs": lungs,
        },
    }


def table(**records: dict[str, Any]) -> Table:
    """A base, its change and its other seeds."""
    rows = [Row("base", "main", "covid_ct_20cases", "tirnet")]
    rows += [
        Row(name, "seed" if name.startswith("seed") else "ablation", "covid_ct_20cases", "tirnet", name, "base")
        for name in records
        if name != "base"
    ]
    return Table(tuple(rows), records, {}, {})


def test_the_page_is_what_the_committed_records_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_a_changed_record_changes_its_figures_on_the_page_and_no_others(results: Path) -> None:
    before = page(results)
    assert before == page()
    counts = json.loads((results / "rows" / "ct-tirnet.json").read_text(encoding="utf-8"))["test"]["counts"]
    counts["right sentence"] = [[tp + 1000, fp, fn] for tp, fp, fn in counts["right sentence"]]
    change(results, "ct-tirnet", counts=counts)
    after = page(results)
    moved = set(before.splitlines()) - set(after.splitlines())
    cells = [line.split("|")[1:3] for line in moved if line.startswith("| ")]
    titles = {first.strip() for first, _ in cells}
    assert "TIRNet minus RecLMIS" in titles
    assert "without RTMB" in titles
    assert not any(second.strip().startswith(("`ct-reclmis", "`ct-tmca", "`cxr", "`nuclei")) for _, second in cells)


def test_a_row_that_was_not_run_and_one_that_failed_say_so(results: Path) -> None:
    (results / "rows" / "cxr-tmca.json").unlink()
    write_record(results / "rows" / "nuclei-tmca.json", {"row": "nuclei-tmca", "failed": "the disk was full"})
    text = page(results)
    assert "| TMCA (our reading) | failed: the disk was full |" in text
    assert "| TMCA (our reading) | not run |" in text.split("## Chest X-ray")[1]


def test_rows_of_different_budgets_are_refused(results: Path) -> None:
    path = results / "rows" / "ct-tmca.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["budget"]["steps"] += 1
    write_record(path, found)
    with pytest.raises(ValueError, match="2 budgets"):
        page(results)


def test_all_main_rows_and_two_ablations_of_each_network_were_run() -> None:
    rows = read_table()
    main = [row.id for row in rows.group("main")]
    assert len(main) == MAIN_ROWS
    assert set(main) <= set(rows.records)
    changed = [*rows.group("ablation"), *rows.group("mend")]
    done = [row.network for row in changed if row.id in rows.records]
    assert len(done) >= 8
    assert all(done.count(network) >= 2 for network in ("tirnet", "reclmis", "tmca"))
    for network in ("tirnet", "reclmis", "tmca"):
        assert len(rows.seeds(f"ct-{network}")) >= 3


def test_each_mended_option_says_what_it_changed_when_measured() -> None:
    rows = read_table()
    mends = rows.group("mend")
    assert len(mends) == len(reclmis.MENDED)
    said = " ".join((reclmis.__doc__ or "").split())
    for row in mends:
        (option,) = [name for name, (_, theirs) in reclmis.MENDED.items() if f"{name}={theirs}" in row.overrides[0]]
        about = said[said.index(f"* ``{option}=") :].split(" * ``")[0]
        assert measured(rows, row) in about
        assert measured(rows, row)


def test_each_stored_mean_follows_from_the_stored_pictures() -> None:
    for found in read_table().records.values():
        stored = found["test"]["conditions"]["right sentence"]
        assert mean_dice(found) == pytest.approx(stored["mean_dice"][0], abs=1e-5)
        assert len(counts_of(found)) == found["test"]["n"] == sum(scan[2] for scan in found["test"]["scans"])
        tp, fp, fn = np.array(found["test"]["counts"]["right sentence"]).sum(0)
        assert 2 * tp / (2 * tp + fp + fn) == pytest.approx(stored["pooled_dice"][0], abs=1e-5)
        obedience = found["test"]["obedience"]
        if obedience is not None and obedience["on_named_side"][0] is not None:
            inside, marked = np.array(found["test"]["lungs"]).sum(0)
            assert inside / marked == pytest.approx(obedience["on_named_side"][0], abs=1e-5)


def test_a_paired_difference_is_the_mean_of_the_pictures_differences() -> None:
    # Dice 2 h / (10 + h): 2/3 and 8/9 ... against 1/3 everywhere.
    found = difference(record([5, 8, 5, 8]), record([2, 2, 2, 2]), "mean_dice")
    assert found is not None
    assert found.estimate == pytest.approx((2 / 3 + 16 / 18) / 2 - 4 / 12)
    assert 2 / 3 - 4 / 12 - 1e-9 <= found.low < found.estimate < found.high <= 16 / 18 - 4 / 12 + 1e-9
    sides = difference(record([5] * 4, [[3, 4]] * 4), record([5] * 4, [[1, 2]] * 4), "on_named_side")
    assert sides is not None
    assert (sides.estimate, sides.low, sides.high) == pytest.approx((0.25, 0.25, 0.25))
    assert difference(record([5]), record([5], [[1, 2]]), "on_named_side") is None
    with pytest.raises(InputError, match="different data"):
        other = record([2], name="other")
        other["test"]["hash"] = "g"
        difference(record([5]), other, "mean_dice")


def test_only_what_exceeds_the_seeds_and_whose_interval_leaves_out_zero_is_called_a_difference() -> None:
    base, near, far = record([5, 6] * 5), record([6, 5] * 5), record([9, 9] * 5)
    worse = record([3, 4] * 5)
    clear = what_helps(table(base=base, seed_2=near, worse=worse), "ablation")
    assert clear[0].startswith("- TIRNet, worse: mean Dice -0.1")
    within = what_helps(table(base=base, seed_2=far, worse=worse), "ablation")
    assert "No change made a difference" in within[0]
    assert within[1].startswith("- Their intervals leave out zero, but other seeds may do as much: TIRNet, worse: mean")
    assert within[1].endswith("(seeds 0.239).")
    chance = what_helps(table(base=base, seed_2=near, same=near), "ablation")
    assert chance == [
        "- No change made a difference that is both outside its interval's zero and beyond the seeds.",
        "- The other 1 of 1 compared figures could be chance: their intervals hold zero.",
    ]
    assert seed_range(table(base=base), "base") is None


def test_rows_run_again_from_scratch_agree() -> None:
    rows = read_table()
    assert len(rows.drawn) == 3
    for name in rows.drawn:
        assert abs(mean_dice(rows.again[name]) - mean_dice(rows.records[name])) <= AGREEMENT


def test_the_rows_run_again_are_those_that_the_seed_draws(tmp_path: Path) -> None:
    names = [f"row-{number}" for number in range(9)]
    drawn = draw(names, tmp_path)
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(names)
    # A row that is run later changes nothing.
    assert draw([*names, "later"], tmp_path) == drawn
    path = tmp_path / "again" / "drawn.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["drawn"] = sorted(set(names) - set(drawn))[:3]
    path.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(InputError, match="not those that seed"):
        read_draw(tmp_path)


def test_every_row_has_a_recipe_that_can_be_built() -> None:
    budgets: set[tuple[object, ...]] = set()
    for row in read_rows():
        recipe = load_recipe(RESULTS / "recipes" / f"{row.data}.yaml", [f"variant={row.network}", *row.overrides])
        check_parts(recipe)
        assert recipe.network.name == row.network
        # A seed is no budget.
        training = dataclasses.replace(recipe.training, seed=0)
        budgets.add((recipe.image.size, recipe.image.variants, recipe.pairs.sentences, training))
    assert len(budgets) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "a", "group": "main", "data": "d", "network": "tirnet"}, "appears twice"),
        ({"id": "b", "group": "other", "data": "d", "network": "tirnet"}, "expected one of main"),
        ({"id": "b", "group": "mend", "data": "d", "network": "tirnet"}, "any other row needs one"),
        ({"id": "b", "group": "mend", "data": "e", "network": "tirnet", "base": "a"}, "on the same data"),
        ({"id": "b", "group": "main", "date": "d", "network": "tirnet"}, "expected the keys of a row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, wrong: dict[str, str], message: str) -> None:
    first = {"id": "a", "group": "main", "data": "d", "network": "tirnet"}
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump({"rows": [first, wrong]}), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path)
