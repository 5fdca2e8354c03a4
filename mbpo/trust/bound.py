"""Compute what the theorems say a wrong model can cost. Pure functions; no torch.

Symbols: γ ``gamma``, the discount, in [0, 1); r_max ``r_max``, the largest |reward| per step;
ε_m ``eps_m`` and ε_m' ``eps_m_new``, the model's error in total variation; ε_π ``eps_pi``, the
shift of the policy since the data was collected, in total variation; k, steps of a branched
rollout; ρ = ε_m'/ε_π. Every ε lies in [0, 1]; every gap is in units of return.
"""

from __future__ import annotations

import math

from mbpo.settings.language import tr

SATURATED = 0.95  # of ε_m', from which it is called so
WIDEST = 20  # steps of the band of k*, beyond which it says nothing


def monotonic_gap(gamma: float, r_max: float, eps_m: float, eps_pi: float) -> float:
    """Return the most return that full model rollouts can overestimate.

        C = 2γ r_max (ε_m + 2ε_π)/(1−γ)² + 4 r_max ε_π/(1−γ)

    Source: MBPO, arXiv:1906.08253, Thm 4.1.

    Raises:
        ValueError: an argument lies outside its range.
    """
    _check(gamma, r_max=r_max, eps_m=eps_m, eps_pi=eps_pi)
    horizon = 1 / (1 - gamma)
    return 2 * gamma * r_max * (eps_m + 2 * eps_pi) * horizon**2 + 4 * r_max * eps_pi * horizon


def branched_gap(k: float, gamma: float, r_max: float, eps_pi: float, eps_m_new: float) -> float:
    """Return the most return that k-step branched rollouts can overestimate.

        C(k) = 2 r_max [γ^{k+1} ε_π/(1−γ)² + γ^k ε_π/(1−γ) + k ε_m'/(1−γ)]

    Source: MBPO, arXiv:1906.08253, Thm 4.3.

    Raises:
        ValueError: an argument lies outside its range.
    """
    _check(gamma, r_max=r_max, eps_pi=eps_pi, eps_m_new=eps_m_new, k=k)
    horizon = 1 / (1 - gamma)
    policy = gamma ** (k + 1) * eps_pi * horizon**2 + gamma**k * eps_pi * horizon
    return float(2 * r_max * (policy + k * eps_m_new * horizon))


def gap_ratio(k: float, gamma: float, rho: float) -> float:
    """Return C(k)/C(0): below 1, a branched rollout of length k tightens the bound.

        C(k)/C(0) = γ^k + k(1−γ)ρ

    Source: Thm 4.3 with γ^{k+1}/(1−γ)² + γ^k/(1−γ) = γ^k/(1−γ)².

    Raises:
        ValueError: an argument lies outside its range.
    """
    _check(gamma, rho=rho, k=k)
    return float(gamma**k + k * (1 - gamma) * rho)


def best_length(gamma: float, rho: float) -> float:
    """Return k*, the whole number of steps that minimises C(k); infinite when ρ is 0.

        k* = 0 if ρ ≥ 1, else ⌈ln ρ / ln γ⌉

    Source: C(k+1) − C(k) = 2 r_max(ε_m' − γ^k ε_π)/(1−γ) changes sign where γ^k = ρ.

    Raises:
        ValueError: an argument lies outside its range.
    """
    _check(gamma, rho=rho)
    if rho >= 1:
        return 0
    if rho == 0:
        return math.inf
    if gamma == 0:
        return 1
    crossing = math.log(rho) / math.log(gamma)
    nearest = round(crossing)  # ρ = γ^j to rounding: C(j) = C(j+1), take the shorter
    return nearest if abs(crossing - nearest) < 1e-9 * max(1, nearest) else math.ceil(crossing)


def largest_gap(gamma: float, r_max: float) -> float:
    """Return 2 r_max/(1−γ), the largest difference there can be between two returns.

    Raises:
        ValueError: an argument lies outside its range.
    """
    _check(gamma, r_max=r_max)
    return 2 * r_max / (1 - gamma)


def is_vacuous(gap: float, gamma: float, r_max: float) -> bool:
    """Return whether ``gap`` promises nothing: it is no smaller than the largest gap there can be.

    At k = 0 this is so exactly when ε_π ≥ 1 − γ.

    Raises:
        ValueError: an argument lies outside its range.
    """
    return gap >= largest_gap(gamma, r_max)


def why_not_told(eps_m_new: float, low: float | None, high: float | None) -> str:
    """Return why k* cannot be told from the data at hand, in words; nothing where it can.

    ``low`` and ``high`` are the ends of its band, in steps; None where there is none yet.
    """
    if eps_m_new > SATURATED:
        return tr("at this resolution the model's error is all there can be; a larger bound_resolution tells more")
    if low is None or high is None:
        return tr("too few whole episodes yet")
    wide = tr("it may be anything from {low:.0f} to {high:.0f}", low=low, high=high)
    return wide if high - low > WIDEST else ""


def _check(gamma: float, **arguments: float) -> None:
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must lie in [0, 1), got {gamma}")
    for name, value in arguments.items():
        high = 1.0 if name.startswith("eps") else math.inf
        if not 0 <= value <= high or math.isinf(value):
            raise ValueError(f"{name} must lie in [0, {high:g}], got {value}")
