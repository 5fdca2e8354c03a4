"""Make each group's inputs once, so that every contender starts from equal weights and rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.shapes import Task

BATCH = 256
MINIBATCHES = 16
DECAYS = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)  # of the paper's five layers
IMAGINED_ROWS = 10_000
REPLAYED_ROWS = 10_000


@dataclass(frozen=True)
class Layers:
    """Hold the weights [E, I, J] and biases [E, J] of every layer."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def draw(cls, sizes: Sequence[int], members: int, generator: torch.Generator) -> Layers:
        """Draw both from U(−1/√fan_in, 1/√fan_in)."""

        def uniform(fan_in: int, *shape: int) -> Tensor:
            bound = 1.0 / math.sqrt(fan_in)
            return torch.empty(shape).uniform_(-bound, bound, generator=generator)

        return cls(
            tuple(uniform(i, members, i, j) for i, j in pairwise(sizes)),
            tuple(uniform(i, members, j) for i, j in pairwise(sizes)),
        )

    @property
    def tensors(self) -> list[Tensor]:
        """Return weights, then biases."""
        return [*self.weights, *self.biases]

    def to(self, dtype: torch.dtype) -> Layers:
        """Return copies in ``dtype``."""
        return self._map(lambda t: t.to(dtype))

    def trainable(self) -> Layers:
        """Return copies that take gradients."""
        return self._map(lambda t: t.clone().requires_grad_())

    def frozen(self) -> Layers:
        """Return the same numbers, without their gradients."""
        return self._map(lambda t: t.detach())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Layers:
        return Layers(tuple(map(change, self.weights)), tuple(map(change, self.biases)))


@dataclass(frozen=True)
class ForwardCase:
    """Hold the dynamics ensemble's layers and one block of rows per member."""

    layers: Layers
    x: Tensor  # [E, B, I]

    @classmethod
    def draw(cls, task: Task, rows: int) -> ForwardCase:
        """Draw everything from seed 0."""
        generator = torch.Generator().manual_seed(0)
        layers = Layers.draw(task.model_sizes, task.members, generator)
        x = torch.randn(task.members, rows, task.model_sizes[0], generator=generator)
        return cls(layers, x)

    def to(self, dtype: torch.dtype) -> ForwardCase:
        """Return the case in ``dtype``."""
        return ForwardCase(self.layers.to(dtype), self.x.to(dtype))


@dataclass(frozen=True)
class TrainingCase:
    """Hold normalised inputs and targets, bootstrap minibatches and the first parameters."""

    task: Task
    layers: Layers
    min_logvar: Tensor  # [D]
    max_logvar: Tensor  # [D]
    inputs: Tensor  # [N, I]
    labels: Tensor  # [N, D], reward first
    batches: tuple[Tensor, ...]  # of [E, B] int64, rows of inputs and labels
    lr: float = 1e-3

    @classmethod
    def draw(cls, task: Task) -> TrainingCase:
        """Draw everything from seed 0."""
        generator = torch.Generator().manual_seed(0)
        rows, width = MINIBATCHES * BATCH, 1 + task.obs_dim
        bootstrap = torch.randint(rows, (task.members, rows), generator=generator)
        return cls(
            task,
            Layers.draw(task.model_sizes, task.members, generator),
            torch.full((width,), -10.0),
            torch.full((width,), 0.5),
            torch.randn(rows, task.model_sizes[0], generator=generator),
            torch.randn(rows, width, generator=generator),
            tuple(torch.split(bootstrap, BATCH, dim=1)),
        )

    def double(self) -> TrainingCase:
        """Return the case in float64."""
        return replace(
            self,
            layers=self.layers.to(torch.float64),
            min_logvar=self.min_logvar.double(),
            max_logvar=self.max_logvar.double(),
            inputs=self.inputs.double(),
            labels=self.labels.double(),
        )


@dataclass(frozen=True)
class ImaginedCase:
    """Hold a policy, an ensemble with chosen elites, and the states to branch from."""

    task: Task
    model: Layers
    actor: Layers
    min_logvar: Tensor  # [D]
    max_logvar: Tensor  # [D]
    elites: Tensor  # [K] int64
    obs: Tensor  # [N, O]

    @classmethod
    def draw(cls, task: Task) -> ImaginedCase:
        """Draw everything from seed 0."""
        generator = torch.Generator().manual_seed(0)
        width = 1 + task.obs_dim
        return cls(
            task,
            Layers.draw(task.model_sizes, task.members, generator),
            Layers.draw(task.actor_sizes, 1, generator),
            torch.full((width,), -10.0),
            torch.full((width,), 0.5),
            torch.randperm(task.members, generator=generator)[: task.elites].sort().values,
            torch.randn(IMAGINED_ROWS, task.obs_dim, generator=generator),
        )

    def certain(self) -> ImaginedCase:
        """Return the case with a variance of e⁻³⁰, so that a sample shows its member's mean."""
        low, high = torch.full_like(self.min_logvar, -30.0), torch.full_like(self.min_logvar, -29.0)
        return replace(self, min_logvar=low, max_logvar=high)


@dataclass(frozen=True)
class SACCase:
    """Hold an actor, twin critics and replayed transitions."""

    task: Task
    actor: Layers
    critic: Layers
    obs: Tensor  # [N, O]
    action: Tensor  # [N, A] in (−1, 1)
    reward: Tensor  # [N]
    next_obs: Tensor  # [N, O]
    terminated: Tensor  # [N], 0 or 1
    lr: float = 3e-4
    gamma: float = 0.99
    tau: float = 0.005
    seed: int = 1

    def generator(self) -> torch.Generator:
        """Return the stream of the updates' noise, from its start."""
        return torch.Generator().manual_seed(self.seed)

    @classmethod
    def draw(cls, task: Task) -> SACCase:
        """Draw everything from seed 0."""
        generator = torch.Generator().manual_seed(0)
        rows = REPLAYED_ROWS
        return cls(
            task,
            Layers.draw(task.actor_sizes, 1, generator),
            Layers.draw(task.critic_sizes, 2, generator),
            torch.randn(rows, task.obs_dim, generator=generator),
            torch.rand(rows, task.action_dim, generator=generator) * 1.98 - 0.99,
            torch.randn(rows, generator=generator),
            torch.randn(rows, task.obs_dim, generator=generator),
            (torch.rand(rows, generator=generator) < 0.01).float(),
        )

    @property
    def rows(self) -> Tensor:
        """Return the transitions as one matrix [N, W], in the columns of mbpo's Transitions."""
        parts = (self.obs, self.action, self.reward[:, None], self.next_obs)
        return torch.cat((*parts, self.terminated[:, None]), dim=1)

    def to(self, dtype: torch.dtype) -> SACCase:
        """Return the case in ``dtype``."""
        columns = ("obs", "action", "reward", "next_obs", "terminated")
        return replace(
            self,
            actor=self.actor.to(dtype),
            critic=self.critic.to(dtype),
            **{name: getattr(self, name).to(dtype) for name in columns},
        )
