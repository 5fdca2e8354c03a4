"""Put an environment into the state that an observation tells of, so that it draws what was imagined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.put_back import mujoco_quiet
from mbpo.envs.spaces import Array

TRIED = 10  # states that must be read back as they were
CLOSE = 1e-4  # of float32 and back
LARGEST = 1e6  # of what is drawn; a model that runs away would break the simulation

State = NDArray[np.float64]
Pose = Callable[[Array], tuple[State, State]]  # obs [O] -> positions and velocities, without those not observed


class Puppet:
    """Draw states that an environment is put into by observations of it.

    Coordinates that are not observed, as how far a Hopper came, are summed up from the velocities.
    """

    def __init__(self, env: BoxEnv, puts: Puts) -> None:
        self._env, self._puts = env, puts

    def begin(self, seed: int) -> NDArray[np.uint8]:
        """Go to the start of the episode of ``seed``; return its picture [H, W, 3]."""
        self._env.reset(seed)
        self._puts.begin()
        return self._env.frame()

    def show(self, obs: Array) -> NDArray[np.uint8]:
        """Return the picture of ``obs`` [O], one step after the last; of what is not finite, the last again."""
        if np.isfinite(obs).all():
            with mujoco_quiet():
                self._puts.put(np.clip(obs, -LARGEST, LARGEST))
        return self._env.frame()

    def close(self) -> None:
        """Free the environment."""
        self._env.close()


class Puts:
    """Be the parent of the ways in which a state is set; each knows one kind of environment."""

    observed: slice = slice(None)  # of obs, what the state says; the rest follows from forces and the like

    def __init__(self, own: Any) -> None:
        """Take the environment without its wrappers.

        Raises:
            Exception: it is of another kind.
        """
        self.own = own

    def begin(self) -> None:
        """Remember where the episode begins."""

    def put(self, obs: Array) -> None:
        """Set the state."""
        raise NotImplementedError

    def read(self) -> Array:
        """Return what is observed in the state that is set."""
        return np.asarray(self.own._get_obs(), dtype=np.float32).ravel()


class OfPendulum(Puts):
    """Take the angle from its cosine and sine."""

    def __init__(self, own: Any) -> None:
        if type(own).__name__ != "PendulumEnv":
            raise TypeError
        super().__init__(own)

    def put(self, obs: Array) -> None:
        """Set angle and velocity."""
        self.own.state = np.array([np.arctan2(obs[1], obs[0]), obs[2]], dtype=np.float64)


class OfMuJoCo(Puts):
    """Take positions and velocities from the observation, in which the first positions may lack."""

    def __init__(self, own: Any) -> None:
        super().__init__(own)
        self._pose, self._skipped, width = _layout(own)
        self.observed = slice(0, width)
        self.begin()

    def begin(self) -> None:
        """Remember what will not be observed."""
        self._there = self.own.data.qpos[: self._skipped].astype(np.float64)

    def put(self, obs: Array) -> None:
        """Set qpos and qvel."""
        positions, velocities = self._pose(obs)
        self._there = self._there + self.own.dt * velocities[: self._skipped]
        self.own.set_state(np.concatenate((self._there, positions)), velocities)


class OfItsState(Puts):
    """Take the observation itself, where ``state`` is just that, as of MountainCarContinuous."""

    def put(self, obs: Array) -> None:
        """Set ``state``."""
        self.own.state = np.asarray(obs, dtype=np.asarray(self.own.state).dtype)

    def read(self) -> Array:
        """Return ``state``."""
        return np.asarray(self.own.state, dtype=np.float32).ravel()


def find_puppet(env: BoxEnv) -> Puppet | None:
    """Return ``env`` as a puppet, or None where its state cannot be set from an observation.

    It is tried: states that an episode of random actions comes to are put back from another start, and each must be
    observed as it was.
    """
    own = list(env.layers())[-1]
    for kind in (OfPendulum, OfMuJoCo, OfItsState):
        try:
            puts = kind(own)
            if _reads_back(env, puts):
                return Puppet(env, puts)
        except Exception:  # what an environment of another kind lacks
            continue
    return None


def _reads_back(env: BoxEnv, puts: Puts) -> bool:
    draws = np.random.default_rng(0)
    seen = [env.reset(seed=0)]
    for _ in range(TRIED):
        obs, _, terminated, truncated = env.step(draws.uniform(env.action_low, env.action_high).astype(np.float32))
        if not _alike(puts, obs):
            return False  # a wrapper observes something else
        seen.append(obs)
        if terminated or truncated:
            break
    env.reset(seed=1)
    for obs in seen:
        puts.put(obs)
        if not _alike(puts, obs):
            return False
    return True


def _alike(puts: Puts, obs: Array) -> bool:
    part, found = puts.observed, puts.read()
    return found.shape == obs.shape and np.allclose(found[part], obs[part], rtol=CLOSE, atol=CLOSE)


def _layout(own: Any) -> tuple[Pose, int, int]:
    """Return how positions and velocities stand in an observation, how many lack, and how wide they are there."""
    nq, nv = own.data.qpos.size, own.data.qvel.size
    if type(own).__name__ == "InvertedDoublePendulumEnv":  # x, sines, cosines, velocities, forces
        return (lambda obs: (np.r_[obs[0], np.arctan2(obs[1:3], obs[3:5])], obs[5:8])), 0, 8
    if type(own).__name__ == "ReacherEnv":  # cosines, sines, the target, velocities of the arm, a distance
        return (lambda obs: (np.r_[np.arctan2(obs[2:4], obs[:2]), obs[4:6]], np.r_[obs[6:8], 0.0, 0.0])), 0, 10
    told = getattr(own, "observation_structure", None)
    skipped = int(told.get("skipped_qpos", 0)) if told else nq + nv - own._get_obs().size
    kept = nq - skipped
    if not 0 <= skipped < nq:
        raise ValueError
    return (lambda obs: (obs[:kept], obs[kept : kept + nv])), skipped, kept + nv
