"""Environments whose observations and actions are no flat float32 numbers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space, Tuple


class Mixed(gymnasium.Env[Any, Any]):
    """Observe a Dict of a matrix, whole numbers and a choice; act by a Tuple of whole numbers and a wide range."""

    observation_space: Space[Any] = Dict(
        {
            "matrix": Box(-100.0, 100.0, (2, 2), np.float64),
            "parts": Tuple((Discrete(3), Box(-100, 100, (1,), np.int16))),
        }
    )
    action_space: Space[Any] = Tuple((Box(-3, 3, (2,), np.int32), Box(0.0, 5000.0, (1,), np.float32)))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.start, self.steps = float(np.float32(self.np_random.uniform(-1.0, 1.0))), 0
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.steps += 1
        return self._obs(), float(action[0].sum()), self.steps == 7, False, {}

    def _obs(self) -> Any:
        matrix = np.array([[self.start, self.steps], [0.0, 1.0]])
        return {"matrix": matrix, "parts": (np.int64(self.steps % 3), np.array([-self.steps], np.int16))}


class Slashed(Mixed):
    """Name a part of the observation as HDF5 names what lies within another."""

    observation_space = Dict({"a/b": Box(-100.0, 100.0, (1,), np.float32), "a": Box(-100.0, 100.0, (1,), np.float32)})

    def _obs(self) -> Any:
        return {"a/b": np.array([self.start], np.float32), "a": np.array([self.steps], np.float32)}


class Fractions(Mixed):
    """Declare whole numbers and observe halves."""

    observation_space = Box(-100, 100, (1,), np.int16)

    def _obs(self) -> Any:
        return np.array([self.steps + 0.5], np.float32)


class Still(Mixed):
    """Observe the same whatever happens: only the metrics tell where an episode ends by time."""

    observation_space = Box(-1.0, 1.0, (2,), np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._obs(), 1.0, False, self.steps == 7, {}

    def _obs(self) -> Any:
        return np.zeros(2, np.float32)


class Bounds(Mixed):
    """Act by a Dict of a fixed number, a narrow and a wide range, and whole numbers."""

    action_space = Dict(
        {
            "ranges": Box(np.array([2.0, 0.0, -1e4], np.float32), np.array([2.0, 1e-4, 1e4], np.float32)),
            "whole": Box(-3, 3, (2,), np.int64),
        }
    )

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.steps += 1
        return self._obs(), 1.0, self.steps == 7, False, {}


for kind in (Bounds, Mixed, Slashed, Fractions, Still):
    gymnasium.register(f"{kind.__name__}-v0", entry_point=kind, max_episode_steps=50)
