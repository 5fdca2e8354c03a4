"""Estimate, at a refit, what the bound is made of, and put it under metric keys."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mbpo.data.real_buffer import RealBuffer
from mbpo.errors import DivergedError
from mbpo.settings.config import Config
from mbpo.trust.bound import best_length, branched_gap, gap_ratio, largest_gap, why_not_told
from mbpo.trust.divergence import model_error, policy_shift, policy_shift_bound
from mbpo.trust.scores import ERROR, ROWS, Measured, Model

POLICY_SHIFT_ROWS = 2000
LARGEST_K_STAR = 1000
LEAST_EPISODES = 3  # of a bootstrap
RESAMPLES = 400


class Policy(Protocol):
    """What is asked of the policy π."""

    def __call__(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log_std [N, A] before tanh at obs [N, O]."""

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return log π(a|s) [N]."""


@dataclass(frozen=True)
class Band:
    """Hold k* as far as the data tells it: a bootstrap over the episodes that it was measured on."""

    low: float  # 5 % of the bootstrap's k* are smaller
    high: float  # 5 % are larger
    told: bool  # whether that is narrow enough to act on, at a resolution that fits the model


@dataclass(frozen=True)
class Estimates:
    """Hold what a refit measured for Thm 4.3; None where it is not known yet."""

    gamma: float
    r_max: float  # reward per step
    resolution: float  # σ₀, in target standard deviations
    eps_m: float  # ε_m on held-out rows
    eps_pi: float | None  # ε_π over real rows
    eps_pi_p95: float | None
    eps_m_new: float | None  # ε_m' over the newest whole episodes
    band: Band | None  # of k*; None where there are too few whole episodes

    @property
    def rho(self) -> float | None:
        """Return ρ = ε_m'/ε_π, None where one is not known or the policy has not moved."""
        return self.eps_m_new / self.eps_pi if self.eps_m_new is not None and self.eps_pi else None

    @property
    def k_star(self) -> float | None:
        """Return k*, at most 1000, or None where ρ is not known."""
        return None if self.rho is None else _k_star(self.gamma, self.rho)

    def metrics(self, length: float) -> dict[str, float | None]:
        """Return the estimates, and what Thm 4.3 makes of k = ``length``, under their metric keys."""
        metrics: dict[str, float | None] = {
            "bound/eps_m": self.eps_m,
            "bound/eps_pi": self.eps_pi,
            "bound/eps_pi_p95": self.eps_pi_p95,
            "bound/r_max": self.r_max,
            "bound/resolution": self.resolution,
        }
        if self.eps_m_new is None:
            return metrics
        metrics["bound/eps_m_new"] = self.eps_m_new
        if self.eps_pi is None:
            return metrics
        gap = branched_gap(length, self.gamma, self.r_max, self.eps_pi, self.eps_m_new)
        metrics["bound/c_over_gap"] = gap / largest_gap(self.gamma, self.r_max)
        if self.rho is not None:
            ratio = gap_ratio(length, self.gamma, self.rho)
            metrics |= {"bound/rho": self.rho, "bound/k_star": self.k_star, "bound/c_ratio": ratio}
        if self.band is not None:
            metrics |= {"bound/k_star_low": self.band.low, "bound/k_star_high": self.band.high}
        return metrics


@torch.no_grad()
def estimate(
    model: Model,
    policy: Policy,
    real_buffer: RealBuffer,
    config: Config,
    measured: Measured,  # on rows that came before this refit
    generator: torch.Generator,  # draws the rows on which ε_π is measured
) -> Estimates:
    """Measure ε_m and ε_π after a refit, and put ε_m', which was measured before it, beside them.

    ε_m' is a mean over whole episodes of the policy: each part of an episode was scored by the model of its time, on
    rows not trained on, as the expectation in Thm A.2 of MBPO asks. ε_π is one over rows drawn from all real rows,
    where rollouts begin.

    Raises:
        DivergedError: the model or the policy gives values that are not finite.
    """
    held = real_buffer.holdout_rows()
    rows = held if len(held) else real_buffer.training_rows()
    eps_m = float(model_error(*model.standardized(rows), config.bound_resolution).mean())
    eps_pi, eps_pi_p95 = _policy_shift(policy, real_buffer, generator)
    if not math.isfinite(eps_m + (eps_pi or 0.0)):
        raise DivergedError(f"the model's error is {eps_m} and the policy's shift {eps_pi}")
    r_max = max(real_buffer.largest_reward(), 1e-9) if config.r_max == "auto" else float(config.r_max)
    new, band = None, None
    if measured.rows:
        new = min(1.0, float(measured.episodes[:, ERROR].sum()) / measured.rows)
        band = _band(measured.episodes, config, eps_pi) if eps_pi else None
    return Estimates(config.gamma, r_max, config.bound_resolution, eps_m, eps_pi, eps_pi_p95, new, band)


def _k_star(gamma: float, rho: float) -> float:
    return min(best_length(gamma, rho), LARGEST_K_STAR)


def _band(episodes: Tensor, config: Config, eps_pi: float) -> Band | None:
    """Return the 5 % and 95 % points of k* over resampled episodes."""
    if len(episodes) < LEAST_EPISODES:
        return None
    sums = episodes[:, [ROWS, ERROR]].double().cpu().numpy()
    draws = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    rows, errors = sums[draws].sum(axis=1).T
    lengths = [_k_star(config.gamma, rho) for rho in errors / rows / eps_pi]
    low, high = np.quantile(lengths, (0.05, 0.95), method="nearest")
    new = float(sums[:, 1].sum() / sums[:, 0].sum())
    return Band(float(low), float(high), not why_not_told(new, float(low), float(high)))


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
