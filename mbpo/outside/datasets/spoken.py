"""Say observations and actions as the environment itself does, where that can be told from what a run keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spaces import Actions, Observations

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """Hold the observations [N + 1] and actions [N] of an episode, stacked as their spaces say."""

    observations: Any
    actions: Any


class OwnWords:
    """Speak in the environment's own spaces: Dicts, Tuples, shapes and dtypes; actions as it got them."""

    flat = False

    def __init__(self, env: BoxEnv) -> None:
        outer = next(env.layers())
        self.observation_space: Space[Any] = outer.observation_space
        self.action_space: Space[Any] = outer.action_space
        self._observations = Observations(self.observation_space, env.env_id)
        self._actions = Actions(self.action_space, env.env_id)

    def say(self, obs: Array, action: Array) -> Spoken:  # [T + 1, O], [T, A]
        """Return an episode.

        Raises:
            ValueError: an observation cannot be told back.
        """
        observations = [self._observations.own(one) for one in obs]
        back = np.stack([self._observations.flat(one) for one in observations])
        if not np.array_equal(back, obs):
            raise ValueError("its observations cannot be told back from flat float32 numbers")
        return Spoken(stacked(observations), stacked([self._actions.of(one) for one in action]))


class FlatWords:
    """Speak as the learner does: flat float32 numbers, actions between its policy's bounds."""

    flat = True

    def __init__(self, env: BoxEnv) -> None:
        with np.errstate(over="ignore"):
            low, high = env.obs_low.astype(np.float32), env.obs_high.astype(np.float32)
        self.observation_space: Space[Any] = Box(low, high, dtype=np.float32)
        self.action_space: Space[Any] = Box(env.action_low, env.action_high, dtype=np.float32)

    def say(self, obs: Array, action: Array) -> Spoken:  # [T + 1, O], [T, A]
        """Return an episode."""
        return Spoken(obs, action)


Words = OwnWords | FlatWords


def stacked(values: Sequence[Any]) -> Any:
    """Return values of one structure as that structure of arrays, the first axis theirs."""
    first = values[0]
    if isinstance(first, Mapping):
        return {key: stacked([value[key] for value in values]) for key in first}
    if isinstance(first, tuple):
        return tuple(stacked([value[at] for value in values]) for at in range(len(first)))
    return np.stack([np.asarray(value) for value in values])


def arrays_in(value: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield each array within a structure, with where it stands."""
    if isinstance(value, (Mapping, tuple, list)):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in sorted(parts, key=lambda item: str(item[0])):
            yield from arrays_in(part, f"{name}/{key}")
    else:
        yield name, np.asarray(value)
