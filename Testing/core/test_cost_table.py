"""The cost table counts what it says: hand-counted layers, published parameter counts, and a table for the README."""

from __future__ import annotations

import cost_table as table
import torch
from torch import nn

from LMISCore.networks import NETWORKS


def test_multiply_adds_are_those_counted_by_hand() -> None:
    x = torch.rand(2, 3, 10, 12)
    assert table.macs(lambda: nn.Conv2d(3, 8, 3, padding=1)(x)) == 2 * 8 * 10 * 12 * 3 * 9
    assert table.macs(lambda: nn.Conv2d(3, 6, 5, stride=2, groups=3)(x)) == 2 * 6 * 3 * 4 * 25
    assert table.macs(lambda: nn.Linear(12, 7)(x)) == 2 * 3 * 10 * 12 * 7
    q = torch.rand(1, 2, 5, 4)
    # Two products of 5 x 5 x 4 in each of two heads.
    assert table.macs(lambda: nn.functional.scaled_dot_product_attention(q, q, q)) == 2 * 2 * 5 * 5 * 4


def test_every_network_has_a_row_and_the_released_ones_the_published_counts() -> None:
    # One row of each network: the others are of the same size.
    one = {setting.network: setting for setting in reversed(table.SETTINGS)}
    costs = {setting.label: table.measure(setting, 32, 5) for setting in one.values()}
    assert {setting.network for setting in table.SETTINGS} == NETWORKS.keys()
    tirnet, reclmis = costs["TIRNet, released arithmetic"], costs["RecLMIS, released arithmetic"]
    assert (tirnet.trainable, tirnet.inference) == (14_206_681, 14_206_681)
    assert (reclmis.trainable, reclmis.inference) == (60_677_951, 17_305_917)
    for cost in costs.values():
        assert cost.stored > cost.trainable >= cost.inference > 0
        assert cost.image_macs > 0 < cost.sentence_macs
    shown = table.markdown(list(costs.values()), {"tower": (1_234, 5_000_000_000)}, 32, 5)
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) == len(costs) + 5
    assert all(row.count("|") in (9, 4) for row in rows)
    assert "60,677,951 |" in shown
    assert "| tower | 1,234 | 5.00 |" in shown
    assert table.COUNTER in shown
    assert "reading of its abstract" in shown
