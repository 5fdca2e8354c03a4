"""Short plays find out what an environment's reset leaves behind."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.repeats import repeats
from mbpo.envs.spec import EnvSpec


class Tiring(gymnasium.Env[Any, Any]):
    """Move a little less far with every episode after the first ``whole`` of them."""

    observation_space = Box(-10.0, 10.0, (2,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, whole: int = 1) -> None:
        self.whole, self.episodes = whole, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin at a random place."""
        super().reset(seed=seed)
        self.episodes += 1
        self.place = self.np_random.uniform(-1.0, 1.0, 2)
        return self.place.copy(), {}

    def step(self, action: Any) -> Any:
        """Move by the action."""
        tired = max(0, self.episodes - self.whole)
        self.place = self.place + 0.01 * action[0] * (1.0 - 1e-3 * tired)
        return self.place.copy(), float(self.place[0]), False, False, {}


gymnasium.register("Tiring-v0", entry_point=Tiring, max_episode_steps=20)


@pytest.mark.parametrize("whole", [1, 2, 3])
def test_what_shows_only_in_the_second_third_or_fourth_episode_is_found(whole: int) -> None:
    env = BoxEnv(EnvSpec("Tiring-v0", {"whole": whole}))
    found = repeats(env, seed=0)
    env.close()
    assert (found.exactly, found.in_fresh) == (False, True)
    assert "--fresh-env true makes it exact" in found.said


def test_one_made_anew_for_each_episode_repeats() -> None:
    env = BoxEnv(EnvSpec("Tiring-v0", fresh=True))
    assert repeats(env, seed=0).exactly
    env.close()
