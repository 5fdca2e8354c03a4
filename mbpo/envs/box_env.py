"""Play any environment of continuous control as one with flat float32 observations and actions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mbpo.envs.global_state import GlobalState
from mbpo.envs.guard import faults, told
from mbpo.envs.make import make
from mbpo.envs.put_back import PUT_BACK, PutBacks, is_physics_error, warn_on_stderr
from mbpo.envs.spaces import Actions, Array, Observations
from mbpo.envs.spec import EnvSpec
from mbpo.errors import DivergedError, EnvironmentFault
from mbpo.seeding import stream_seed
from mbpo.settings.config import Config

LARGEST = float(np.finfo(np.float32).max)  # buffers and networks hold float32
MOST_BAD_STARTS = 10


class BoxEnv:
    """Wrap an environment: obs [O] and action [A] are flat float32, whatever its spaces, dtypes and habits.

    Attributes:
        env_id: as the settings name it.
        obs_dim: O.
        action_dim: A.
        action_low: [A], finite.
        action_high: [A], finite.
        obs_low, obs_high: [O], float64, what the space declares.
        reuses_array: whether it gave one and the same array again, which others then see changed.
        left_out: why the last step means nothing: MuJoCo put its simulation back in it, or its reward or
            observation was not finite; else empty. Such a step truncates.
    """

    _said: ClassVar[set[str]] = set()  # of what close raised

    def __init__(self, what: EnvSpec | Config | str) -> None:
        self.spec = EnvSpec.of(what)
        self.env_id = self.spec.env_id
        self._globals = GlobalState()
        self._make()
        self.obs_dim = self._observations.size
        self.action_dim = self._actions.size
        self.action_low: Array = self._actions.low
        self.action_high: Array = self._actions.high
        self.obs_low, self.obs_high = self._observations.low, self._observations.high
        self.left_out = ""
        self.reuses_array = False
        self._given: list[Any] = []  # the last observation's arrays, as they are
        self._obs = np.zeros(self.obs_dim, np.float32)
        self._steps = self._episodes = 0

    def reset(self, seed: int) -> Array:
        """Begin an episode from ``seed`` and return obs [O].

        Raises:
            EnvironmentFault: the environment raised, or 10 starts in turn are not finite.
        """
        if self.spec.fresh and self._episodes:
            self.close()
            self._make()
        self._episodes += 1
        for again in range(MOST_BAD_STARTS):
            obs = self._reset((seed if not again else stream_seed(seed, "start", again)) % 2**31)
            if np.isfinite(obs).all():
                self._obs, self._steps, self.left_out = obs, 0, ""
                return obs
        raise EnvironmentFault(f"{self.env_id}.reset gave {MOST_BAD_STARTS} starts that are not finite: {obs[:4]}")

    def step(self, action: Array) -> tuple[Array, float, bool, bool]:
        """Return (next_obs [O], reward, terminated, truncated); what is left out truncates, with reward 0.

        Raises:
            DivergedError: the action is not finite.
            EnvironmentFault: the environment raised, or broke its contract.
        """
        if not np.isfinite(action).all():
            raise DivergedError(f"{self.env_id}: the policy's action is not finite: {action}")
        own = self._actions.of(action)
        self._steps += 1
        try:
            happened = self._step(own)
        except EnvironmentFault as fault:
            if not is_physics_error(fault.__cause__):
                raise
            self.left_out = f"dm_control found the simulation unstable: {fault.__cause__}"[:120]
            return self._obs, 0.0, False, True
        obs, reward, terminated, truncated = self._checked(happened)
        self.left_out = self._wrong(obs, reward)
        if self.left_out:
            return self._obs, 0.0, False, True
        self._obs = obs
        limit = self.spec.time_limit
        if limit is not None and self._steps >= limit:
            terminated, truncated = False, True
        return obs, reward, terminated, truncated

    @property
    def time_limit(self) -> int | None:
        """Return the env steps after which an episode is truncated; None without a limit."""
        spec = self._env.spec
        registered = None if spec is None else spec.max_episode_steps
        limits = [limit for limit in (self.spec.time_limit, registered) if limit is not None]
        return min(limits) if limits else None

    @property
    def reward_threshold(self) -> float | None:
        """Return the return from which on its registration calls it solved; None where it was made otherwise."""
        as_registered = self.spec == EnvSpec(self.env_id, fresh=self.spec.fresh)
        spec = self._env.spec
        return spec.reward_threshold if spec is not None and as_registered else None

    @property
    def registered_id(self) -> str:
        """Return the id that ``gymnasium.register`` was given: ``Name-v0`` of ``module:Name-v0``."""
        spec = self._env.unwrapped.spec
        return self.env_id.rsplit(":", 1)[-1] if spec is None else str(spec.id)

    @property
    def adapted(self) -> str:
        """Say in words how its spaces are translated; nothing where they are flat already."""
        flattened = f"observations, {self._observations.parts}, are flattened to {self.obs_dim} numbers"
        said = [flattened if self._observations.parts else "", self._actions.said()]
        return "; ".join(part for part in said if part)

    def layers(self) -> Iterator[gymnasium.Env[Any, Any]]:
        """Yield the wrappers from the outside in, and last the environment that they wrap."""
        layer = self._env
        while isinstance(layer, gymnasium.Wrapper):
            yield layer
            layer = layer.env
        yield layer

    def frame(self) -> NDArray[np.uint8]:
        """Return the picture [H, W, 3] that it draws of itself, where it was made with render_mode "rgb_array".

        Raises:
            EnvironmentFault: it raised, or drew something else.
        """
        with self._globals.inside(), faults(f"{self.env_id}.render raised", self.env_id):
            found = np.asarray(self._env.render())
        if found.ndim != 3 or found.shape[2] != 3 or found.dtype != np.uint8:
            raise EnvironmentFault(
                f"{self.env_id}.render must return uint8 [height, width, 3], got {found.dtype} {list(found.shape)}"
            )
        return found

    def close(self) -> None:
        """Free what the environment holds; what it raises there costs nothing."""
        try:
            with self._globals.inside(), faults(f"{self.env_id}.close raised", self.env_id):
                self._env.close()
        except EnvironmentFault as error:
            if str(error) not in self._said:  # each of ten for evaluation would say it
                self._said.add(str(error))
                print(f"warning: {error}", file=sys.stderr)

    def _make(self) -> None:
        with self._globals.inside():
            self._env = make(self.spec)
        warn_on_stderr()
        with faults(f"{self.env_id} declares no spaces:"):
            spaces = self._env.observation_space, self._env.action_space
        self._observations, self._actions = Observations(spaces[0], self.env_id), Actions(spaces[1], self.env_id)
        self._put_backs = PutBacks(self._env)

    def _reset(self, seed: int) -> Array:
        with self._globals.inside(), faults(f"{self.env_id}.reset raised", self.env_id):
            self._globals.seed(seed)
            found = self._env.reset(seed=seed)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
            raise EnvironmentFault(
                f"{self.env_id}.reset must return (obs, info), got {_kinds(found)}; its interface is an older one: "
                "mend it, or wrap it by shimmy"
            )
        self._actions.check_unchanged(self._env.action_space)
        return self._flat(found[0])

    def _step(self, own: Any) -> Any:
        self._put_backs.clear()
        with self._globals.inside(), faults(f"{self.env_id}.step raised", self.env_id):
            return self._env.step(own)

    def _checked(self, happened: Any) -> tuple[Array, float, bool, bool]:
        if not (isinstance(happened, tuple) and len(happened) == 5):
            raise EnvironmentFault(
                f"{self.env_id}.step must return (obs, reward, terminated, truncated, info), got {_kinds(happened)}; "
                "its interface is an older one: mend it, or wrap it by shimmy"
            )
        obs, reward, terminated, truncated, _ = happened
        number = self._number(reward, "reward")
        ended, cut = bool(self._number(terminated, "terminated")), bool(self._number(truncated, "truncated"))
        return self._flat(obs), number, ended, cut

    def _flat(self, obs: Any) -> Array:
        given = list(_arrays(obs))
        self.reuses_array |= any(map(np.may_share_memory, given, self._given))
        self._given = given
        return self._observations.flat(obs)

    def _number(self, value: Any, name: str) -> float:
        """Return ``value`` as a number: it may be a scalar, or an array of one."""
        if isinstance(value, (float, bool)):
            return float(value)
        try:
            found = np.asarray(value)
            if found.size == 1 and found.dtype.kind in "fiub":
                return float(found.item())
            what = f"{found.size} of dtype {found.dtype}" if found.dtype != object else type(value).__name__
        except Exception as error:  # of an __array__ of its own, say
            what = told(error)
        raise EnvironmentFault(f"{self.env_id}: its {name} must be one number, got {what}; mend it in a --wrapper")

    def _wrong(self, obs: Array, reward: float) -> str:
        if self._put_backs.happened():
            return PUT_BACK
        if not abs(reward) <= LARGEST:
            return f"the reward was not finite in float32: {reward}"
        if not np.isfinite(obs).all():
            return f"the observation was not finite in float32: {np.flatnonzero(~np.isfinite(obs))[:4].tolist()}"
        return ""


def _arrays(obs: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays of an observation, those within a Dict or Tuple too."""
    if isinstance(obs, np.ndarray):
        yield obs
    elif isinstance(obs, (Mapping, tuple)):
        for part in obs.values() if isinstance(obs, Mapping) else obs:
            yield from _arrays(part)


def _kinds(found: Any) -> str:
    if not isinstance(found, tuple):
        return f"a {type(found).__name__}"
    return f"{len(found)} values"
