"""Time one SAC update, its share of the replay sampling included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from benchmarks import ours
from benchmarks.alternatives import mbrl_lib, stable_baselines
from benchmarks.alternatives.sac import STRONGEST, WAYS
from benchmarks.cases import BATCH, SACCase
from benchmarks.checks import Updater, check_sac
from benchmarks.contest import Call, Contender, Contest
from benchmarks.shapes import TASKS, sac_flops

UPDATES = 20  # after each env step, in one call
TARGETS = ("Hopper", "Pendulum")  # here the other projects' classes are timed too


NORMED = partial(ours.SACUpdate, norm="layer")  # critics with LayerNorm: by the op and, its definition, by autograd
BY_AUTOGRAD = partial(NORMED, backend="torch")


def build(way: Callable[[SACCase], Updater], case: SACCase, exact: Callable[[SACCase], Updater] | None = None) -> Call:
    """Return 20 updates on batches gathered at once, as the training loop has them."""
    updater, rows, generator = way(case), case.rows, torch.Generator().manual_seed(0)
    check_sac(updater, case, exact)

    def call() -> None:
        index = torch.randint(len(rows), (UPDATES * BATCH,), generator=generator)
        updater.update(rows.index_select(0, index).view(UPDATES, BATCH, -1))

    return call


@pytest.mark.parametrize("name", sorted(TASKS, key=lambda name: name not in TARGETS))
def test_sac_update(contest: Contest, name: str) -> None:
    task = TASKS[name]
    case = SACCase.draw(task)
    ways: dict[str, Callable[[SACCase], Updater]] = {"ours": ours.SACUpdate}
    ways |= WAYS if name in TARGETS else {key: WAYS[key] for key in STRONGEST}
    contenders = [Contender(label, partial(build, way, case), UPDATES) for label, way in ways.items()]
    normed = {"ours, LayerNorm": NORMED, "torch eager, LayerNorm": BY_AUTOGRAD}
    contenders += [Contender(label, partial(build, way, case, BY_AUTOGRAD), UPDATES) for label, way in normed.items()]
    others: dict[str, tuple[Callable[[SACCase, int], Call], int]] = {
        "SBX (JAX), 20 updates a call": (stable_baselines.jax_updates, UPDATES)
    }
    if name in TARGETS:
        others |= {
            "SBX (JAX), 1 update a call": (stable_baselines.jax_updates, 1),
            "stable-baselines3": (stable_baselines.torch_updates, UPDATES),
            "mbrl-lib, pytorch_sac_pranz24": (mbrl_lib.sac_updates, UPDATES),
        }
    contenders += [Contender(label, partial(updates, case, steps), steps) for label, (updates, steps) in others.items()]
    contest.run(
        f"SAC update, {name}, {task.sac_layers}×{task.sac_hidden}, B={BATCH}", sac_flops(task, BATCH), contenders
    )
