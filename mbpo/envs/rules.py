"""Judge which states end an episode: one function for each family of Gymnasium's environments.

A rule's keyword arguments are the environment's own thresholds, and the first column of obs that it
reads; their defaults are Gymnasium's. :mod:`mbpo.envs.known_rules` says which environment has which.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # [N,O], [N,A], [N,O] -> [N] bool
Range = tuple[float, float]


def never(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return False for every row: Pendulum, HalfCheetah and Swimmer end by time only."""
    return torch.zeros(next_obs.shape[0], dtype=torch.bool, device=next_obs.device)


def inverted_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(finite ∧ |θ| ≤ 0.2); θ is next_obs[1], in radians."""
    upright = next_obs[:, 1].abs() <= 0.2
    return ~(upright & next_obs.isfinite().all(dim=1))


def inverted_double_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(height of the tip > 1 m).

    height = 0.6 cos θ₁ + 0.6 cos(θ₁ + θ₂); next_obs[1:5] is sin θ₁, sin θ₂, cos θ₁, cos θ₂.
    The environment judges by a height one stage of its integrator old, so some labels within
    2 mm of the threshold differ.
    """
    sin_1, sin_2, cos_1, cos_2 = next_obs[:, 1:5].unbind(dim=1)
    height = 0.6 * cos_1 + 0.6 * (cos_1 * cos_2 - sin_1 * sin_2)
    return ~(height > 1.0)


def hopper(
    obs: Tensor,
    action: Tensor,
    next_obs: Tensor,
    *,
    z: Range = (0.7, math.inf),
    angle: Range = (-0.2, 0.2),
    state: Range = (-100.0, 100.0),
    first: int = 0,  # column of z; angle follows
) -> Tensor:
    """Return ¬(z, angle and all of next_obs from angle on lie inside their ranges).

    Several ports compare the last with 100 only, not with −100.
    """
    moving = next_obs[:, first + 1 :]
    standing = _inside(next_obs[:, first], z) & _inside(moving[:, 0], angle)
    return ~(standing & _inside(moving, state).all(dim=1))


def walker2d(
    obs: Tensor,
    action: Tensor,
    next_obs: Tensor,
    *,
    z: Range = (0.8, 2.0),
    angle: Range = (-1.0, 1.0),
    first: int = 0,  # column of z; angle follows
) -> Tensor:
    """Return ¬(z and angle lie inside their ranges)."""
    return ~(_inside(next_obs[:, first], z) & _inside(next_obs[:, first + 1], angle))


def ant(obs: Tensor, action: Tensor, next_obs: Tensor, *, z: Range = (0.2, 1.0), first: int = 0) -> Tensor:
    """Return ¬(finite ∧ low ≤ z ≤ high), the bounds of ``z`` included; z is next_obs[first]."""
    height = next_obs[:, first]
    return ~((height >= z[0]) & (height <= z[1]) & next_obs.isfinite().all(dim=1))


def humanoid(obs: Tensor, action: Tensor, next_obs: Tensor, *, z: Range = (1.0, 2.0), first: int = 0) -> Tensor:
    """Return ¬(z lies inside its range); z is next_obs[first]."""
    return ~_inside(next_obs[:, first], z)


def _inside(x: Tensor, bounds: Range) -> Tensor:
    """Return low < x < high; where high is infinite, no value is too large."""
    low, high = bounds
    above = x > low
    return above if math.isinf(high) else above & (x < high)
