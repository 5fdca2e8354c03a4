"""Give other projects' classes an environment that has spaces and nothing else."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.shapes import Task


class SpacesOnly(gym.Env[Any, Any]):
    """Have a task's observation and action spaces; nobody steps it."""

    def __init__(self, task: Task) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (task.obs_dim,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (task.action_dim,), np.float32)

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Return zeros."""
        return np.zeros(self.observation_space.shape or (), np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Refuse."""
        raise NotImplementedError
