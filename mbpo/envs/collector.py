"""Step the training environment and keep account of its episodes."""

from __future__ import annotations

from dataclasses import dataclass

from mbpo.envs.make import Array, BoxEnv
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


class Collector:
    """Run episodes one after the other; episode i starts from the seed stream (seed, "env", i)."""

    def __init__(self, env: BoxEnv, seed: int) -> None:
        self.env = env
        self._seed = seed
        self._episodes = 0
        self._begin()

    def _begin(self) -> None:
        self.obs = self.env.reset(stream_seed(self._seed, "env", self._episodes))
        self._return = 0.0
        self._length = 0

    def step(self, action: Array) -> Step:
        """Take ``action`` [A] and return what happened; a new episode begins where one ended.

        Raises:
            DivergedError: the action, reward or observation is not finite.
            EnvironmentFault: the environment raised.
        """
        obs = self.obs
        next_obs, reward, terminated, truncated = self.env.step(action)
        self.obs = next_obs
        self._return += reward
        self._length += 1
        episode = None
        if terminated or truncated:
            self._episodes += 1
            episode = Episode(self._episodes, self._return, self._length)
            self._begin()
        return Step(obs, action, reward, next_obs, terminated, truncated, episode)
