"""The tables of RESULTS.md, each from the rows' records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.markdown import number, table
from LMISCore.metrics.bootstrap import Interval
from Training.results_figures import (
    Figure,
    Table,
    blocks_of,
    difference,
    is_difference,
    mean_dice,
    seed_range,
)
from Training.results_table import Row

SETS = {
    "monuseg_512": "MoNuSeg, nuclei in tissue",
    "covid_ct_20cases": "Chest CT, lung infection",
    "covid_cxr_opacity": "Chest X-ray, opacity",
}
# Of the literature on MoNuSeg, as percentages: mean Dice and mean IoU over pictures.
LITERATURE = (("U-Net, as LViT's authors report it", 76.45, 62.86), ("LViT-T", 80.36, 67.31))
OTHERS = (asked.EMPTY, asked.SWAPPED, asked.OTHER, asked.SHUFFLED, asked.NEGATED, asked.OUTSIDE)


def figure_cell(found: Sequence[float | None] | None, digits: int = 3) -> str:
    """``[estimate, low, high]`` as text."""
    if found is None or found[0] is None:
        return "n/a"
    estimate, low, high = found
    return number(estimate, digits) if low is None else f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def difference_cell(found: Interval | None) -> str:
    """A signed difference with its interval, bold where it leaves out zero."""
    if found is None:
        return "n/a"
    text = f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    return f"**{text}**" if is_difference(found) else text


def not_there(rows: Table, row: Row) -> str:
    """What stands in the place of a row's figures."""
    return f"failed: {rows.failed[row.id]}" if row.id in rows.failed else "not run"


def budget(rows: Table) -> str:
    """The one budget of all rows, and each network's size.

    Raises:
        ValueError: if rows were run at different budgets: they could not stand in one table.
    """
    shared = {
        tuple(record["budget"][key] if key != "size" else "x".join(map(str, record["budget"][key])) for key in KEYS)
        for record in rows.records.values()
    }
    if len(shared) > 1:
        raise ValueError(f"the rows were run at {len(shared)} budgets: {sorted(shared)}; expected one for all")
    if not shared:
        return "No row was run yet.\n"
    size, steps, batch, rate = shared.pop()
    lines = [
        f"Every row: {steps} steps of {batch} pictures with two sentences each (one where text is ignored), {size} "
        f"pixels, AdamW with a cosine from {rate:g}, the checkpoint with the best mean Dice on Val out of two "
        "validations.",
        "",
        table(
            ["network", "options", "trainable parameters", "training, seconds on one core"],
            [_size(rows, row) for row in rows.group("main", "covid_ct_20cases")],
        ),
    ]
    return "\n".join(lines) + "\n"


KEYS = ("size", "steps", "batch", "learning_rate")


def _size(rows: Table, row: Row) -> list[str]:
    record = rows.records.get(row.id)
    if record is None:
        return [row.title, not_there(rows, row), "", ""]
    options = ", ".join(f"{name} {value}" for name, value in record["budget"]["network_options"].items())
    return [row.title, options, f"{record['budget']['parameters']:,}", f"{record['training']['seconds']:.0f}"]


def overlap(rows: Table, data: str) -> str:
    """The main rows of one data set."""
    lines: list[list[str]] = []
    base = next(row for row in rows.group("main", data) if "text.ignore=true" in row.overrides)
    for row in rows.group("main", data):
        record = rows.records.get(row.id)
        if record is None:
            lines.append([row.title, not_there(rows, row), *[""] * 5])
            continue
        right = record["test"]["conditions"][asked.RIGHT]
        beside = rows.records.get(base.id) if row is not base else None
        lines.append(
            [
                row.title,
                str(record["test"]["n"]),
                *(figure_cell(right[key]) for key in ("mean_dice", "mean_iou", "pooled_dice", "pooled_iou")),
                "" if beside is None else difference_cell(difference(record, beside, "mean_dice")),
            ]
        )
    if data == "monuseg_512":
        lines += [
            [f"*{name}* (other protocol, see above)", "14", f"{dice / 100:.4f}", f"{iou / 100:.4f}", "", "", ""]
            for name, dice, iou in LITERATURE
        ]
    header = ["network", "n", "mean Dice", "mean IoU", "pooled Dice", "pooled IoU", "mean Dice minus image-only"]
    return table(header, lines) + "\n"


def between_networks(rows: Table, data: str) -> str:
    """Each pair of the three networks, picture by picture."""
    networks = [row for row in rows.group("main", data) if "text.ignore=true" not in row.overrides]
    lines = []
    for a, b in combinations(networks, 2):
        if a.id in rows.records and b.id in rows.records:
            found = [
                difference_cell(difference(rows.records[a.id], rows.records[b.id], figure))
                for figure in ("mean_dice", "pooled_dice", "on_named_side")
            ]
            lines.append([f"{a.title} minus {b.title}", *found])
    return table(["pair", "mean Dice", "pooled Dice", "foreground on the named side"], lines) + "\n" if lines else ""


def listening(rows: Table, data: str) -> str:
    """How far the mean Dice falls with another sentence than the right one."""
    lines = []
    for row in rows.group("main", data):
        record = rows.records.get(row.id)
        if record is None or "text.ignore=true" in row.overrides:
            continue
        found = record["test"]["differences"]
        lines.append([row.title, *(_fall(found.get(name)) for name in OTHERS)])
    return table(["network", *OTHERS], lines) + "\n" if lines else ""


def _fall(found: Mapping[str, Any] | None) -> str:
    if found is None or found["mean_dice"][0] is None:
        return "n/a"
    estimate, low, high = found["mean_dice"]
    cell = f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]"
    return (f"**{cell}**" if low > 0 or high < 0 else cell) + f" (n {found['n']})"


def obedience(rows: Table, data: str) -> str:
    """What sentences about one lung mark."""
    lines = []
    for row in rows.group("main", data):
        record = rows.records.get(row.id)
        found = None if record is None else record["test"]["obedience"]
        if found is not None:
            lines.append(
                [
                    row.title,
                    f"{found['lungs']} ({found['affected']} / {found['unaffected']})",
                    *(
                        figure_cell(found[key])
                        for key in ("on_named_side", "side_cut_dice", "without_answer", "presence_auroc")
                    ),
                ]
            )
    header = [
        "network",
        "lungs (affected / un-)",
        "foreground on the named side",
        "Dice of affected lungs",
        "affected without answer",
        "presence AUROC",
    ]
    return table(header, lines) + "\n" if lines else ""


def changes(rows: Table, group: str, network: str) -> str:
    """The rows of a group that change one network, beside it."""
    lines = []
    bases: dict[str, Row] = {row.id: row for row in rows.group("main")}
    for row in rows.group(group):
        if row.network != network:
            continue
        record, base = rows.records.get(row.id), rows.records.get(row.base)
        if record is None or base is None:
            lines.append([row.change, f"`{row.id}`", not_there(rows, row), *[""] * 5])
            continue
        lines.append(
            [
                row.change,
                f"`{row.id}`",
                number(mean_dice(record)),
                difference_cell(difference(record, base, "mean_dice")),
                *_other_figures(record, base),
            ]
        )
    if not lines:
        return ""
    name = next(iter(row.base for row in rows.group(group) if row.network == network))
    if name in rows.records:
        base = rows.records[name]
        found = base["test"]["obedience"] or {}
        figures = [figure_cell(found.get(key)) for key in ("on_named_side", "without_answer", "presence_auroc")]
        as_it_is = [f"*{bases[name].title} as it is*", f"`{name}`", number(mean_dice(base)), ""]
        lines.insert(0, [*as_it_is, figures[0], "", *figures[1:]])
    header = ["change", "row", "mean Dice", "difference", "on the named side", "difference"]
    header += ["affected lungs without answer", "presence AUROC"]
    return table(header, lines) + "\n"


def _other_figures(record: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    found = record["test"]["obedience"]
    if found is None:
        return ["n/a"] * 4
    side = difference_cell(difference(record, base, "on_named_side"))
    rest = [figure_cell(found[key]) for key in ("without_answer", "presence_auroc")]
    return [number(found["on_named_side"][0]), side, *rest]


def seeds(rows: Table) -> str:
    """Main rows with other seeds: what chance alone does."""
    lines = []
    for row in rows.group("main"):
        names = rows.seeds(row.id)
        asked_for = sum(other.base == row.id for other in rows.group("seed"))
        if not asked_for:
            continue
        values = [number(mean_dice(rows.records[name])) for name in names]
        missing = 1 + asked_for - len(names)
        spreads = [_spread(rows, row.id, figure) for figure in ("mean_dice", "on_named_side")]
        lines.append(
            [f"{row.title}, {row.data}", ", ".join(values) + (f" ({missing} not run)" * bool(missing)), *spreads]
        )
    header = ["row", "mean Dice by seed", "largest minus smallest", "the same of foreground on the named side"]
    return table(header, lines) + "\n"


def _spread(rows: Table, base: str, figure: Figure) -> str:
    found = seed_range(rows, base, figure)
    return "n/a" if found is None else number(found)


def again(rows: Table) -> str:
    """The drawn rows' first and second runs."""
    lines = []
    for name in rows.drawn:
        second = rows.again.get(name)
        if second is None:
            lines.append([f"`{name}`", number(mean_dice(rows.records[name])), "not run", ""])
            continue
        values = [mean_dice(rows.records[name]), mean_dice(second)]
        same = rows.records[name]["test"]["checkpoint_hash"] == second["test"]["checkpoint_hash"]
        lines.append(
            [f"`{name}`", *(f"{v:.4f}" for v in values), f"{values[1] - values[0]:+.4f}", "yes" if same else "no"]
        )
    return table(["row", "mean Dice", "second run", "difference", "same weights to the bit"], lines) + "\n"


def resampled(rows: Table, data: str) -> str:
    """How many blocks the intervals of a data set rest on, and what the budget's size allows."""
    record = next((rows.records[row.id] for row in rows.group("main", data) if row.id in rows.records), None)
    if record is None:
        return ""
    patients = len({scan[0] for scan in record["test"]["scans"]})
    test = record["test"]
    return (
        f"Intervals from {blocks_of(record)} blocks of {test['n']} pictures; {patients} patients as far as file names "
        f"tell. The true masks themselves, shrunk to the budget's pixels and enlarged again, have a mean Dice of "
        f"{test['ceiling']:.3f}: an answer without any fault at that size has no more.\n"
    )
