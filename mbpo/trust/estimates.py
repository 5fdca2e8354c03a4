"""Estimate, at a refit, what the bound is made of, and put it under metric keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mbpo.data.real_buffer import RealBuffer
from mbpo.data.transitions import Transitions
from mbpo.errors import DivergedError
from mbpo.settings.config import Config
from mbpo.trust.bound import best_length, branched_gap, gap_ratio, largest_gap
from mbpo.trust.divergence import model_error, policy_shift, policy_shift_bound

POLICY_SHIFT_ROWS = 2000
LARGEST_K_STAR = 1000


class Model(Protocol):
    """What is asked of the dynamics ensemble."""

    elites: Tensor  # [K] int64

    def standardized(self, transitions: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """Return elites' mean and logvar [K, N, D] and the true targets [N, D], in stds of the targets."""


class Policy(Protocol):
    """What is asked of the policy π."""

    def __call__(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log_std [N, A] before tanh at obs [N, O]."""

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return log π(a|s) [N]."""


@dataclass(frozen=True)
class NewDataError:
    """Hold the model's errors on transitions that it has not been trained on."""

    mse: float  # in the units of the model's loss
    eps_m_new: float  # ε_m', total variation at σ₀


@dataclass(frozen=True)
class Estimates:
    """Hold what a refit measured for Thm 4.3; None where it is not known yet."""

    gamma: float
    r_max: float  # reward per step
    resolution: float  # σ₀, in target standard deviations
    eps_m: float  # ε_m on held-out rows
    eps_pi: float | None  # ε_π over real rows
    eps_pi_p95: float | None
    fresh: NewDataError | None

    @property
    def rho(self) -> float | None:
        """Return ρ = ε_m'/ε_π, None where one is not known or the policy has not moved."""
        return self.fresh.eps_m_new / self.eps_pi if self.fresh and self.eps_pi else None

    @property
    def k_star(self) -> float | None:
        """Return k*, at most 1000, or None where ρ is not known."""
        return None if self.rho is None else min(best_length(self.gamma, self.rho), LARGEST_K_STAR)

    def metrics(self, length: int) -> dict[str, float | None]:
        """Return the estimates, and what Thm 4.3 makes of k = ``length``, under their metric keys."""
        metrics: dict[str, float | None] = {
            "bound/eps_m": self.eps_m,
            "bound/eps_pi": self.eps_pi,
            "bound/eps_pi_p95": self.eps_pi_p95,
            "bound/r_max": self.r_max,
            "bound/resolution": self.resolution,
        }
        if self.fresh is None:
            return metrics
        metrics |= {"bound/eps_m_new": self.fresh.eps_m_new, "model/new_data_mse": self.fresh.mse}
        if self.eps_pi is None:
            return metrics
        gap = branched_gap(length, self.gamma, self.r_max, self.eps_pi, self.fresh.eps_m_new)
        metrics["bound/c_over_gap"] = gap / largest_gap(self.gamma, self.r_max)
        if self.rho is not None:
            ratio = gap_ratio(length, self.gamma, self.rho)
            metrics |= {"bound/rho": self.rho, "bound/k_star": self.k_star, "bound/c_ratio": ratio}
        return metrics


def new_data_error(
    model: Model,
    errors: Callable[[Transitions], tuple[Tensor, Tensor]],  # rows -> each member's mse and nll [E]
    unseen: Transitions,
    resolution: float,  # σ₀
) -> NewDataError | None:
    """Score the transitions collected since the last refit, before training on them.

    They come from the current policy and are unseen, which is what the expectation in Thm A.2 of
    MBPO asks for. None where there are none.
    """
    if not len(unseen):
        return None
    mse, _ = errors(unseen)
    eps = model_error(*model.standardized(unseen), resolution)
    return NewDataError(float(mse[model.elites].mean()), float(eps))


@torch.no_grad()
def estimate(
    model: Model,
    policy: Policy,
    real_buffer: RealBuffer,
    config: Config,
    fresh: NewDataError | None,
    generator: torch.Generator,  # draws the rows on which ε_π is measured
) -> Estimates:
    """Measure ε_m and ε_π after a refit, and put ε_m', which was measured before it, beside them.

    Raises:
        DivergedError: the model or the policy gives values that are not finite.
    """
    held = real_buffer.holdout_rows()
    rows = held if len(held) else real_buffer.training_rows()
    eps_m = float(model_error(*model.standardized(rows), config.bound_resolution))
    eps_pi, eps_pi_p95 = _policy_shift(policy, real_buffer, generator)
    if not math.isfinite(eps_m + (eps_pi or 0.0)):
        raise DivergedError(f"the model's error is {eps_m} and the policy's shift {eps_pi}")
    r_max = max(real_buffer.largest_reward(), 1e-9) if config.r_max == "auto" else float(config.r_max)
    return Estimates(config.gamma, r_max, config.bound_resolution, eps_m, eps_pi, eps_pi_p95, fresh)


def _policy_shift(
    policy: Policy, real_buffer: RealBuffer, generator: torch.Generator
) -> tuple[float | None, float | None]:
    """Return ε_π over real rows, and the 95th percentile of its bound over those of the policy.

    Rows that were planned, in a run that a fork has from its parent, have no density.
    """
    rows, then = real_buffer.sample_behaviour(POLICY_SHIFT_ROWS, generator)
    known = ~then.log_prob.isnan()
    if not known.any():
        return None, None
    log_prob = policy.log_prob(rows.obs[known], rows.action[known])
    shift = float(policy_shift(log_prob, then.log_prob[known]))
    gaussian = ~then.mean.isnan().any(dim=1)
    if not gaussian.any():
        return shift, None
    mean, log_std = policy(rows.obs[gaussian])
    bounds = policy_shift_bound(mean, log_std, then.mean[gaussian], then.log_std[gaussian])
    return shift, float(bounds.quantile(0.95))
