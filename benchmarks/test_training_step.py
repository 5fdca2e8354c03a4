"""Time one training step of the ensemble: gather, forward, NLL, backward, decay, Adam."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle

import pytest

from benchmarks import ours
from benchmarks.alternatives import mbrl_lib
from benchmarks.alternatives.training import STRONGEST, WAYS
from benchmarks.cases import BATCH, MINIBATCHES, TrainingCase
from benchmarks.checks import Trainer, check_training
from benchmarks.contest import Call, Contender, Contest
from benchmarks.shapes import TASKS, training_flops

TARGET = "Hopper"  # here every way is tried


def build(way: Callable[[TrainingCase], Trainer], case: TrainingCase) -> Call:
    trainer, batches = way(case), cycle(case.batches)
    check_training(trainer, case)
    return lambda: trainer.step(next(batches))


@pytest.mark.parametrize("name", sorted(TASKS, key=lambda name: name != TARGET))
def test_training_step(contest: Contest, name: str) -> None:
    task = TASKS[name]
    case = TrainingCase.draw(task)
    ways: dict[str, Callable[[TrainingCase], Trainer]] = {"ours": ours.TrainingStep}
    ways |= WAYS if name == TARGET else {key: WAYS[key] for key in STRONGEST}
    contenders = [Contender(label, partial(build, way, case)) for label, way in ways.items()]
    if name == TARGET:
        epoch = partial(mbrl_lib.training, case)
        contenders.append(Contender("mbrl-lib, ModelTrainer.train", epoch, MINIBATCHES))
    contest.run(
        f"training step, {name}, E={task.members}, B={BATCH}",
        training_flops(task.model_sizes, BATCH, task.members),
        contenders,
    )
