"""Hold what the critics promise to what really comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mbpo.data.played import Played


class Policy(Protocol):
    """What is asked of the policy π."""

    def sample(self, obs: Tensor, generator: torch.Generator) -> Choice:
        """Return actions drawn at obs [N, O]."""


class Choice(Protocol):
    """Actions drawn, and how likely they were."""

    @property
    def action(self) -> Tensor:
        """[N, A]."""

    @property
    def log_prob(self) -> Tensor:
        """[N], nats."""


class Critic(Protocol):
    """What is asked of the critics."""

    def __call__(self, obs_action: Tensor) -> Tensor:
        """Return the values of both at [N, O + A], [2, N]."""


@dataclass(frozen=True)
class Promise:
    """Hold means over episodes, in units of return."""

    promised: float  # discounted, entropy aside
    came: float  # discounted

    def metrics(self) -> dict[str, float]:
        """Return them under their metric keys."""
        return {
            "trust/q_bias": self.promised - self.came,
            "trust/q_mean": self.promised,
            "trust/return_discounted": self.came,
        }


@torch.no_grad()
def promise(
    episodes: Sequence[Played],
    policy: Policy,
    critic: Critic,
    alpha: float,
    gamma: float,
    reward_scale: float,
    generator: torch.Generator,  # draws the actions by which entropies are estimated
) -> Promise:
    """Compare min Q at the first state and action of each episode with the discounted rewards that followed.

        Q(s₀, a₀) = Σ_{t<T} γᵗ r_t + Σ_{0<t≤T} γᵗ α H(π(·|s_t)) + γᵀ Q(s_T, a_T)

    holds of a soft value; what the first sum is not, is taken off Q. After a real end the terms of T are none. The
    policy that plays takes its mean actions, the one whose value Q is draws them.

    Source: the soft value of SAC, arXiv:1812.05905, Eq. 2 and 3, along T steps.
    """
    device = generator.device
    promised, came = [], []
    for played in episodes:
        obs = torch.from_numpy(played.obs).to(device)
        drawn = policy.sample(obs, generator)
        steps = len(played.rewards)
        discount = gamma ** torch.arange(steps + 1, device=device, dtype=torch.float64)
        soft = -alpha * drawn.log_prob.double()
        soft[-1] = 0.0 if played.terminated else soft[-1] + _least(critic, obs[-1:], drawn.action[-1:])
        first = _least(critic, obs[:1], torch.from_numpy(played.action[:1]).to(device))
        promised.append(float(first - (discount[1:] * soft[1:]).sum()) / reward_scale)
        came.append(float((discount[:-1].cpu().numpy() * played.rewards).sum()))
    return Promise(float(np.mean(promised)), float(np.mean(came)))


def _least(critic: Critic, obs: Tensor, action: Tensor) -> Tensor:  # [1, O], [1, A] -> []
    return critic(torch.cat((obs, action), dim=1)).amin(dim=0)[0].double()
