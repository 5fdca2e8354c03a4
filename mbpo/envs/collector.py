"""Step the training environment and keep account of its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spaces import Array
from mbpo.errors import DivergedError, EnvironmentFault
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
    left_out: str = ""  # why reward and next_obs mean nothing, if so

    @property
    def valid(self) -> bool:
        """Return whether this is to be learned from."""
        return not self.left_out


class Collector:
    """Run episodes one after the other; episode i starts from the seed stream (seed, "env", i)."""

    def __init__(self, env: BoxEnv, seed: int) -> None:
        self.env = env
        self._seed = seed
        self._episodes = 0
        self._broken = False
        self._begin()

    def _begin(self) -> None:
        self._start(stream_seed(self._seed, "env", self._episodes))

    def _start(self, episode_seed: int) -> None:
        self._episode_seed = episode_seed
        self.obs = self.env.reset(episode_seed)
        self._return = 0.0
        self._actions: list[Array] = []

    @property
    def episode(self) -> int:
        """Return the number of the episode under way, from 0."""
        return self._episodes

    @property
    def taken(self) -> int:
        """Return the env steps of the episode under way."""
        return len(self._actions)

    @property
    def at_start(self) -> bool:
        """Return whether the episode under way has no step yet."""
        return not self._actions

    def step(self, action: Array) -> Step:
        """Take ``action`` [A] and return what happened; a new episode begins where one ended.

        Raises:
            DivergedError: the action is not finite.
            EnvironmentFault: the environment raised, or broke its contract; the episode under way is lost.
        """
        obs, self._broken = self.obs, True
        next_obs, reward, terminated, truncated = self.env.step(action)
        left_out = self.env.left_out
        self.obs = next_obs
        self._return += reward
        self._actions.append(action)
        episode = None
        if terminated or truncated:
            self._episodes += 1
            episode = Episode(self._episodes, self._return, len(self._actions))
            self._begin()
        self._broken = False
        return Step(obs, action, reward, next_obs, terminated, truncated, episode, left_out)

    def begin_again(self) -> None:
        """Start the episode under way anew, after someone else used the environment."""
        self._start(self._episode_seed)

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the episode under way as its seed, its actions and what they led to.

        Of one in which the environment broke, only the number.
        """
        actions = np.stack(self._actions) if self._actions else np.zeros((0, 0), np.float32)
        return {
            "numbers": np.array([self._episodes, self._episode_seed]),
            "actions": actions,
            "obs": self.obs,
            "return": np.array(self._return),
            **({"broken": np.ones(1)} if self._broken else {}),
        }

    def load_state_dict(self, saved: Mapping[str, NDArray[np.generic]], play: bool = True) -> str:
        """Play the saved episode again, from its seed and by its actions, to the same state.

        Where that fails, or is not to be tried, begin the next episode and return why; else return nothing.
        Of 7 environments this brought back each exactly; positions and velocities alone did not.

        Raises:
            EnvironmentFault: the environment cannot even begin an episode.
        """
        self._episodes, episode_seed = map(int, saved["numbers"])
        if "broken" in saved:
            lost = "the environment broke in the episode under way"
        elif not play and len(saved["actions"]):
            lost = "the episode under way is not played again on one instance"
        else:
            lost = self._play_again(saved, episode_seed)
        if lost:
            self._episodes += 1
            self._broken = False
            self._begin()
        return lost

    def _play_again(self, saved: Mapping[str, NDArray[np.generic]], episode_seed: int) -> str:
        count = len(saved["actions"])
        try:
            self._start(episode_seed)
            for number, action in enumerate(saved["actions"], start=1):
                self.obs, reward, terminated, truncated = self.env.step(action)
                self._return += reward
                self._actions.append(action)
                if terminated or truncated:
                    return f"played again, the episode ended after {number} of {count} steps"
        except (EnvironmentFault, DivergedError) as error:
            return f"played again, {error}"
        if not np.array_equal(self.obs, saved["obs"]) or self._return != float(saved["return"]):
            return (
                f"played again, {count} steps led to return {self._return:.6g} and another obs, "
                f"not to {float(saved['return']):.6g}"
            )
        return ""
