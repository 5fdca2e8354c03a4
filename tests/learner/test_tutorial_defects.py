"""What is wrong in the tutorial this project starts from, each as a test that its code would fail.

docs/algorithm.md lists them; those that a numbered detail covers are in test_paper_details.py.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learners import rows
from torch import Tensor

from mbpo import train as train_module
from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.rules import inverted_pendulum, never
from mbpo.learner.learner import Learner
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.settings.config import resolve

O, A = 4, 2  # noqa: E741


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ensemble() -> DynamicsEnsemble:
    return DynamicsEnsemble(O, A, members=3, hidden=16, layers=2, generator=generator())


@pytest.mark.parametrize("count", [1, 2, 50])
def test_the_model_steps_batches_of_any_size(count: int) -> None:
    """Feeding it the loop's single states was an IndexError."""
    obs, action = torch.randn(count, O), torch.randn(count, A)
    reward, next_obs, terminated = FakeEnv(ensemble(), never).step(obs, action, generator())
    assert (reward.shape, next_obs.shape, terminated.shape) == ((count,), (count, O), (count,))
    packed = Transitions.pack(obs, action, reward, next_obs, terminated)
    assert torch.equal(packed.next_obs, next_obs)


def test_the_model_says_when_an_episode_ends() -> None:
    """Its ``done`` was always False."""
    env = FakeEnv(ensemble(), inverted_pendulum)
    obs = torch.randn(200, O)
    _, next_obs, terminated = env.step(obs, torch.zeros(200, A), generator())
    assert torch.equal(terminated, next_obs[:, 1].abs() > 0.2) and 0 < terminated.sum() < 200


@pytest.mark.parametrize(("env_id", "dims"), [("Pendulum-v1", 1), ("Hopper-v5", 3)])
def test_policies_act_and_update_in_any_number_of_action_dimensions(env_id: str, dims: int) -> None:
    """``take_action`` and ``update`` took the first number of the action for the whole."""
    learner = Learner(resolve({"env_id": env_id}, "debug"))
    steps = [learner.explore(uniform=step < 40) for step in range(80)]
    assert {step.action.shape for step in steps} == {(dims,)}
    before = learner.agent.actor.net.flat.detach().clone()
    values, _ = learner.update_policy(1.0, 2)
    assert values.isfinite().all() and not torch.equal(learner.agent.actor.net.flat, before)
    learner.close()


class Replay:
    """A small learnable data set, for refits."""

    def __init__(self, count: int, seed: int) -> None:
        obs, action = torch.randn(2, count, O, generator=generator(seed))
        action = action[:, :A]
        next_obs = obs + 0.1 * obs.tanh() + 0.05 * action.sum(1, keepdim=True)
        self.rows = Transitions.pack(obs, action, obs.sum(1), next_obs, torch.zeros(count))


def test_a_refit_after_a_plateau_trains_as_long_as_the_first() -> None:
    """CheckpointStore and patience outlived their refit: after a plateau each took one epoch."""
    trainer = EnsembleTrainer(
        ensemble(),
        lr=1e-3,
        batch_size=32,
        max_epochs=40,
        patience=3,
        elites=2,
        normalize_targets=False,
        generator=generator(1),
    )
    held = Replay(100, 9).rows
    first = trainer.fit(Replay(400, 1).rows, held)
    again = trainer.fit(Replay(400, 1).rows, held)
    other = Replay(400, 2).rows
    other.rows[:, O + A] *= -3  # rewards turn: there is everything to learn anew
    turned_held = Replay(100, 8).rows
    turned_held.rows[:, O + A] *= -3
    turned = trainer.fit(other, turned_held)
    assert min(first.epochs, again.epochs) > 3
    assert turned.epochs > 10


def test_propagate_returns_what_stepping_by_hand_sums() -> None:
    """It was dead code that could not run; here the PETS baseline plans with it."""
    env = FakeEnv(ensemble(), lambda obs, action, next_obs: next_obs[:, 1].abs() > 2.5)
    obs, actions = 0.05 * torch.randn(60, O), torch.randn(60, 5, A)
    got = env.propagate(obs, actions, generator(3))
    draws, total, alive = generator(3), torch.zeros(60), torch.ones(60, dtype=torch.bool)
    for step in range(5):
        reward, obs, terminated = env.step(obs, actions[:, step], draws)
        total[alive] += reward[alive]
        alive &= ~terminated
    torch.testing.assert_close(got, total)
    assert 0 < alive.sum() < 60  # some ended early, and stopped counting


def test_the_same_seed_repeats_whatever_state_the_global_generators_are_in(tmp_path: Path) -> None:
    """Python's ``random``, from which it sampled, was never seeded."""

    def run(name: str, seed: int) -> list[dict[str, Any]]:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        flags = ["--preset", "debug", "--total-steps", "220", "--threads", "1"]
        assert train_module.main([*flags, "--runs-root", str(tmp_path), "--run-id", name]) == 0
        metrics = rows(tmp_path / name / "metrics.jsonl")
        return [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in metrics]

    assert run("a", 1) == run("b", 2)


def test_the_logvar_bounds_move_with_training() -> None:
    """They had requires_grad=False and were penalised all the same."""
    model = ensemble()
    before: list[Tensor] = [bound.detach().clone() for bound in (model.max_logvar, model.min_logvar)]
    EnsembleTrainer(
        model,
        lr=1e-3,
        batch_size=32,
        max_epochs=3,
        patience=3,
        elites=2,
        normalize_targets=False,
        generator=generator(1),
    ).fit(Replay(200, 1).rows, Replay(50, 2).rows)
    for bound, first in zip((model.max_logvar, model.min_logvar), before, strict=True):
        assert (bound != first).all()


def test_the_density_of_a_scaled_action_counts_its_scale() -> None:
    """Its log-prob was of tanh(bound · tanh z), without log(bound)."""
    learner = Learner(resolve({}, "debug"))  # torques in [-2, 2]
    obs = torch.zeros(1, 3)
    sampled = learner.agent.actor.sample(obs, generator())
    z = (sampled.action / 2).atanh()
    normal = torch.distributions.Normal(sampled.mean, sampled.log_std.exp())
    wanted = normal.log_prob(z) - math.log(2) - (1 - z.tanh().square()).log()
    torch.testing.assert_close(sampled.log_prob, wanted[:, 0], rtol=1e-4, atol=1e-4)
    learner.close()
