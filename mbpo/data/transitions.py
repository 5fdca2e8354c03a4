"""Hold a batch of transitions as the columns of one matrix, so that a sample is one gather."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.errors import ShapeError


def row_width(obs_dim: int, action_dim: int) -> int:
    """Return the columns of a row: obs, action, reward, next_obs, terminated."""
    return 2 * obs_dim + action_dim + 2


@dataclass(frozen=True)
class Transitions:
    """View rows [..., W] as (obs, action, reward, next_obs, terminated); W = 2O + A + 2."""

    rows: Tensor  # [..., W]
    obs_dim: int
    action_dim: int
    weight: Tensor | None = None  # [...] ≥ 0, what a row counts for in the critics' loss; None: 1

    def __post_init__(self) -> None:
        width = row_width(self.obs_dim, self.action_dim)
        if self.rows.shape[-1] != width:
            raise ShapeError(f"rows must be [..., {width}], got {list(self.rows.shape)}")

    @classmethod
    def pack(
        cls,
        obs: Tensor,  # [N, O]
        action: Tensor,  # [N, A]
        reward: Tensor,  # [N]
        next_obs: Tensor,  # [N, O]
        terminated: Tensor,  # [N] bool or 0/1
    ) -> Transitions:
        """Copy the parts into rows.

        Raises:
            RuntimeError: the parts disagree in N.
        """
        parts = (obs, action, reward[:, None], next_obs, terminated[:, None].to(obs.dtype))
        return cls(torch.cat(parts, dim=1), obs.shape[1], action.shape[1])

    def take(self, index: Tensor | slice) -> Transitions:
        """Return rows of [N, W] by index, mask or slice."""
        weight = None if self.weight is None else self.weight[index]
        return Transitions(self.rows[index], self.obs_dim, self.action_dim, weight)

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    @property
    def obs(self) -> Tensor:
        """[..., O]."""
        return self.rows[..., : self.obs_dim]

    @property
    def action(self) -> Tensor:
        """[..., A]."""
        return self.rows[..., self.obs_dim : self.obs_dim + self.action_dim]

    @property
    def obs_action(self) -> Tensor:
        """[..., O + A], the model's and the critics' input."""
        return self.rows[..., : self.obs_dim + self.action_dim]

    @property
    def reward(self) -> Tensor:
        """[...]."""
        return self.rows[..., self.obs_dim + self.action_dim]

    @property
    def next_obs(self) -> Tensor:
        """[..., O]."""
        return self.rows[..., -self.obs_dim - 1 : -1]

    @property
    def terminated(self) -> Tensor:
        """[...], 1 where the episode really ended; a time limit is no end."""
        return self.rows[..., -1]

    def unbind(self) -> Iterator[Transitions]:
        """Yield [K, B, W] as K batches of [B, W]."""
        weights = [None] * len(self) if self.weight is None else self.weight.unbind(0)
        for rows, weight in zip(self.rows.unbind(0), weights, strict=True):
            yield Transitions(rows, self.obs_dim, self.action_dim, weight)
