"""Branch short imagined rollouts from real states.

Two ways: :func:`rollout` drops rows that ended as it goes, which costs least where the host waits
for results anyway; :func:`imagine` keeps them, masked, so that its shapes are known beforehand and
a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.replay_buffer import ReplayBuffer
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


@torch.no_grad()
def imagine(
    fake_env: FakeEnv,
    policy: SamplePolicy,
    start_obs: Tensor,  # [N, O]
    length: int,  # k ≥ 1
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:  # rows [k, N, W], and [k, N] which of them belong to a rollout
    """Imagine k steps from each start state. A row that ended stands still and no longer counts."""
    obs, alive = start_obs, torch.ones_like(start_obs[:, 0], dtype=torch.bool)
    rows, counts = [], []
    for _ in range(length):
        action = policy(obs)
        reward, next_obs, terminated = fake_env.step(obs, action, generator)
        rows.append(Transitions.pack(obs, action, reward, next_obs, terminated).rows)
        counts.append(alive)
        alive = alive & ~terminated
        obs = torch.where(alive[:, None], next_obs, obs)
    return torch.stack(rows), torch.stack(counts)


def store_imagined(
    rows: Tensor,  # [k, N, W]
    counts: Tensor,  # [k, N] bool
    model_buffer: ReplayBuffer,
) -> RolloutReport:
    """Store what :func:`imagine` returns, step by step, looking at its values once.

    Raises:
        DivergedError: the model or the policy gave a non-finite value.
    """
    steps, start_rows, _ = rows.shape
    finite = rows.isfinite().all(dim=-1) | ~counts
    terminal = (rows[..., -1] > 0) & counts
    looks = torch.stack((counts.sum(dim=1), terminal.sum(dim=1), finite.all(dim=1)))
    stored, terminated, is_finite = looks.tolist()
    if not all(is_finite):
        raise DivergedError(f"imagined step {is_finite.index(0) + 1} of {steps} is not finite")
    model_buffer.add(Transitions(rows[counts], model_buffer.obs_dim, model_buffer.action_dim))
    longest = sum(count > 0 for count in stored)
    return RolloutReport(longest, sum(stored), start_rows, sum(terminated))
