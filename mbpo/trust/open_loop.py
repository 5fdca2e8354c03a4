"""Let the model run on by itself beside what really happened."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions

MOST = 50  # steps
QUANTITIES = ("starts", "error", "no_model", "reward", "real_reward", "pairs", "missed", "invented")  # summed, by step


class Imaginer(Protocol):
    """What is asked of the model."""

    @property
    def members(self) -> int:
        """Return K, the number of elites."""

    def mean_step(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each elite expects, from its own obs [K, N, O] and action [N, A].

        Reward [K, N], next_obs [K, N, O] and terminated [K, N] bool.
        """


def open_loop(
    model: Imaginer,
    rows: Transitions,  # N real rows, contiguous within a piece
    ends: Tensor,  # [N] int64, where the piece of each row ends: the first index beyond it
    spread: Tensor,  # [O], standard deviation of real states
    drift: Tensor,  # [O], mean change of real states in one step
) -> Tensor:  # [N, K_max, 8]
    """Return, for a start at each row, what QUANTITIES come to after h = 1…50 recorded actions.

        error_h = mean over elites and dims of ((ŝ_h − s_h)/spread)²,  no_model_h the same of s_0 + h · drift
        reward_h = mean over elites of (Σ r̂ − Σ r)²,  real_reward_h = (Σ r)²

    "pairs" counts the (start, elite) in which neither the real episode nor the imagined one ended before, as a share
    of the elites; "missed" those of which only the real one ends here, "invented" those of which only the imagined one
    does. Beyond a piece's end everything is 0.
    """
    total = torch.zeros(len(rows), MOST, len(QUANTITIES), device=rows.rows.device)
    start = torch.arange(len(rows), device=rows.rows.device)
    obs = rows.obs.expand(model.members, -1, -1)
    gained = torch.zeros(model.members, len(rows), device=obs.device)
    real, both = torch.zeros_like(gained[0]), torch.ones_like(gained, dtype=torch.bool)
    for h in range(MOST):
        kept = (start + h < ends[start]).nonzero()[:, 0]
        if not len(kept):
            break
        start, obs, gained, real, both = start[kept], obs[:, kept], gained[:, kept], real[kept], both[:, kept]
        now = Transitions(rows.rows[start + h], rows.obs_dim, rows.action_dim)
        reward, obs, terminated = model.mean_step(obs, now.action)
        gained, real = gained + reward, real + now.reward
        ended = now.terminated > 0
        still = rows.obs[start] + (h + 1) * drift
        parts = (
            torch.ones_like(real),
            _squared(obs, now.next_obs, spread).mean(dim=0),
            _squared(still, now.next_obs, spread),
            (gained - real).square().mean(dim=0),
            real.square(),
            _share(both),
            _share(both & ended & ~terminated),
            _share(both & ~ended & terminated),
        )
        total[start, h] = torch.stack(parts, dim=1)
        both = both & ~(ended | terminated)
    return total


def _squared(obs: Tensor, truth: Tensor, spread: Tensor) -> Tensor:  # [..., N, O] -> [..., N]
    return ((obs - truth) / spread).square().mean(dim=-1)


def _share(flags: Tensor) -> Tensor:  # [K, N] bool -> [N]
    return flags.to(torch.float32).mean(dim=0)
