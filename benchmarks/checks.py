"""Assert, before anything is timed, that a contender computes what its group is about."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks.alternatives import forward, sac
from benchmarks.alternatives import training as plain_training
from benchmarks.alternatives.sac import policy
from benchmarks.cases import BATCH, ForwardCase, ImaginedCase, SACCase, TrainingCase

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
STEPS = 3
# Of the parameters' movement. Adam's first steps follow the sign of a gradient however small, so
# rounding turns a few of the smallest ones round.
MOVED = 2e-2


def assert_close(found: Any, true: Any, tolerance: float) -> None:
    """Assert ‖found − true‖ ≤ tolerance·‖true‖; a NaN is not close."""
    f, t = (torch.as_tensor(v).detach().double() for v in (found, true))
    assert f.shape == t.shape, f"shape {list(f.shape)}, expected {list(t.shape)}"
    error = float((f - t).norm() / t.norm())
    assert error <= tolerance, f"relative error {error:.1e}, expected at most {tolerance:.0e}"


def check_forward(run: forward.Forward, x: Tensor, case: ForwardCase) -> None:
    """Compare the outputs on x, the case's in any dtype, with float64 on the unrounded inputs."""
    exact = case.to(torch.float64)
    wanted = forward.baddbmm(exact.layers.weights, exact.layers.biases)(exact.x)
    assert_close(run(x), wanted, TOLERANCE[x.dtype])


class Trainer(Protocol):
    """Take training steps of a case."""

    def step(self, index: Tensor) -> object:
        """Take one on rows ``index`` [E, B]."""

    def parameters(self) -> list[Tensor]:
        """Return weights, biases, min_logvar and max_logvar."""


def check_training(trainer: Trainer, case: TrainingCase) -> None:
    """Take the first steps and compare how far the parameters moved with float64."""
    exact = plain_training.Plain(case.double())
    start = _flat(exact.parameters())
    for index in case.batches[:STEPS]:
        trainer.step(index)
        exact.step(index)
    _assert_moved(start, trainer.parameters(), exact.parameters())


class Updater(Protocol):
    """Take SAC updates of a case."""

    def update(self, batches: Tensor) -> object:
        """Take one on each of K batches of transitions [K, B, W]."""

    def parameters(self) -> list[Tensor]:
        """Return the actor's, critics' and targets' layers, then log α."""


def check_sac(updater: Updater, case: SACCase, other: Callable[[SACCase], Updater] | None = None) -> None:
    """Take the first updates and compare how far the parameters moved with float64, or with ``other`` in float32.

    The updater's generator starts from case.seed: both draw the same noise.
    """
    exact = other(case) if other else sac.Plain(case.to(torch.float64))
    start = _flat(exact.parameters())
    batches = case.rows[: STEPS * BATCH].view(STEPS, BATCH, -1)
    updater.update(batches)
    exact.update(batches if other else batches.double())
    _assert_moved(start, updater.parameters(), exact.parameters())


def _assert_moved(start: Tensor, found: list[Tensor], exact: list[Tensor]) -> None:
    assert_close(_flat(found) - start, _flat(exact) - start, MOVED)


def _flat(parameters: list[Tensor]) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in parameters])


@torch.no_grad()
def check_imagined(run: Callable[[Tensor], tuple[Any, ...]], case: ImaginedCase) -> None:
    """Check samples of a case whose variance is next to nothing.

    Every (reward, next_obs) is the mean that one elite predicts, the elites have equal shares of
    the rows, and the actions' noise is standard normal.
    """
    obs = case.obs
    action, reward, next_obs = (torch.as_tensor(t).double() for t in run(obs)[:3])
    found = torch.cat((reward[:, None], next_obs - obs), dim=1)
    model = case.model.to(torch.float64)
    weights, biases = ([t[case.elites] for t in ts] for ts in (model.weights, model.biases))
    inputs = torch.cat((obs.double(), action), dim=1).expand(len(case.elites), -1, -1)
    means = forward.baddbmm(weights, biases)(inputs).chunk(2, dim=-1)[0]
    distance, nearest = (means - found).norm(dim=-1).min(dim=0)
    assert distance.max() <= 1e-4 * means.norm(dim=-1).max(), "a row is no elite's prediction"
    share = torch.bincount(nearest, minlength=len(weights[0])) / len(obs)
    spread = 5.0 / math.sqrt(len(obs))
    assert (share - 1.0 / len(weights[0])).abs().max() <= spread, f"elites' shares are {share}"
    mean, log_std = policy(case.actor.to(torch.float64), obs.double())
    noise = (action.clamp(-1 + 1e-7, 1 - 1e-7).atanh() - mean) * (-log_std).exp()
    assert noise.mean().abs() <= spread, f"the actions' noise has mean {noise.mean():.3f}"
    assert (noise.var() - 1.0).abs() <= 2.0 * spread, f"and variance {noise.var():.3f}"
