"""Tiny environments with one quirk each. A learner process names them ``toy_envs:Name-v0``."""

from __future__ import annotations

import math
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

Obs = NDArray[np.float32]


class Toy(gymnasium.Env[Any, Any]):
    """Add the action to a position; the reward is minus the distance from 0."""

    observation_space: Any = Box(-np.inf, np.inf, (2,), np.float32)
    action_space: Any = Box(-1.0, 1.0, (1,), np.float32)
    actions: list[Any]

    def __init__(self) -> None:
        self.actions = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        self.position = float(self.np_random.uniform(-1, 1))
        return self.observe(), {}

    def observe(self) -> Any:
        return np.array([self.position, self.steps / 100], np.float32)

    def reward(self) -> float:
        return -abs(self.position)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.steps += 1
        self.position += 0.1 * float(np.asarray(action).ravel()[0])
        return self.observe(), self.reward(), False, False, {}


class Grid(Toy):
    """Give observations [2, 3] and take actions [2, 2] with bounds of their own."""

    observation_space = Box(-np.inf, np.inf, (2, 3), np.float64)
    action_space = Box(np.array([[-2.0, 0.0], [1.0, -0.5]], np.float32), np.array([[1.0, 0.5], [3.0, 4.0]], np.float32))

    def observe(self) -> Any:
        return self.position + np.arange(6, dtype=np.float64).reshape(2, 3)


class Endless(Toy):
    """Accept actions of any size."""

    action_space = Box(-np.inf, np.inf, (1,), np.float32)


class Choice(Toy):
    """Take one of three actions."""

    action_space = Discrete(3)


class Cells(Toy):
    """Observe one of five cells."""

    observation_space = Discrete(5)


class Loud(Toy):
    """Give 8 times the reward."""

    def reward(self) -> float:
        return 8.0 * super().reward()


class NanReward(Toy):
    """Give a reward that is not a number from the 30th step on."""

    def reward(self) -> float:
        return math.nan if self.steps >= 30 else 0.0


class HugeReward(Toy):
    """Give a reward that is finite, and too large for float32, from the 30th step on."""

    def reward(self) -> float:
        return 1e200 if self.steps >= 30 else 0.0


class InfiniteObs(Toy):
    """Give an infinite observation from the 30th step on."""

    def observe(self) -> Any:
        return np.array([self.position, math.inf if self.steps >= 30 else 0.0], np.float32)


class Broken(Toy):
    """Raise an error of two lines at the 30th step."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.steps == 29:
            raise RuntimeError("the joint came off\nsecond line")
        return super().step(action)


class Brink(Toy):
    """Terminate where the position is beyond 0.8."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, abs(self.position) > 0.8, truncated, info


class Unmakeable(Toy):
    """Cannot be made."""

    def __init__(self) -> None:
        raise FileNotFoundError("robot.xml is not there")


class Stuck(Toy):
    """Hang in the 30th step, as a simulator may: the first that is made."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Stuck.made += 1
        self.number = Stuck.made

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.steps == 29 and self.number == 1:
            time.sleep(120)
        return super().step(action)


class Tiring(Toy):
    """Move a little less far with every episode after the first ``whole`` of them."""

    def __init__(self, whole: int = 1) -> None:
        super().__init__()
        self.whole, self.episodes = whole, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.episodes += 1
        return super().reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return super().step(action * (1.0 - 1e-3 * max(0, self.episodes - self.whole)))


for toy in (
    Toy,
    Grid,
    Endless,
    Choice,
    Cells,
    Loud,
    NanReward,
    HugeReward,
    InfiniteObs,
    Broken,
    Brink,
    Unmakeable,
    Stuck,
    Tiring,
):
    gymnasium.register(f"{toy.__name__}-v0", entry_point=toy, max_episode_steps=100)
