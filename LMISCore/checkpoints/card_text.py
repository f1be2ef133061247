"""A card written out for people: two lines for a terminal, a page in Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LMISCore.checkpoints.card import Card

REMARKS = {"tmca": "this project's reading of its paper's abstract"}
"""What must stand beside a network's name wherever it is shown."""


def summary(card: Card) -> str:
    """Two lines: what the weights are, and what they reach and may be used for."""
    options = [REMARKS[card.network]] if card.network in REMARKS else []
    options += [f"{key} {card.network_options[key]}" for key in ("width", "variant") if key in card.network_options]
    size = " x ".join(str(side) for side in card.image["size"])
    first = [
        f"{card.name}: {card.network}" + (f" ({', '.join(options)})" if options else ""),
        f"{card.modality + ' ' if card.modality else ''}{card.image['plane']}, {size} pixels",
        f"text encoder {card.text_encoder['name']}",
    ]
    second = [metric_sentence(card.metrics[0]) if card.metrics else "no metric measured"]
    second += [part for part in (card.intended_use, f"licence: {card.licence}" if card.licence else "") if part]
    return "; ".join(first) + "\n" + "; ".join(part.rstrip(".") for part in second)


def metric_sentence(metric: dict[str, Any]) -> str:
    """One metric with its interval, number of cases and data, such as "mean Dice 0.63 (n = 119, Test)"."""
    low, high = metric.get("interval") or (None, None)
    interval = f" [{figure(low)}, {figure(high)}]" if low is not None and high is not None else ""
    where = [f"n = {metric['n']}", *(str(metric[key]) for key in ("data", "split") if metric.get(key))]
    return f"{metric['name']} {figure(metric['value'])}{interval} ({', '.join(where)})"


def figure(value: float | int | None) -> str:
    """A number with at most three decimals; "undefined" for None."""
    if value is None:
        return "undefined"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def markdown(card: Card) -> str:
    """The whole card as a page."""
    encoder = card.text_encoder
    companion = f", kept beside the weights as `{encoder['file']}`" if "file" in encoder else ""
    seen = card.vocabulary["sentences_seen"]
    facts = {
        "Network": f"{_named(card.network)} {_inline(card.network_options)}",
        "Text encoder": f"{encoder['name']}, width {encoder['width']}, length {encoder['length']} tokens, "
        f"sha256 `{encoder['hash']}`" + companion,
        "Picture": f"{' x '.join(str(s) for s in card.image['size'])} pixels, plane {card.image['plane']}, "
        f"intensity convention {card.image['convention']}, colour {card.image['colour']}"
        + (", with the slices before and after as channels" if card.context else ""),
        "Orientation": card.image["orientation"],
        "Modality": card.modality,
        "Thresholds": ", ".join(f"{key} {value}" for key, value in card.thresholds.items()),
        "Distinct sentences seen in training": "unknown" if seen is None else seen,
        "Places": ", ".join(card.vocabulary["places"]),
        "Intended use": card.intended_use,
        "Licence": card.licence,
        "Looks at the test split before these figures": card.test_runs_before,
        "Weights' sha256": f"`{card.weights_hash}`" if card.weights_hash else "",
    }
    parts = [f"# {card.name}", _table(("", ""), [(key, value) for key, value in facts.items() if value != ""])]
    findings = card.vocabulary["findings"]
    if findings:
        rows = [(name, ", ".join(words)) for name, words in findings.items()]
        parts += ["## Findings in its vocabulary", _table(("finding", "also written"), rows)]
    parts += ["## Metrics", _metrics(card.metrics) if card.metrics else "None measured."]
    if card.limits:
        parts += ["## Limits", "\n".join(f"- {limit}" for limit in card.limits)]
    for title, values in (("Data", card.data), ("Recipe", card.recipe), ("Run", card.run)):
        if values:
            parts += [f"## {title}", f"```json\n{json.dumps(values, indent=2, ensure_ascii=False)}\n```"]
    return "\n\n".join(parts) + "\n"


def _named(network: str) -> str:
    return f"{network} ({REMARKS[network]})" if network in REMARKS else network


def _metrics(metrics: list[dict[str, Any]]) -> str:
    """A table with one column per key that any metric has, the common ones first."""
    common = ("name", "value", "interval", "n", "data", "split", "policy")
    present = {key for metric in metrics for key in metric}
    columns = [key for key in common if key in present] + sorted(present - set(common))
    return _table(tuple(columns), [tuple(_cell(metric.get(key), key) for key in columns) for metric in metrics])


def _cell(value: Any, key: str) -> str:
    if key == "value":
        return figure(value)
    if value is None:
        return ""
    if isinstance(value, float):
        return figure(value)
    if isinstance(value, list):
        return " to ".join(_cell(item, "") for item in value) if key == "interval" else _inline(value)
    return _inline(value) if isinstance(value, dict) else str(value)


def _inline(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    def line(cells: tuple[Any, ...]) -> str:
        return "| " + " | ".join(" ".join(str(cell).replace("|", "\\|").split()) for cell in cells) + " |"

    return "\n".join([line(header), "|" + " --- |" * len(header), *(line(row) for row in rows)])
