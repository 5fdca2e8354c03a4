"""Steps in which a simulator exploded are noticed, wherever it lives and however it says so."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.put_back import PUT_BACK


class Kitchen(gymnasium.Env[Any, Any]):
    """Play a robot's environment that lies within, as mazes and kitchens do."""

    def __init__(self) -> None:
        self.robot = gymnasium.make("InvertedPendulum-v5")
        self.observation_space, self.action_space = self.robot.observation_space, self.robot.action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin."""
        return self.robot.reset(seed=seed)

    def step(self, action: Any) -> Any:
        """Go on; the explosion itself leaves no trace in what is returned."""
        robot: Any = self.robot.unwrapped
        if action[0] > 1.0:
            robot.data.qvel[:] = 1e300
        obs, _, _, _, info = self.robot.step(action)
        return np.nan_to_num(obs), 1.0, False, False, info


# What dm_control raises, by the name that it has there.
PhysicsError = type("PhysicsError", (RuntimeError,), {"__module__": "dm_control.rl.control"})


class Explosive(gymnasium.Env[Any, Any]):
    """Raise at large actions, as dm_control does where its physics is invalid, or something else."""

    observation_space = Box(-1.0, 1.0, (2,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin."""
        return np.zeros(2), {}

    def step(self, action: Any) -> Any:
        """Go on unless the action is large."""
        if action[0] > 0.5:
            raise PhysicsError("Physics state is invalid. Warning(s) raised: mjWARN_BADQACC")
        return np.zeros(2), 0.0, False, False, {}


gymnasium.register("Kitchen-v0", entry_point=Kitchen)
gymnasium.register("Explosive-v0", entry_point=Explosive)


def test_a_simulation_within_an_environment_is_watched() -> None:
    env = BoxEnv("Kitchen-v0")
    env.reset(0)
    env.step(np.zeros(1, np.float32))
    assert env.left_out == ""
    assert env.step(np.full(1, 2.0, np.float32))[1:] == (0.0, False, True)
    assert env.left_out == PUT_BACK
    env.close()


def test_a_physics_error_of_dm_control_costs_its_step_and_its_episode() -> None:
    env = BoxEnv("Explosive-v0")
    env.reset(0)
    env.step(np.zeros(1, np.float32))
    assert env.step(np.ones(1, np.float32))[1:] == (0.0, False, True)
    assert "dm_control" in env.left_out and "mjWARN_BADQACC" in env.left_out
    env.reset(1)
    env.step(np.zeros(1, np.float32))
    assert env.left_out == ""
    env.close()
