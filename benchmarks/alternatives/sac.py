"""Take SAC updates in plain torch: twin critics stacked, autograd, torch.optim.Adam."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.cases import Layers, SACCase


def stacked(layers: Layers, h: Tensor) -> Tensor:  # [E, B, I] -> [E, B, J]
    """Run E perceptrons with relu."""
    last = len(layers.weights) - 1
    for layer, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        h = torch.baddbmm(bias.unsqueeze(1), h, weight)
        h = F.relu(h) if layer < last else h
    return h


def policy(actor: Layers, obs: Tensor) -> tuple[Tensor, Tensor]:  # mean, log_std [B, A]
    """Return the Gaussian before tanh."""
    mean, log_std = stacked(actor, obs[None])[0].chunk(2, dim=-1)
    return mean, log_std.clamp(-20.0, 2.0)


def squashed(actor: Layers, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return a = tanh(z), z = μ + σ·ε, and log π(a|s) = log N(z) − Σ log(1 − a²)."""
    mean, log_std = policy(actor, obs)
    z = mean + log_std.exp() * noise
    normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    stretch = 2.0 * (math.log(2.0) - z - F.softplus(-2.0 * z))
    return torch.tanh(z), (normal - stretch).sum(dim=-1)


def values(critic: Layers, obs: Tensor, action: Tensor) -> Tensor:  # [2, B]
    """Return both critics' values."""
    return stacked(critic, torch.cat((obs, action), dim=1).expand(2, -1, -1)).squeeze(-1)


class Plain:
    """Own copies of a case's networks, in its dtype: in float64 it is the reference.

    Noise comes in float32 from the case's generator, the next actions' before the actor's own.
    """

    def __init__(self, case: SACCase, *, compiled: str = "", **adam: Any) -> None:
        self._case, self._generator = case, case.generator()
        self._actor, self._critic = case.actor.trainable(), case.critic.trainable()
        self._target = case.critic.trainable().frozen()
        self._log_alpha = torch.zeros((), dtype=case.obs.dtype, requires_grad=True)
        self._critic_adam = torch.optim.Adam(self._critic.tensors, lr=case.lr, **adam)
        self._actor_adam = torch.optim.Adam([*self._actor.tensors, self._log_alpha], lr=case.lr, **adam)
        self._sources = self._critic.frozen().tensors
        self._critic_loss, self._actor_loss = self.critic_loss, self.actor_loss
        self._moves: list[Callable[[], object]] = [self._critic_adam.step, self._actor_adam.step]
        if compiled:
            self._critic_loss = torch.compile(self.critic_loss, fullgraph=True, dynamic=False)
            self._actor_loss = torch.compile(self.actor_loss, fullgraph=True, dynamic=False)
        if compiled == "step":
            self._moves = [torch.compile(move) for move in self._moves]

    def critic_loss(self, rows: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
        """Return Σ_i mean (Q_i − y)², y = r + γ(1 − d)(min_i Q̄_i(s', a') − α log π(a'|s'))."""
        obs, action, reward, next_obs, terminated = self._columns(rows)
        with torch.no_grad():
            chosen, log_prob = squashed(self._actor, next_obs, noise)
            soft = values(self._target, next_obs, chosen).amin(dim=0) - alpha * log_prob
            target = reward + self._case.gamma * (1.0 - terminated) * soft
        found = values(self._critic, obs, action)
        return (found - target).square().mean(dim=1).sum()

    def actor_loss(self, rows: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
        """Return mean (α log π − min_i Q_i) − log α · mean (log π + H̄)."""
        obs = self._columns(rows)[0]
        chosen, log_prob = squashed(self._actor, obs, noise)
        least = values(self._critic.frozen(), obs, chosen).amin(dim=0)
        surplus = (log_prob.detach() - self._case.task.action_dim).mean()
        return (alpha * log_prob - least).mean() - self._log_alpha * surplus

    def update(self, batches: Tensor) -> None:
        """Take one update on each of K batches of transitions [K, B, W]."""
        for rows in batches.unbind():
            self._update(rows)

    def _update(self, rows: Tensor) -> None:
        alpha = self._log_alpha.detach().exp()
        for loss, adam, move in (
            (self._critic_loss, self._critic_adam, self._moves[0]),
            (self._actor_loss, self._actor_adam, self._moves[1]),
        ):
            value = loss(rows, self._noise(len(rows)), alpha)
            adam.zero_grad()
            value.backward()
            move()
        torch._foreach_lerp_(self._target.tensors, self._sources, self._case.tau)

    def parameters(self) -> list[Tensor]:
        """Return the actor's, critics' and targets' layers, then log α."""
        layers = (self._actor, self._critic, self._target)
        return [*(t for part in layers for t in part.tensors), self._log_alpha]

    def _noise(self, rows: int) -> Tensor:
        shape = (rows, self._case.task.action_dim)
        return torch.randn(shape, generator=self._generator).to(self._case.obs.dtype)

    def _columns(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        o, a = self._case.task.obs_dim, self._case.task.action_dim
        obs, action, reward, next_obs, terminated = rows.split((o, a, 1, o, 1), dim=1)
        return obs, action, reward[:, 0], next_obs, terminated[:, 0]


WAYS: dict[str, Callable[[SACCase], Plain]] = {
    "torch eager, twin baddbmm, Adam fused": lambda case: Plain(case, fused=True),
    "compile(losses), Adam fused": lambda case: Plain(case, compiled="loss", fused=True),
    "compile(losses, Adam)": lambda case: Plain(case, compiled="step", foreach=True),
}
# For the sizes that no target names: the ones that were quickest at the others.
STRONGEST = ("torch eager, twin baddbmm, Adam fused", "compile(losses), Adam fused")
