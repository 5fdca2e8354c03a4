"""Say when an imagined state ends the episode: the known rule of each environment.

To add one, write a function of (obs, action, next_obs) and enter it in ``RULES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # [N,O], [N,A], [N,O] -> [N] bool


def never(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return False for every row: Pendulum and HalfCheetah end by time only."""
    return torch.zeros(next_obs.shape[0], dtype=torch.bool, device=next_obs.device)


def inverted_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Return ¬(finite ∧ |θ| ≤ 0.2); θ is next_obs[1], in radians."""
    upright = next_obs[:, 1].abs() <= 0.2
    return ~(upright & next_obs.isfinite().all(dim=1))


RULES: dict[str, Rule] = {
    "Pendulum": never,
    "InvertedPendulum": inverted_pendulum,
    "HalfCheetah": never,
}


def rule_for(env_id: str) -> Rule | None:
    """Return the rule of ``env_id`` without its namespace and version, or None for a stranger."""
    name = re.sub(r"-v\d+$", "", env_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
    return RULES.get(name)
