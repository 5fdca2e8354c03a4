"""Name the sizes that MBPO runs, and count their floating-point operations.

Only matrix products are counted, a multiply and an add as two: they set the floor that the
table's "× floor" column divides by. Activations, noise, Adam and gathers are the overhead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Task:
    """Hold the widths of one environment's networks."""

    name: str
    obs_dim: int
    action_dim: int
    model_hidden: int = 200
    model_layers: int = 4
    members: int = 7
    elites: int = 5
    sac_hidden: int = 256
    sac_layers: int = 2

    @property
    def model_sizes(self) -> tuple[int, ...]:
        """Return the dynamics model's widths: (obs, action) to mean and logvar of [r, Δobs]."""
        hidden = [self.model_hidden] * self.model_layers
        return (self.obs_dim + self.action_dim, *hidden, 2 * (1 + self.obs_dim))

    @property
    def actor_sizes(self) -> tuple[int, ...]:
        """Return the policy's widths: obs to mean and log_std."""
        return (self.obs_dim, *[self.sac_hidden] * self.sac_layers, 2 * self.action_dim)

    @property
    def critic_sizes(self) -> tuple[int, ...]:
        """Return one critic's widths: (obs, action) to a value."""
        return (self.obs_dim + self.action_dim, *[self.sac_hidden] * self.sac_layers, 1)


# Ant and Humanoid with their observations truncated, as the paper runs them; the pendulum preset's
# SAC networks are 2×64.
TASKS = {
    task.name: task
    for task in (
        Task("Pendulum", 3, 1, sac_hidden=64),
        Task("Hopper", 11, 3),
        Task("HalfCheetah", 17, 6),
        Task("Ant", 27, 8),
        Task("Humanoid", 45, 17, model_hidden=400),
    )
}


def products(sizes: Sequence[int]) -> int:
    """Return the weights of one perceptron: Σ IₗJₗ."""
    return sum(i * j for i, j in pairwise(sizes))


def forward_flops(sizes: Sequence[int], rows: int, members: int = 1) -> int:
    """Return 2·E·B·Σ IₗJₗ for E members on B rows each."""
    return 2 * members * rows * products(sizes)


def training_flops(sizes: Sequence[int], rows: int, members: int = 1) -> int:
    """Return forward, weight gradients and input gradients: 2·E·B·(3·Σ IₗJₗ − I₀J₀).

    The first layer's input needs no gradient.
    """
    return 2 * members * rows * (3 * products(sizes) - sizes[0] * sizes[1])


def imagined_flops(task: Task, rows: int) -> int:
    """Return the policy and one member per row: 2·N·(Σ actor + Σ model)."""
    return forward_flops(task.actor_sizes, rows) + forward_flops(task.model_sizes, rows)


def sac_flops(task: Task, rows: int) -> int:
    """Return one update of the twin critics and the actor.

    Critics: actor and target critics forward, critics trained. Actor: the actor trained, the
    critics forward, and backward to the action only:
    2·B·2·(2·Σ critic − I₀J₀ + A·J₀).
    """
    critic, hidden = task.critic_sizes, task.critic_sizes[1]
    targets = forward_flops(task.actor_sizes, rows) + forward_flops(critic, rows, 2)
    trained = training_flops(critic, rows, 2) + training_flops(task.actor_sizes, rows)
    to_action = 2 * products(critic) - critic[0] * hidden + task.action_dim * hidden
    return targets + trained + 2 * rows * 2 * to_action
