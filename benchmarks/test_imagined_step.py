"""Time one imagined step of 10,000 rows: policy, ensemble with one elite per row, sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from benchmarks import ours
from benchmarks.alternatives import mbrl_lib
from benchmarks.alternatives.imagined import WAYS
from benchmarks.cases import IMAGINED_ROWS, ImaginedCase
from benchmarks.checks import check_imagined
from benchmarks.contest import Call, Contender, Contest
from benchmarks.shapes import TASKS, imagined_flops


def build(way: Callable[[ImaginedCase], Any], case: ImaginedCase) -> Call:
    with torch.no_grad():
        check_imagined(way(case.certain()), case.certain())
        run = way(case)

    @torch.no_grad()
    def call() -> object:
        return run(case.obs)

    return call


@pytest.mark.parametrize("name", ["Hopper"])
def test_imagined_step(contest: Contest, name: str) -> None:
    task = TASKS[name]
    case = ImaginedCase.draw(task)
    ways: dict[str, Callable[[ImaginedCase], Any]] = {
        "ours": ours.imagine,
        **WAYS,
        "mbrl-lib, SACAgent.act + ModelEnv.step": mbrl_lib.imagine,
    }
    contest.run(
        f"imagined step, {name}, {IMAGINED_ROWS} rows, {task.elites} elites",
        imagined_flops(task, IMAGINED_ROWS),
        [Contender(label, partial(build, way, case)) for label, way in ways.items()],
    )
