"""Tables and a plot of what ``speed_benchmark.py`` measured."""

from __future__ import annotations

import statistics
from typing import Any

BASE = "base"


def ratio(base: list[float], other: list[float]) -> str:
    """How many times faster: best over best and median over median."""
    return f"{min(base) / min(other):.2f} / {statistics.median(base) / statistics.median(other):.2f}"


def floor_seconds(result: dict[str, Any], found: dict[str, Any], name: str) -> float | None:
    """Counted operations of a path, after its exact rewrites, at the machine's best rate of direct convolutions."""
    rate = result.get("ceilings", {}).get("bf16" if "bf16" in name else "fp32", {}).get("convolution")
    count: float = found["gflop_products" if "Winograd" in name else "gflop_needed"]
    return count / rate if rate else None


def markdown(result: dict[str, Any]) -> str:
    """All tables that there are figures for."""
    machine = result["machine"]
    lines = [f"{machine['cpus']} CPUs, {machine['threads']} threads, torch {machine['torch']}, {machine['system']}", ""]
    if "ceilings" in result:
        lines += _ceilings(result["ceilings"])
    lines += _gpu_ceilings(result["gpu"]) if "gpu" in result else ["GPU: not measured.", ""]
    if "masks" in result:
        lines += _masks(result["masks"])
    for name, found in result.get("networks", {}).items():
        lines += [f"## {name}", ""]
        for part, table in TABLES.items():
            if part in found:
                lines += [*table(result, found[part]), ""]
    return "\n".join(lines)


def _ceilings(found: dict[str, Any]) -> list[str]:
    rows = ["| ceiling | fp32, GFLOP/s | bf16, GFLOP/s |", "| --- | --- | --- |"]
    for key in ("convolution", "matmul"):
        cells = [f"{found[p][key]:.0f}" if p in found else "-" for p in ("fp32", "bf16")]
        rows.append(f"| {key} | {' | '.join(cells)} |")
    return [*rows, "", f"copy: {found['copy']:.1f} GB/s", ""]


def _gpu_ceilings(found: dict[str, Any]) -> list[str]:
    return [
        f"GPU ({found['name']}): matrix products {found['fp32']:.0f} GFLOP/s in float32, {found['bf16']:.0f} in "
        f"bfloat16; copy {found['copy']:.0f} GB/s.",
        "",
    ]


def _gpu(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    rows = found["rows"]
    lines = ["| on the GPU | images a second | times the base | share of its matrix rate | pixels that differ |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for name, row in rows.items():
        rate = row["images a second"]
        ceiling = result["gpu"]["bf16" if "bf16" in name else "fp32"]
        lines.append(
            f"| {name} | {rate:.1f} | {rate / rows[BASE]['images a second']:.2f} | "
            f"{100 * rate * found['gflop'] / ceiling:.1f} % | {100 * row['flipped']:.3f} % |"
        )
    return lines


def _gpu_training(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = ["| training on the GPU | pictures a second | times the base | peak, MB |", "| --- | --- | --- | --- |"]
    for name, row in found.items():
        rate = row["pictures a second"]
        lines.append(f"| {name} | {rate:.1f} | {rate / found[BASE]['pictures a second']:.2f} | {row['peak']:.0f} |")
    return lines


def _masks(found: dict[str, Any]) -> list[str]:
    rows = [
        f"Bundled weights, {found['slices']} slices and {found['sentences']} sentences of the sample "
        f"({100 * found['positive']:.2f} % of pixels marked); pixels that differ from the plain network in float32:"
    ]
    for label in ("fp32", "bf16"):
        if label in found:
            rows.append(f"{label}: {found[f'{label} pixels']} ({100 * found[label]:.4f} %)")
    return [*rows, ""]


def _one_image(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    seconds = found["seconds"]
    base = seconds[BASE]
    rate = found["gflop"] / min(base)
    lines = [
        f"One image: the base counts {found['gflop']:.1f} GFLOP and runs at {rate:.0f} GFLOP/s"
        + _share(result, rate)
        + f"; direct convolutions need {found['gflop_needed']:.1f} GFLOP, Winograd's products "
        + f"{found['gflop_products']:.1f}.",
        "",
        "| path or switch | ms, best | times faster, best / median | share of floor | pixels that differ | ready, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, times in seconds.items():
        # Four pictures at a time are compared picture by picture.
        mine = [value / 4 for value in times] if found["kinds"][name] == "path of 4" else times
        floor = floor_seconds(result, found, name)
        share = f"{100 * floor / min(mine):.0f} %" if floor and found["kinds"][name].startswith("path") else "-"
        lines.append(
            f"| {name} | {1000 * min(mine):.0f} | {ratio(base, mine)} | {share} | {100 * found['flipped'][name]:.3f} % "
            f"| {found['ready_seconds'][name]:.1f} |"
        )
    for name, times in found.get("allocator", {}).get("seconds", {}).items():
        if name in seconds and name in (BASE, *PATHS):
            lines.append(
                f"| {name}, allocator set | {1000 * min(times):.0f} | {ratio(seconds[name], times)} x itself | | | |"
            )
    return lines


PATHS = ("prepared copy, Winograd, fp32", "prepared copy, packed kernels, bf16", "four pictures at a time, bf16")


def _share(result: dict[str, Any], rate: float) -> str:
    ceiling = result.get("ceilings", {}).get("fp32", {}).get("convolution")
    return f", {100 * rate / ceiling:.0f} % of the convolution ceiling" if ceiling else ""


def _sentences(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = ["| sentences | " + " | ".join(f"{label}: times one, best / median" for label in found) + " |"]
    lines.append("| --- |" + " --- |" * len(found))
    for count in ("1", "2", "3", "4", "5"):
        cells = [
            f"{min(t[count]) / min(t['1']):.2f} / {statistics.median(t[count]) / statistics.median(t['1']):.2f}"
            for t in found.values()
        ]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    slopes = [f"{label} {(min(t['5']) / min(t['1']) - 1) / 4:.2f}" for label, t in found.items()]
    return [*lines, "", "Each further sentence costs " + ", ".join(slopes) + " times the first."]


def _volume(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    seconds = found["seconds"]
    base = seconds[BASE]
    lines = [
        f"{found['slices']} slices of 512 x 512 end to end, nothing skipped; base measured on {found['base_slices']} "
        "slices and scaled, five sentences being five runs of it:",
        "",
        "| run | s, best | times faster, best / median |",
        "| --- | --- | --- |",
        f"| base, one sentence | {min(base):.0f} | 1 |",
    ]
    for name, times in seconds.items():
        if name != BASE:
            times_base = [5 * value for value in base] if name.endswith("5") else base
            lines.append(f"| {name} sentence(s) | {min(times):.1f} | {ratio(times_base, times)} |")
    flips = ", ".join(f"{label} {100 * share:.3f} %" for label, share in found["flipped"].items())
    return [*lines, "", f"Voxels that differ from the base: {flips}."]


def _memory(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = ["| peak memory of a process | MB | times the base |", "| --- | --- | --- |"]
    base = found[BASE]["peak"]
    for name in ("base", "fp32", "bf16"):
        if name in found:
            lines.append(f"| one image, {name} | {found[name]['peak']:.0f} | {found[name]['peak'] / base:.2f} |")
    whole = found["volume"]
    lines.append(f"| volume, one sentence ({whole['volume']:.0f} MB of it the volume) | {whole['peak']:.0f} | |")
    lines.append(f"| said before the volume, beside it and {whole['before']:.0f} MB | {whole['estimate']:.0f} | |")
    return lines


def _training(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = [
        "| training step, batch 8 | s, best | times faster, best / median | peak, MB | times the base |",
        "| --- | --- | --- | --- | --- |",
    ]
    times = {name: [s for run in runs for s in run["seconds"]] for name, runs in found.items()}
    peaks = {name: min(run["peak"] for run in runs) for name, runs in found.items()}
    for name, own in times.items():
        lines.append(
            f"| {name} | {min(own):.2f} | {ratio(times[BASE], own)} | {peaks[name]:.0f} | "
            f"{peaks[name] / peaks[BASE]:.2f} |"
        )
    return lines


def _curve(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    ends = f"{found[BASE][-1]:.3f} and {found['all but the allocator'][-1]:.3f}"
    return [
        f"Loss at the end, base and fast path, means over seeds: {ends}; the curves' largest distance is "
        f"{found['largest_distance']:.1f} standard errors of the seeds' spread."
    ]


def _growth(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    cells = ", ".join(f"{key}: {1000 * value:.0f} ms" for key, value in found["best"].items())
    return [f"Growth of one image ({found['precision']}): {cells}."]


def _released(result: dict[str, Any], found: dict[str, Any]) -> list[str]:
    seconds = found["seconds"]
    rows = [f"{name}: {1000 * min(times):.0f} ms" for name, times in seconds.items()]
    return [f"Released checkout ({found['gflop']:.1f} GFLOP) beside ours: {', '.join(rows)}."]


TABLES = {
    "one-image": _one_image,
    "sentences": _sentences,
    "volume": _volume,
    "memory": _memory,
    "training": _training,
    "curve": _curve,
    "growth": _growth,
    "release": _released,
    "gpu": _gpu,
    "gpu training": _gpu_training,
}


def plot(result: dict[str, Any], path: str) -> None:
    """Cost against sentences, image side and text length, each relative to its first value, and the paths as bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 5, figsize=(20, 4), constrained_layout=True)
    for name, found in result.get("networks", {}).items():
        for label, times in found.get("sentences", {}).items():
            counts = sorted(int(count) for count in times)
            axes[0].plot(counts, [min(times[str(c)]) / min(times["1"]) for c in counts], "o-", label=f"{name} {label}")
        best = found.get("growth", {}).get("best", {})
        for axis, kind, power in ((axes[1], "side", 2), (axes[2], "tokens", 1), (axes[3], "slices", 1)):
            known = {int(key.split()[1]): value for key, value in best.items() if key.startswith(kind)}
            if known:
                first = min(known)
                axis.plot([k**power for k in known], [v / known[first] for v in known.values()], "o-", label=name)
        if "one-image" in found:
            seconds = found["one-image"]["seconds"]
            speeds = {key: min(seconds[BASE]) / min(t) for key, t in seconds.items() if "four" not in key}
            axes[4].barh([f"{name}: {key}" for key in speeds], list(speeds.values()))
    for axis, title in zip(
        axes,
        ("sentences of one image", "pixels of an image", "tokens of a sentence", "slices of a volume", "times faster"),
        strict=True,
    ):
        axis.set_title(title)
        if axis is not axes[4]:
            axis.set_ylim(bottom=0)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7)
    axes[4].tick_params(axis="y", labelsize=6)
    figure.savefig(path, dpi=110)
    plt.close(figure)
