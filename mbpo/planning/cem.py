"""Plan action sequences with the cross-entropy method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# obs [N, O] and action sequences [N, H, A] -> the return of each [N]
Propagate = Callable[[Tensor, Tensor, torch.Generator], Tensor]

STEP = 0.9  # of mean and deviation toward the elites', at each iteration


@dataclass(frozen=True)
class CEMPlanner:
    """Search, for each state, the sequence of actions with the highest imagined return.

    Each iteration draws candidates around a mean, scores each by the mean return of several
    imagined particles, and moves mean and deviation toward the best.

    Source: PETS, arXiv:1805.12114, Sec. 5.2 and Algorithm 1.
    Departs: every plan starts from the middle of the action range, not from the last plan moved by
    one step, so that it depends on the state alone; candidates are clipped, not truncated.
    """

    propagate: Propagate
    low: Tensor  # [A]
    high: Tensor  # [A]
    horizon: int  # H
    candidates: int
    elites: int
    iterations: int
    particles: int

    @torch.no_grad()
    def plan(
        self,
        obs: Tensor,  # [N, O]
        generator: torch.Generator,
    ) -> Tensor:  # [N, A]
        """Return the first action of each state's plan."""
        mean = ((self.low + self.high) / 2).expand(len(obs), self.horizon, -1)
        deviation = ((self.high - self.low) / 4).expand_as(mean)
        for _ in range(self.iterations):
            shape = (len(obs), self.candidates, *mean.shape[1:])
            noise = torch.randn(shape, generator=generator, device=obs.device)
            drawn = mean[:, None] + deviation[:, None] * noise
            sequences = drawn.clamp(self.low, self.high)
            best = self._score(obs, sequences, generator).topk(self.elites, dim=1).indices
            chosen = sequences.gather(1, best[..., None, None].expand(-1, -1, *mean.shape[1:]))
            mean = mean.lerp(chosen.mean(dim=1), STEP)
            deviation = deviation.lerp(chosen.std(dim=1, correction=0), STEP)
        return mean[:, 0]

    def _score(
        self,
        obs: Tensor,  # [N, O]
        sequences: Tensor,  # [N, C, H, A]
        generator: torch.Generator,
    ) -> Tensor:  # [N, C]
        rows, candidates = sequences.shape[:2]
        starts = obs.repeat_interleave(candidates * self.particles, dim=0)
        actions = sequences.flatten(0, 1).repeat_interleave(self.particles, dim=0)
        returns = self.propagate(starts, actions, generator)
        # A model that ran away must not win.
        scores = returns.view(rows, candidates, self.particles).mean(dim=2)
        return torch.where(scores.isfinite(), scores, -torch.inf)
