"""A critic as a newcomer would write one: layer norm after the first layer, a head of its own, a count of calls."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbpo.sac.networks import Critic, TwinCritic


class Normalised(Critic):
    """Two values from one normalised layer."""

    def __init__(self, obs_dim: int, action_dim: int, *, hidden: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(obs_dim + action_dim, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.heads = nn.Linear(hidden, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, obs_action: Tensor, frozen: bool = False) -> Tensor:
        if self.training and not frozen:
            self.calls += 1
        values: Tensor = self.heads(self.norm(self.first(obs_action)).relu()).T
        return values


class Extended(TwinCritic):
    """Everything that the plain critic is, and a layer more."""

    def __init__(self, obs_dim: int, action_dim: int, *, hidden: int, layers: int, generator: torch.Generator) -> None:
        super().__init__(obs_dim, action_dim, hidden=hidden, layers=layers, generator=generator)
        self.gain = nn.Parameter(torch.ones(2, 1))

    def forward(self, obs_action: Tensor, frozen: bool = False) -> Tensor:
        return self.gain * super().forward(obs_action, frozen)
