"""Branch short imagined rollouts from real states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.replay import ReplayBuffer
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.errors import DivergedError

SamplePolicy = Callable[[Tensor], Tensor]  # obs [N, O] -> action [N, A]


@dataclass(frozen=True)
class RolloutReport:
    """Say what one call of :func:`rollout` stored."""

    length_measured: int  # steps of the longest rollout
    rows: int
    start_rows: int
    terminated: int  # rows that are terminal

    def metrics(self) -> dict[str, float]:
        """Return the report under its metric keys."""
        return {
            "rollout/length_measured": self.length_measured,
            "rollout/length_mean": self.rows / max(1, self.start_rows),
            "rollout/rows": self.rows,
            "rollout/terminated_share": self.terminated / max(1, self.rows),
        }


@torch.no_grad()
def rollout(
    fake_env: FakeEnv,
    policy: SamplePolicy,
    start_obs: Tensor,  # [N, O]
    length: int,  # k
    model_buffer: ReplayBuffer,
    generator: torch.Generator,
) -> RolloutReport:
    """Imagine up to k steps from each start state and store every transition.

    A terminal transition is stored, then its row leaves; the rollout stops when no row is left.

    Source: MBPO, arXiv:1906.08253, Algorithm 2, lines 7-9.

    Raises:
        DivergedError: the model or the policy gave a non-finite value.
    """
    obs, stored, terminal, steps = start_obs, 0, 0, 0
    while steps < length and obs.shape[0]:
        action = policy(obs)
        reward, next_obs, terminated = fake_env.step(obs, action, generator)
        batch = Transitions.pack(obs, action, reward, next_obs, terminated)
        if not torch.isfinite(batch.rows).all():
            raise DivergedError(f"imagined step {steps + 1} of {length} is not finite")
        model_buffer.add(batch)
        obs = next_obs[~terminated]
        terminal += len(batch) - obs.shape[0]
        stored += len(batch)
        steps += 1
    return RolloutReport(steps, stored, start_obs.shape[0], terminal)
