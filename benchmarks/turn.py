"""Time one tree's updates, in a process of its own; :mod:`benchmarks.beside` starts it.

What it calls is as old as the commits that it is to compare, or is asked for only in bfloat16.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import mbpo
from benchmarks.cases import BATCH
from benchmarks.shapes import TASKS, Task
from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.rules import never
from mbpo.sac.agent import SACAgent
from mbpo.sac.networks import Actor, TwinCritic

UPDATES, MINIBATCHES, IMAGINED_ROWS = 20, 16, 10_000
SECONDS, MOVES = 1.5, 2000  # of timing each; numbers shown of a movement

Case = tuple[Callable[[], object], int, Callable[[], list[Tensor]]]  # a call, how many steps it takes, what it moves


def main(threads: int, precision: str) -> None:
    """Print what was found as one line of JSON."""
    torch.set_num_threads(threads)
    found: dict[str, Any] = {"mbpo": mbpo.__file__, "ms": {}, "digests": {}, "moved": {}}
    asked = {} if precision == "float32" else {"precision": precision}
    for name in ("Hopper", "Ant", "Pendulum"):
        task = TASKS[name]
        for what, case in (("SAC update", sac(task, asked)), ("training step", training(task, asked))):
            record(found, f"{what}, {name}", case)
    run, rows = imagined(TASKS["Hopper"], asked)
    found["ms"][f"imagined step of {rows:,} rows, Hopper"] = median_ms(run)
    print(json.dumps(found))


def record(found: dict[str, Any], name: str, case: Case) -> None:
    """Take one call and keep what moved, then time more."""
    run, steps, parameters = case
    before = torch.cat([p.detach().flatten() for p in parameters()])
    run()
    after = torch.cat([p.detach().flatten() for p in parameters()])
    found["digests"][name] = hashlib.sha256(after.numpy().tobytes()).hexdigest()
    found["moved"][name] = (after - before)[:: max(1, len(after) // MOVES)].tolist()
    found["ms"][name] = median_ms(run) / steps


def median_ms(run: Callable[[], object]) -> float:
    """Return the median time of a call."""
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def networks(task: Task) -> tuple[Actor, TwinCritic]:
    """Return SAC's networks with their first weights."""
    generator, bound = torch.Generator().manual_seed(0), torch.ones(task.action_dim)
    shape = {"hidden": task.sac_hidden, "layers": task.sac_layers}
    actor = Actor(task.obs_dim, -bound, bound, **shape, generator=generator)
    return actor, TwinCritic(task.obs_dim, task.action_dim, **shape, generator=generator)


def sac(task: Task, asked: dict[str, Any]) -> Case:
    """Return the updates of an env step, on batches gathered before."""
    actor, critic = networks(task)
    rates = {"actor_lr": 3e-4, "critic_lr": 3e-4, "alpha_lr": 3e-4}
    agent = SACAgent(
        actor,
        critic,
        gamma=0.99,
        tau=0.005,
        **rates,
        init_alpha=1.0,
        target_entropy=-float(task.action_dim),
        generator=torch.Generator().manual_seed(1),
        **asked,
    )
    width = 2 * task.obs_dim + task.action_dim + 2
    rows = torch.randn(UPDATES, BATCH, width, generator=torch.Generator().manual_seed(2))
    rows[..., -1] = 0.0
    batches = Transitions(rows, task.obs_dim, task.action_dim)
    flats = [actor.net.flat, critic.net.flat, agent.critic_target.net.flat]
    return lambda: agent.update_each(batches), UPDATES, lambda: flats


def model(task: Task) -> DynamicsEnsemble:
    """Return the ensemble with its first weights."""
    return DynamicsEnsemble(
        task.obs_dim,
        task.action_dim,
        members=task.members,
        hidden=task.model_hidden,
        layers=task.model_layers,
        generator=torch.Generator().manual_seed(0),
    )


def training(task: Task, asked: dict[str, Any]) -> Case:
    """Return an epoch of minibatches."""
    ensemble, rows = model(task), MINIBATCHES * BATCH
    trainer = EnsembleTrainer(
        ensemble,
        lr=1e-3,
        batch_size=BATCH,
        max_epochs=1,
        patience=1,
        elites=task.elites,
        normalize_targets=False,
        generator=torch.Generator().manual_seed(1),
        **asked,
    )
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(rows, task.model_sizes[0], generator=generator)
    labels = torch.randn(rows, 1 + task.obs_dim, generator=generator)
    bootstrap = torch.randint(rows, (task.members, rows), generator=generator)
    parameters = [ensemble.net.flat, ensemble.min_logvar, ensemble.max_logvar]
    return lambda: trainer._epoch(inputs, labels, bootstrap), MINIBATCHES, lambda: parameters


def imagined(task: Task, asked: dict[str, Any]) -> tuple[Callable[[], object], int]:
    """Return a step of policy and model from many states."""
    ensemble, (actor, _) = model(task), networks(task)
    ensemble.elites = ensemble.elites[: task.elites].clone()
    fake_env, generator = FakeEnv(ensemble, never, **asked), torch.Generator().manual_seed(1)
    obs = torch.randn(IMAGINED_ROWS, task.obs_dim, generator=generator)

    @torch.no_grad()
    def run() -> object:
        return fake_env.step(obs, actor.sample(obs, generator, **asked).action, generator)

    return run, IMAGINED_ROWS


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
