"""Notice where MuJoCo puts its simulation back: in the step at hand, and in the MjData that there is then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from tiny_runs import Train

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.put_back import PUT_BACK

mujoco = pytest.importorskip("mujoco")

MODEL = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <body><joint name="slide" type="slide" axis="1 0 0" damping="1"/><geom size="0.1"/></body>
  </worldbody>
  <actuator><motor joint="slide" gear="1"/></actuator>
</mujoco>
"""


class Sled(gymnasium.Env[Any, Any]):
    """Push a mass along a rail. Its solver explodes at listed steps of the object that trains, counted over episodes.

    ``reset`` sets positions alone, as many environments do: counters, velocities and time stay.
    """

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float64)
    made = 0

    def __init__(self, explodes: tuple[int, ...] = (), anew: bool = False) -> None:
        Sled.made += 1
        self.explodes = {*explodes} if Sled.made == 1 else set()
        self.anew = anew
        self.model = mujoco.MjModel.from_xml_string(MODEL)
        self.data = mujoco.MjData(self.model)
        self.count = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if self.anew:
            self.data = mujoco.MjData(self.model)
        self.data.qpos[:] = self.np_random.uniform(-1, 1)
        return self.observe(), {}

    def observe(self) -> Any:
        return np.concatenate([self.data.qpos, self.data.qvel])

    def step(self, action: Any) -> Any:
        self.count += 1
        self.data.ctrl[:] = action
        if self.count in self.explodes:
            self.data.qvel[:] = np.nan
        mujoco.mj_step(self.model, self.data)
        return self.observe(), -float(self.data.qpos[0] ** 2), False, False, {}


gymnasium.register("Sled-v0", Sled, max_episode_steps=25)


@pytest.fixture(autouse=True)
def new() -> Iterator[None]:
    Sled.made = 0
    yield


@pytest.mark.parametrize("anew", ["true", "false"])
def test_each_in_training_is_left_out_and_no_other_step(anew: str, train_on: Train) -> None:
    run = train_on("Sled-v0", "--env-kwargs", "explodes=[70, 71, 90]", f"anew={anew}", "--log-every", 10)
    assert run.outcome.code == 0
    told = [text for text in run.warnings if PUT_BACK in text]
    assert told == [f"{PUT_BACK}: the step was left out and the episode ended{more}" for more in ("", " (2 so far)")]
    ends = [0, *(row["env_steps"] for row in run.metrics("episode"))]
    assert ends == [0, 25, 50, 70, 71, 90, 115]
    kept = any("does not repeat" in text for text in run.warnings)
    assert kept == (anew == "false")  # by its velocities: the short plays met no put-back


@pytest.mark.parametrize("anew", [True, False])
def test_what_was_counted_before_the_step_is_no_put_back(anew: bool) -> None:
    env = BoxEnv("Sled-v0")
    sled: Any = env._env.unwrapped
    sled.explodes, sled.anew = {1, 40}, anew
    env.reset(0)
    seen = []
    for _ in range(60):
        *_, truncated = env.step(np.zeros(1, np.float32))
        seen.append(env.left_out)
        if truncated:
            env.reset(0)
    assert [number for number, why in enumerate(seen, start=1) if why] == [1, 40]
    assert {*seen} == {"", PUT_BACK}


def test_counters_of_another_kind_are_no_put_back() -> None:
    env = BoxEnv("Sled-v0")
    sled: Any = env._env.unwrapped
    env.reset(0)
    sled.data.warning.number[mujoco.mjtWarning.mjWARN_CONTACTFULL] = 3
    env.step(np.zeros(1, np.float32))
    assert env.left_out == ""


def test_an_environment_whose_data_is_its_own_has_no_put_backs() -> None:
    env = BoxEnv("Sled-v0")
    env._env.unwrapped.data = {"warning": 1}  # type: ignore[attr-defined]
    assert not env._put_backs.happened()
    env._put_backs.clear()
