"""Short plays find out what an environment's reset leaves behind."""

from __future__ import annotations

import pytest

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.repeats import repeats
from mbpo.envs.spec import EnvSpec

TIRING = "toy_envs:Tiring-v0"


@pytest.mark.parametrize("whole", [1, 2, 3])
def test_what_shows_only_in_the_second_third_or_fourth_episode_is_found(whole: int) -> None:
    env = BoxEnv(EnvSpec(TIRING, {"whole": whole}))
    found = repeats(env, seed=0)
    env.close()
    assert (found.exactly, found.in_fresh) == (False, True)
    assert "--fresh-env true makes it exact" in found.said


def test_one_made_anew_for_each_episode_repeats() -> None:
    env = BoxEnv(EnvSpec(TIRING, fresh=True))
    assert repeats(env, seed=0).exactly
    env.close()
