"""Say when an imagined state ends the episode: the known rule of each environment.

To add one for an environment of your own, write a function of (obs, action, next_obs) and enter it
beside the environment's own registration, in the module that ``--env-id module:Name-v0`` imports:

    from mbpo.envs.termination import RULES
    RULES["Name"] = lambda obs, action, next_obs: next_obs[:, 0] < 0.3

Without one, :mod:`mbpo.dynamics.termination_head` learns when episodes end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # [N,O], [N,A], [N,O] -> [N] bool


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


def hopper(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(z > 0.7 ∧ |angle| < 0.2 ∧ all |next_obs[1:]| < 100); (z, angle) is next_obs[:2].

    The last condition is on absolute values. Several ports compare signed ones.
    """
    standing = (next_obs[:, 0] > 0.7) & (next_obs[:, 1].abs() < 0.2)
    return ~(standing & (next_obs[:, 1:].abs() < 100.0).all(dim=1))


def walker2d(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(0.8 < z < 2 ∧ |angle| < 1); (z, angle) is next_obs[:2]."""
    z, angle = next_obs[:, 0], next_obs[:, 1]
    return ~((z > 0.8) & (z < 2.0) & (angle.abs() < 1.0))


def ant(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(finite ∧ 0.2 ≤ z ≤ 1); z is next_obs[0]."""
    z = next_obs[:, 0]
    return ~((z >= 0.2) & (z <= 1.0) & next_obs.isfinite().all(dim=1))


def humanoid(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(1 < z < 2); z is next_obs[0]."""
    z = next_obs[:, 0]
    return ~((z > 1.0) & (z < 2.0))


RULES: dict[str, Rule] = {
    "Pendulum": never,
    "InvertedPendulum": inverted_pendulum,
    "InvertedDoublePendulum": inverted_double_pendulum,
    "HalfCheetah": never,
    "Swimmer": never,
    "Reacher": never,
    "Pusher": never,
    "Hopper": hopper,
    "Walker2d": walker2d,
    "Ant": ant,
    "AntTruncated": ant,
    "Humanoid": humanoid,
    "HumanoidTruncated": humanoid,
}


def rule_name(env_id: str) -> str:
    """Return ``env_id`` without its module, namespace and version, as :data:`RULES` has it."""
    return re.sub(r"-v\d+$", "", env_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1])


def rule_for(env_id: str) -> Rule | None:
    """Return the rule of ``env_id``, or None for a stranger."""
    return RULES.get(rule_name(env_id))
