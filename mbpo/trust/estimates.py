"""Put the bound's estimates of one refit together, under their metric keys."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mbpo.data.transitions import Transitions
from mbpo.errors import DivergedError
from mbpo.learner.learner import Learner
from mbpo.settings.config import Config
from mbpo.trust.bound import best_length, branched_gap, gap_ratio, largest_gap
from mbpo.trust.divergence import model_error, policy_shift, policy_shift_bound

POLICY_SHIFT_ROWS = 2000
LARGEST_K_STAR = 1000


@dataclass(frozen=True)
class NewDataError:
    """Hold the model's errors on transitions that it has not been trained on."""

    mse: float  # in the units of the model's loss
    eps_m_new: float  # ε_m', total variation at σ₀


def new_data_error(learner: Learner, unseen: Transitions, config: Config) -> NewDataError | None:
    """Score the transitions collected since the last refit, before training on them.

    They come from the current policy and are unseen, which is what the expectation in Thm A.2 of
    MBPO asks for. None where there are none.
    """
    if not len(unseen):
        return None
    errors, _ = learner.trainer.errors(unseen)
    eps = model_error(*learner.ensemble.standardized(unseen), config.bound_resolution)
    return NewDataError(float(errors[learner.ensemble.elites].mean()), float(eps))


@torch.no_grad()
def bound_metrics(
    learner: Learner,
    config: Config,
    length: int,  # k in force
    fresh: NewDataError | None,
) -> dict[str, float | None]:
    """Return ε_m, ε_m', ε_π and what Thm 4.3 makes of them; None where one is not known yet.

    Raises:
        DivergedError: the model or the policy gives values that are not finite.
    """
    held = learner.real_buffer.holdout_rows()
    rows = held if len(held) else learner.real_buffer.training_rows()
    eps_m = float(model_error(*learner.ensemble.standardized(rows), config.bound_resolution))
    eps_pi, eps_pi_p95 = _policy_shift(learner)
    if not math.isfinite(eps_m + (eps_pi or 0.0)):
        raise DivergedError(f"the model's error is {eps_m} and the policy's shift {eps_pi}")
    largest_reward = learner.real_buffer.largest_reward()
    r_max = max(largest_reward, 1e-9) if config.r_max == "auto" else float(config.r_max)
    metrics: dict[str, float | None] = {
        "bound/eps_m": eps_m,
        "bound/eps_pi": eps_pi,
        "bound/eps_pi_p95": eps_pi_p95,
        "bound/r_max": r_max,
        "bound/resolution": config.bound_resolution,
    }
    if fresh is None:
        return metrics
    metrics |= {"bound/eps_m_new": fresh.eps_m_new, "model/new_data_mse": fresh.mse}
    if eps_pi is None:
        return metrics
    gap = branched_gap(length, config.gamma, r_max, eps_pi, fresh.eps_m_new)
    metrics["bound/c_over_gap"] = gap / largest_gap(config.gamma, r_max)
    if eps_pi > 0:
        rho = fresh.eps_m_new / eps_pi
        metrics["bound/rho"] = rho
        metrics["bound/k_star"] = min(best_length(config.gamma, rho), LARGEST_K_STAR)
        metrics["bound/c_ratio"] = gap_ratio(length, config.gamma, rho)
    return metrics


def _policy_shift(learner: Learner) -> tuple[float | None, float | None]:
    """Return ε_π over real rows, and the 95th percentile of its bound over those of the policy.

    Rows that were planned, in a run that a fork has from its parent, have no density.
    """
    rows, then = learner.real_buffer.sample_behaviour(POLICY_SHIFT_ROWS, learner.streams.bound)
    actor = learner.agent.actor
    known = ~then.log_prob.isnan()
    if not known.any():
        return None, None
    log_prob = actor.log_prob(rows.obs[known], rows.action[known])
    shift = float(policy_shift(log_prob, then.log_prob[known]))
    gaussian = ~then.mean.isnan().any(dim=1)
    if not gaussian.any():
        return shift, None
    mean, log_std = actor(rows.obs[gaussian])
    bounds = policy_shift_bound(mean, log_std, then.mean[gaussian], then.log_std[gaussian])
    return shift, float(bounds.quantile(0.95))
