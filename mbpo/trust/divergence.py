"""Estimate, while a run is on, the errors that the bound is made of.

The theorems take suprema over states of total variation distances. What data can give is a mean
or a quantile over visited states, and for a nearly deterministic simulator the model's literal
total variation is 1, so it is measured at a stated resolution σ₀. docs/theory.md says what follows.
"""

from __future__ import annotations

import torch
from torch import Tensor


def total_variation_bound(kl: Tensor) -> Tensor:
    """Return an upper bound on total variation, elementwise, in [0, 1].

        TV ≤ min(√(KL/2), √(1 − e^{−KL}))

    Source: Pinsker; Bretagnolle and Huber (1979).
    """
    return torch.minimum((kl / 2).sqrt(), (-torch.expm1(-kl)).sqrt()).clamp(0.0, 1.0)


def gaussian_kl(
    mean_p: Tensor,  # [..., D]
    logvar_p: Tensor,  # [..., D]
    mean_q: Tensor,  # [..., D]
    logvar_q: Tensor,  # [..., D]
) -> Tensor:  # [...], nats
    """Return KL(p‖q) of diagonal Gaussians, summed over D."""
    gap = logvar_q - logvar_p
    spread = (mean_p - mean_q).square() * (-logvar_q).exp() + (-gap).exp()
    return 0.5 * (gap + spread - 1.0).sum(dim=-1).clamp(min=0.0)


def policy_shift(
    log_prob_now: Tensor,  # [N], log π(a|s)
    log_prob_then: Tensor,  # [N], log π_D(a|s) of the same actions, which π_D drew
) -> Tensor:  # []
    """Return the mean total variation between the policy and the one that chose the actions.

    TV(π, π_D) = E_{a ~ π_D} max(0, 1 − π(a|s)/π_D(a|s))
    """
    return (1.0 - (log_prob_now - log_prob_then).exp()).clamp(min=0.0).mean()


def policy_shift_bound(
    mean_now: Tensor,  # [N, A], before tanh
    log_std_now: Tensor,  # [N, A]
    mean_then: Tensor,  # [N, A]
    log_std_then: Tensor,  # [N, A]
) -> Tensor:  # [N]
    """Return each state's bound on that total variation.

    The divergence of tanh-Gaussians is that of the Gaussians before tanh, since tanh is one to one.
    """
    kl = gaussian_kl(mean_then, 2.0 * log_std_then, mean_now, 2.0 * log_std_now)
    return total_variation_bound(kl)


def model_error(
    mean: Tensor,  # [K, N, D], of K members
    logvar: Tensor,  # [K, N, D]
    target: Tensor,  # [N, D]
    resolution: float,  # σ₀, in the units of D
) -> Tensor:  # [K, N]
    """Return the model's error as a total variation at resolution σ₀, of each member on each row.

    TV(N(y, σ₀²), N(μ, σ² + σ₀²)) ≤ min(√(KL/2), √(1 − e^{−KL}))
    """
    known = torch.full_like(target, 2.0 * float(torch.tensor(resolution).log()))
    blurred = (logvar.exp() + resolution**2).log()
    return total_variation_bound(gaussian_kl(target, known, mean, blurred))
