"""Time the ensemble's forward pass, no gradients, at every task's size."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from benchmarks import ours
from benchmarks.alternatives.forward import BF16, COMPILED, EAGER, STRONGEST
from benchmarks.cases import ForwardCase
from benchmarks.checks import check_forward
from benchmarks.contest import Call, Contender, Contest
from benchmarks.shapes import TASKS, forward_flops

WAYS = {**EAGER, **COMPILED}
TARGET = "HalfCheetah"  # 23 → 4×200 → 36: here every way is tried, and bf16


def build(way: object, case: ForwardCase, dtype: torch.dtype) -> Call:
    cast = case.to(dtype)
    assert callable(way)

    @torch.no_grad()
    def call() -> object:
        return run(cast.x)

    with torch.no_grad():
        run = way(cast.layers.weights, cast.layers.biases)
        check_forward(run, cast.x, case)
    return call


@pytest.mark.parametrize("rows", [256, 2048])
@pytest.mark.parametrize("name", sorted(TASKS, key=lambda name: name != TARGET))
def test_forward(contest: Contest, name: str, rows: int) -> None:
    task = TASKS[name]
    case = ForwardCase.draw(task, rows)
    ways = {"ours": ours.forward}
    ways |= WAYS if name == TARGET else {key: WAYS[key] for key in STRONGEST}
    contenders = [Contender(label, partial(build, way, case, torch.float32)) for label, way in ways.items()]
    if name == TARGET:
        halves = {"ours": ours.forward_bf16, **{key: WAYS[key] for key in BF16}}
        contenders += [
            Contender(f"{label}, bf16", partial(build, way, case, torch.bfloat16), 1, torch.bfloat16)
            for label, way in halves.items()
        ]
    sizes = task.model_sizes
    shape = "→".join(map(str, (sizes[0], f"{task.model_layers}×{task.model_hidden}", sizes[-1])))
    contest.run(
        f"forward, {name} {shape}, E={task.members}, B={rows}", forward_flops(sizes, rows, task.members), contenders
    )
