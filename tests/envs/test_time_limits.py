"""A time limit, however an environment says that time is up, cuts no bootstrap."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from tiny_runs import Train
from toy_envs import Toy

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spec import EnvSpec
from mbpo.saving.store import CheckpointStore

ACTION = np.zeros(1, np.float32)


class Horizon(Toy):
    """Say in one of three ways that time is up, after 15 steps."""

    def __init__(self, says: str = "terminated") -> None:
        super().__init__()
        self.says = says

    def step(self, action: Any) -> Any:
        obs, reward, *_, info = super().step(action)
        late = self.steps >= 15
        return obs, reward, late and self.says != "truncated", late and self.says != "terminated", info


gymnasium.register("Horizon-v0", Horizon)
gymnasium.register("HorizonOf40-v0", Horizon, max_episode_steps=40)
gymnasium.register("HorizonOf7-v0", Horizon, max_episode_steps=7)


def end(env_id: str, says: str, limit: int | None) -> tuple[int, bool, bool]:
    """Return the length of an episode and its flags."""
    env = BoxEnv(EnvSpec(env_id, {"says": says}, time_limit=limit))
    env.reset(0)
    for length in range(1, 100):
        _, _, terminated, truncated = env.step(ACTION)
        if terminated or truncated:
            return length, terminated, truncated
    return length, False, False


@pytest.mark.parametrize(
    ("env_id", "says", "limit", "found"),
    [
        ("Horizon-v0", "terminated", None, (15, True, False)),
        ("Horizon-v0", "both", None, (15, True, True)),
        ("Horizon-v0", "terminated", 15, (15, False, True)),
        ("Horizon-v0", "both", 15, (15, False, True)),
        ("Horizon-v0", "truncated", 15, (15, False, True)),
        ("Horizon-v0", "terminated", 9, (9, False, True)),
        ("Horizon-v0", "terminated", 16, (15, True, False)),  # an end before it is an end
        ("HorizonOf40-v0", "terminated", 15, (15, False, True)),
        ("HorizonOf7-v0", "terminated", 15, (7, False, True)),  # the registered one holds too
    ],
)
def test_an_episode_ends_by_time_where_the_setting_says_so(
    env_id: str, says: str, limit: int | None, found: tuple[int, bool, bool]
) -> None:
    assert end(env_id, says, limit) == found


@pytest.mark.parametrize(
    ("env_id", "limit", "known"),
    [
        ("Horizon-v0", None, None),
        ("Horizon-v0", 15, 15),
        ("HorizonOf40-v0", None, 40),
        ("HorizonOf40-v0", 15, 15),
        ("HorizonOf7-v0", 15, 7),
    ],
)
def test_the_limit_in_force_is_the_shorter(env_id: str, limit: int | None, known: int | None) -> None:
    assert BoxEnv(EnvSpec(env_id, time_limit=limit)).time_limit == known


@pytest.mark.parametrize(("limit", "ends"), [("auto", 8), ("15", 0)])
def test_no_row_of_a_run_says_that_time_up_is_an_end(limit: str, ends: int, train_on: Train) -> None:
    run = train_on("Horizon-v0", "--time-limit", limit)
    assert run.outcome.code == 0
    saved, _ = CheckpointStore(run.paths.checkpoints).load_newest()
    assert saved is not None
    terminated = saved.parts["real"]["rows"][:, -1]
    assert int(terminated.sum()) == ends
    assert [row["episode/length"] for row in run.metrics("episode")] == [15] * 8


@pytest.mark.parametrize(("limit", "said"), [("0", "[1, 100000000]"), ("1.5", "got 1.5"), ("never", "got never")])
def test_what_is_no_limit_is_refused(limit: str, said: str, train_on: Train) -> None:
    run = train_on("Horizon-v0", "--time-limit", limit)
    assert run.outcome.code == 2
    assert said in run.outcome.error
    assert 'or be "auto"' in run.outcome.error
