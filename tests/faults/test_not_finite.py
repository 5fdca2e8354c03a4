"""Nothing that is not finite gets into a weight, an environment or a checkpoint."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from figures import figure
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from learners import DEBUG, Outcome
from test_resume import compared, events

from mbpo import train
from mbpo.learner.learner import Learner
from mbpo.ops.adam import AdamState
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from mbpo.saving.store import CheckpointStore

FLAGS = ("--total-steps", "300", "--checkpoint-every", "30", "--log-every", "10", "--seed", "7")
NETWORKS = ("actor", "critic", "critic_target", "ensemble", "temperature")


def _fill(weights: torch.Tensor, bad: float) -> None:
    """Make every weight bad: one alone may be hidden behind a unit that is off."""
    with torch.no_grad():
        weights.fill_(bad)


def _all_rewards(learner: Learner, rng: random.Random, bad: float) -> None:
    """Make the loss, and so the gradient, overflow: every batch has such a row."""
    huge = bad if math.isnan(bad) else math.copysign(1e30, bad)
    learner.real_buffer.transitions.reward.fill_(huge)


def _huge_observations(learner: Learner, rng: random.Random, bad: float) -> None:
    """Make the square of the critics' gradient overflow, and nothing else."""
    learner.real_buffer.transitions.obs.fill_(1e16)


def _moment(which: Callable[[Learner], AdamState]) -> Callable[[Learner, random.Random, float], None]:
    """Have a second moment that overflowed: no loss, weight or checkpoint shows it."""

    def poison(learner: Learner, rng: random.Random, bad: float) -> None:
        moment = rng.choice(which(learner).second_moments)
        moment.view(-1)[rng.randrange(moment.numel())] = math.inf

    return poison


# What goes bad, in which method, just before it is called.
POISONS: dict[str, tuple[str, Callable[[Learner, random.Random, float], None]]] = {
    "action": ("log_interval", lambda of, rng, bad: _fill(of.agent.actor.net.flat, bad)),
    "critic's gradient": ("update_policy", _all_rewards),
    "critic's loss": ("update_policy", lambda of, rng, bad: _fill(of.agent.critic.net.flat, bad)),
    "target": ("update_policy", lambda of, rng, bad: _fill(of.agent.critic_target.net.flat, bad)),
    "critic's second moment": ("update_policy", _huge_observations),
    "critic's old moment": ("update_policy", _moment(lambda of: of.agent.adam_states()["critic"])),
    "actor's or alpha's old moment": ("update_policy", _moment(lambda of: of.agent.adam_states()["actor"])),
    "model's old moment": ("refit_and_imagine", _moment(lambda of: of.trainer.step.adam_state)),
    "model's loss": ("refit_and_imagine", lambda of, rng, bad: _fill(of.ensemble.net.flat, bad)),
}
TRIES = figure(fast=len(POISONS), full=70)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Share the rows of the run in which nothing goes bad."""
    root = tmp_path_factory.mktemp("good")
    assert train.main([*DEBUG, *FLAGS, "--runs-root", str(root), "--run-id", "good"]) == 0
    return compared(RunPaths(root / "good"))


@pytest.mark.promise("a value that is not finite: exit 4, the last good checkpoint kept")
@pytest.mark.parametrize("number", range(TRIES))
def test_what_is_not_finite_is_caught_and_the_last_good_checkpoint_kept(
    number: int,
    twin: list[dict[str, Any]],
    call: Callable[..., Outcome],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(number)
    what = sorted(POISONS)[number % len(POISONS)]
    bad = rng.choice([math.nan, math.inf, -math.inf])
    method, poison = POISONS[what]
    owner = train.Training if hasattr(train.Training, method) else train
    whole, at, done = getattr(owner, method), rng.randrange(130, 251), False  # a refit is at 250, none after
    acted = PendulumEnv.step

    def poisoned(self: train.Training, env_steps: int, *rest: Any) -> Any:
        nonlocal done
        if env_steps >= at and not done:
            done = True
            poison(self.learner, rng, bad)
        return whole(self, env_steps, *rest)

    def act(self: PendulumEnv, action: Any) -> Any:
        assert np.isfinite(action).all(), "a bad action reached the environment"
        return acted(self, action)

    monkeypatch.setattr(PendulumEnv, "step", act)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, poisoned)
        outcome = call(train.main, *DEBUG, *FLAGS, "--runs-root", tmp_path, "--run-id", "bad")
    assert done
    assert (outcome.code, len(outcome.err.splitlines())) == (4, 1), (what, bad, outcome.err)
    run = RunPaths(tmp_path / "bad")
    status = read_status(run)
    assert status is not None
    assert (status.state, status.exit_code) == ("diverged", 4)
    saved, wrong = CheckpointStore(run.checkpoints).load_newest()
    assert saved is not None and not wrong
    assert status.env_steps - 30 - 50 <= saved.loop["env_steps"] <= status.env_steps
    for part in NETWORKS:
        assert all(torch.isfinite(tensor).all() for tensor in saved.parts[part].values()), part
    assert call(train.main, "--resume", run.root).code == 0
    assert not events(run, "warning")
    newest = {row["seq"]: row for row in compared(run)}
    assert list(newest.values()) == twin
