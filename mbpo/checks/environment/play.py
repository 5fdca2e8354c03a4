"""Play an environment at random, and keep what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.collector import Collector, Step
from mbpo.envs.spaces import Array
from mbpo.errors import DivergedError, EnvironmentFault, one_line
from mbpo.seeding import numpy_rng


@dataclass(frozen=True)
class Played:
    """Hold N real transitions in their order, and what stopped the play."""

    env_id: str
    registered_id: str  # without the module that registers it
    time_limit: int | None  # env steps
    action_low: Array  # [A]
    action_high: Array  # [A]
    obs: Array  # [N, O]
    action: Array  # [N, A]
    reward: NDArray[np.float64]  # [N]
    next_obs: Array  # [N, O]
    terminated: NDArray[np.bool_]  # [N]
    truncated: NDArray[np.bool_]  # [N]
    step: NDArray[np.int64]  # [N], from 1 in each episode
    obs_low: NDArray[np.float64]  # [O], of the space
    obs_high: NDArray[np.float64]  # [O]
    adapted: str = ""  # how the environment's own spaces are translated, in words
    reuses_array: bool = False  # whether it gave one and the same array again
    left_out: tuple[str, ...] = ()  # why steps mean nothing, one text for each; they are not among the N
    fault: str = ""  # why there are fewer steps than asked for

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def ends(self) -> NDArray[np.bool_]:
        """Return which transitions end an episode [N], whatever the reason."""
        return self.terminated | self.truncated


def play(env: BoxEnv, steps: int, seed: int) -> Played:
    """Take up to ``steps`` uniformly random steps; a fault ends the play."""
    rng, found, fault = numpy_rng(seed, "play"), list[Step](), ""
    try:
        collector = Collector(env, seed)
        while len(found) < steps:
            action = rng.uniform(env.action_low, env.action_high).astype(np.float32)
            found.append(collector.step(action))
    except (DivergedError, EnvironmentFault) as error:
        fault = one_line(str(error)).removeprefix("error: ")
    return _stacked(env, found, fault)


def _stacked(env: BoxEnv, taken: list[Step], fault: str) -> Played:
    ends = [step.episode is not None for step in taken]
    order = np.arange(1, len(taken) + 1)
    began = np.maximum.accumulate(np.where(np.roll(ends, 1), order, 1)) if taken else order
    valid = np.array([step.valid for step in taken], bool)
    steps = [step for step in taken if step.valid]
    count = len(steps)
    return Played(
        env_id=env.env_id,
        registered_id=env.registered_id,
        time_limit=env.time_limit,
        action_low=env.action_low,
        action_high=env.action_high,
        obs=np.array([s.obs for s in steps]).reshape(count, env.obs_dim),
        action=np.array([s.action for s in steps]).reshape(count, env.action_dim),
        reward=np.array([s.reward for s in steps]),
        next_obs=np.array([s.next_obs for s in steps]).reshape(count, env.obs_dim),
        terminated=np.array([s.terminated for s in steps], bool),
        truncated=np.array([s.truncated for s in steps], bool),
        step=(order - began + 1)[valid],
        obs_low=env.obs_low,
        obs_high=env.obs_high,
        adapted=env.adapted,
        reuses_array=env.reuses_array,
        left_out=tuple(step.left_out for step in taken if step.left_out),
        fault=fault,
    )
