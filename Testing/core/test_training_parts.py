"""Optimisers and learning rates that a recipe asks for."""

from __future__ import annotations

import math

import pytest
import torch

from LMISCore.training.parts import build_optimiser, rate_at
from LMISCore.training.recipe import TrainingRecipe


def test_restarts_fall_along_a_cosine_in_every_period() -> None:
    recipe = TrainingRecipe(steps=100, warmup=0, learning_rate=3.0, final_rate=1.0, schedule="restarts", period=20)
    rates = [rate_at(step, recipe) for step in range(60)]
    assert rates[:20] == rates[20:40] == rates[40:]
    assert rates[0] == 3.0
    assert rates[10] == pytest.approx(2.0)
    assert rates[19] == pytest.approx(1 + (1 + math.cos(math.pi * 19 / 20)))


def test_decay_multiplies_every_period_down_to_the_lowest_rate() -> None:
    recipe = TrainingRecipe(warmup=0, learning_rate=1.0, final_rate=0.1, schedule="decay", period=5, decay=0.9)
    assert [rate_at(step, recipe) for step in (0, 4, 5, 14)] == pytest.approx([1.0, 1.0, 0.9, 0.81])
    assert rate_at(5000, recipe) == 0.1


@pytest.mark.parametrize("schedule", ["cosine", "restarts", "decay"])
def test_every_schedule_warms_up_first(schedule: str) -> None:
    recipe = TrainingRecipe(warmup=10, learning_rate=1.0, schedule=schedule, period=7, decay=0.5)  # type: ignore[arg-type]
    assert [rate_at(step, recipe) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])


def test_adam_puts_weight_decay_into_the_gradient_and_adamw_does_not() -> None:
    moved = {}
    for name in ("adam", "adamw"):
        weight = torch.nn.Parameter(torch.tensor([100.0]))
        recipe = TrainingRecipe(optimiser=name, learning_rate=0.1, weight_decay=0.5)
        optimiser = build_optimiser(recipe, [weight])
        weight.grad = torch.zeros(1)
        optimiser.step()
        moved[name] = 100 - float(weight.detach())
    # Adam's first step is the rate whatever the gradient's size; AdamW shrinks the weight by rate x decay.
    assert moved["adam"] == pytest.approx(0.1, rel=1e-3)
    assert moved["adamw"] == pytest.approx(100 * 0.1 * 0.5, rel=1e-3)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_weights_are_updated_in_one_pass_unless_the_recipe_asks_for_the_plain_loop(name: str) -> None:
    for fused in (True, False):
        recipe = TrainingRecipe(optimiser=name, fused=fused)  # type: ignore[arg-type]
        assert build_optimiser(recipe, [torch.nn.Parameter(torch.zeros(1))]).defaults["fused"] is fused
