"""Find out by short plays whether an environment repeats its episodes, as an exact resume needs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.known_rules import known_rule
from mbpo.envs.spec import EnvSpec
from mbpo.errors import DivergedError, EnvironmentFault
from mbpo.seeding import numpy_rng, stream_seed

STEPS = 200  # of each episode played
PATIENCE_S = 5.0  # for slow simulators: what was not played by then is not compared
GOES_ON = "a resume goes on in a new episode, not bit for bit"


@dataclass(frozen=True)
class Repeats:
    """Say whether the same seed and actions lead to the same episode."""

    exactly: bool
    in_fresh: bool = True  # whether they do in an environment made anew
    why: str = ""  # they do not

    @property
    def said(self) -> str:
        """Return what a run says of it at its start; nothing where it repeats."""
        if self.exactly:
            return ""
        mend = "; --fresh-env true makes it exact" if self.in_fresh else ""
        return f"the environment does not repeat: {self.why}; {GOES_ON}{mend}"


def repeats(env: BoxEnv, seed: int) -> Repeats:
    """Play short episodes with random actions in environments made like ``env``: first, later and fresh ones.

    Gymnasium's own on MuJoCo, and Pendulum, are known to repeat. One that breaks is not judged: training meets that.
    """
    if known_rule(env) is not None and not env.spec.wrappers:
        return Repeats(True)
    until = time.monotonic() + PATIENCE_S
    try:
        first, second = _played(env.spec, (0, 1), seed, until)
        (second_alone,) = _played(env.spec, (1,), seed, until)
        (first_again,) = _played(env.spec, (0,), seed, until)
    except (EnvironmentFault, DivergedError):
        return Repeats(True)
    if at := _differ(first, first_again):
        return Repeats(False, False, f"two fresh ones with the same seed and actions differ {at}")
    if at := _differ(second, second_alone):
        return Repeats(False, True, f"a later episode differs from the same one in a fresh environment {at}")
    return Repeats(True)


def _played(spec: EnvSpec, episodes: tuple[int, ...], seed: int, until: float) -> list[list[bytes]]:
    """Return for each episode what came at its start and at each step."""
    env = BoxEnv(spec)
    try:
        return [_episode(env, number, seed, until) for number in episodes]
    finally:
        env.close()


def _episode(env: BoxEnv, number: int, seed: int, until: float) -> list[bytes]:
    rng = numpy_rng(stream_seed(seed, "repeats", number), "actions")
    found = [env.reset(stream_seed(seed, "repeats", number)).tobytes()]
    while len(found) <= STEPS and time.monotonic() < until:
        obs, reward, terminated, truncated = env.step(rng.uniform(env.action_low, env.action_high).astype(np.float32))
        found.append(obs.tobytes() + repr((reward, terminated, truncated)).encode())
        if terminated or truncated:
            break
    return found


def _differ(one: list[bytes], other: list[bytes]) -> str:
    """Say where two plays differ first; nothing where they do not as far as both went."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return f"at step {number}" if number else "at reset"
    return ""
