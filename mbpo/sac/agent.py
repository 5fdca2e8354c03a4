"""Update actor, critics and temperature from batches of transitions."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.sac.losses import actor_loss, alpha_loss, critic_loss, td_target
from mbpo.sac.networks import Actor, TwinCritic


@dataclass(frozen=True)
class SACReport:
    """Hold means over one update, detached and still on their device."""

    values: Tensor  # [5], in the order of KEYS

    KEYS = ("sac/critic_loss", "sac/actor_loss", "sac/alpha", "sac/entropy", "sac/q_mean")


class SACAgent:
    """Own the actor, the critics, their targets, the temperature and the optimisers.

    Source: SAC, arXiv:1812.05905, Algorithm 1.
    """

    def __init__(
        self,
        actor: Actor,
        critic: TwinCritic,
        *,
        gamma: float,
        tau: float,
        actor_lr: float,
        critic_lr: float,
        alpha_lr: float,
        init_alpha: float,
        target_entropy: float,
        generator: torch.Generator,
    ) -> None:
        self.actor = actor
        self.critic = critic
        self.critic_target = copy.deepcopy(critic).requires_grad_(False)
        self.target_entropy = target_entropy
        self._gamma = gamma
        self._tau = tau
        self._generator = generator
        device = actor.scale.device
        self.log_alpha = torch.tensor(init_alpha, device=device).log().requires_grad_()
        self._critic_adam = torch.optim.Adam(critic.parameters(), lr=critic_lr, fused=True)
        self._actor_adam = torch.optim.Adam(
            [
                {"params": list(actor.parameters()), "lr": actor_lr},
                {"params": [self.log_alpha], "lr": alpha_lr},
            ],
            fused=True,
        )
        self._target_parameters: list[Tensor] = list(self.critic_target.parameters())
        self._critic_parameters = [p.detach() for p in critic.parameters()]

    def update(self, batch: Transitions) -> SACReport:
        """Take one gradient step on the critics, then the actor and α; move the targets by τ."""
        alpha = self.log_alpha.detach().exp()
        values, loss_q = self._update_critic(batch, alpha)
        log_prob, loss_pi = self._update_actor(batch, alpha)
        torch._foreach_lerp_(self._target_parameters, self._critic_parameters, self._tau)
        parts = (loss_q, loss_pi, alpha, -log_prob.mean(), values.mean())
        return SACReport(torch.stack([part.detach() for part in parts]))

    def _update_critic(self, batch: Transitions, alpha: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            chosen = self.actor.sample(batch.next_obs, self._generator)
            next_values = self.critic_target(torch.cat((batch.next_obs, chosen.action), dim=1))
            target = td_target(
                batch.reward, batch.terminated, next_values, chosen.log_prob, alpha, self._gamma
            )
        values = self.critic(batch.obs_action)
        loss = critic_loss(values, target)
        self._critic_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._critic_adam.step()
        return values, loss

    def _update_actor(self, batch: Transitions, alpha: Tensor) -> tuple[Tensor, Tensor]:
        chosen = self.actor.sample(batch.obs, self._generator)
        values = self.critic(torch.cat((batch.obs, chosen.action), dim=1), frozen=True)
        loss = actor_loss(chosen.log_prob, values, alpha)
        temperature = alpha_loss(self.log_alpha, chosen.log_prob.detach(), self.target_entropy)
        self._actor_adam.zero_grad()
        (loss + temperature).backward()  # type: ignore[no-untyped-call]
        self._actor_adam.step()
        return chosen.log_prob, loss
