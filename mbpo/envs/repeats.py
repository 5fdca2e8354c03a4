"""Find out by short plays whether an environment repeats its episodes, as an exact resume needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.known_rules import known_rule
from mbpo.envs.spec import EnvSpec
from mbpo.errors import DivergedError, EnvironmentFault
from mbpo.seeding import numpy_rng, stream_seed

STEPS = 200  # of each episode played
EPISODES = 5  # in a row: what reset leaves behind shows late, in BipedalWalker-v3 from the third on
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

    @property
    def facts(self) -> dict[str, str]:
        """Return what a run's manifest holds of it; nothing where it repeats."""
        return {} if self.exactly else {"unrepeated": self.why}


def repeats(env: BoxEnv, seed: int) -> Repeats:
    """Play short episodes with random actions in environments made like ``env``: first, later and fresh ones.

    Gymnasium's own on MuJoCo, and Pendulum, are known to repeat. One that breaks is not judged: training meets that.
    """
    if known_rule(env) is not None and not env.spec.wrappers:
        return Repeats(True)
    began = time.monotonic()
    try:
        in_a_row = _played(env.spec, range(EPISODES), seed, began + PATIENCE_S / 3)
        (first_again,) = _played(env.spec, [0], seed, began + PATIENCE_S * 2 / 3)
        if at := _differ(in_a_row[0], first_again):
            return Repeats(False, False, f"two fresh ones with the same seed and actions differ {at}")
        for number in reversed(range(1, len(in_a_row))):  # the longer it was used, the more may be left behind
            (alone,) = _played(env.spec, [number], seed, began + PATIENCE_S)
            if at := _differ(in_a_row[number], alone):
                return Repeats(False, True, f"a later episode differs from the same one in a fresh environment {at}")
    except (EnvironmentFault, DivergedError):
        return Repeats(True)
    return Repeats(True)


def _played(spec: EnvSpec, episodes: Sequence[int], seed: int, until: float) -> list[list[bytes]]:
    """Return for each episode what came at its start and at each step; from the third on only while there is time."""
    env, found = BoxEnv(spec), list[list[bytes]]()
    try:
        for number in episodes:
            if len(found) < 2 or time.monotonic() < until:
                found.append(_episode(env, number, seed, until))
        return found
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
