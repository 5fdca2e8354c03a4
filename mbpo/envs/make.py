"""Make a Gymnasium environment with flat float32 observations and actions."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mbpo.errors import ConfigError, DivergedError, EnvironmentFault
from mbpo.settings.packages import lacking
from mbpo.settings.setting import nearest

Array = NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)

# Ant and Humanoid with the observations of the paper: without forces, inertias and the like, which
# are not a function of (obs, action) and so cannot be predicted.
gymnasium.register(
    "mbpo/AntTruncated-v5",
    "gymnasium.envs.mujoco.ant_v5:AntEnv",
    max_episode_steps=1000,
    kwargs={"include_cfrc_ext_in_observation": False},  # 27 numbers
)
gymnasium.register(
    "mbpo/HumanoidTruncated-v5",
    "gymnasium.envs.mujoco.humanoid_v5:HumanoidEnv",
    max_episode_steps=1000,
    kwargs={  # 45 numbers
        f"include_{part}_in_observation": False for part in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    },
)


class BoxEnv:
    """Wrap an environment with Box spaces: obs [O] and action [A] are flat float32.

    Attributes:
        obs_dim: O.
        action_dim: A.
        action_low: [A], finite.
        action_high: [A], finite.
        unstable: whether MuJoCo put its simulation back to the start in the last step, as it does,
            without a word in what it returns, where positions or velocities explode. The obs and
            reward of that step mean nothing.
    """

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id
        self._env = _make(env_id)
        self._was_put_back = _restarts(self._env)
        self.unstable = False
        observations, actions = self._env.observation_space, self._env.action_space
        for name, space in (("observation", observations), ("action", actions)):
            if not isinstance(space, gymnasium.spaces.Box):
                raise EnvironmentFault(
                    f"{env_id}: expected a Box {name} space, got {type(space).__name__}; "
                    "choose an environment with continuous spaces"
                )
        self.obs_dim = math.prod(observations.shape)
        self.action_dim = math.prod(actions.shape)
        self._action_shape = actions.shape
        self.action_low: Array = actions.low.astype(np.float32).ravel()
        self.action_high: Array = actions.high.astype(np.float32).ravel()
        if not (np.isfinite(self.action_low).all() and np.isfinite(self.action_high).all()):
            raise EnvironmentFault(
                f"{env_id}: expected finite action bounds, got {actions.low} to {actions.high}; "
                "wrap it with RescaleAction"
            )

    def reset(self, seed: int) -> Array:
        """Begin an episode from ``seed`` and return obs [O]."""
        with _faults(self.env_id, "reset"):
            obs, _ = self._env.reset(seed=seed % 2**31)
        return self._flat(obs)

    def step(self, action: Array) -> tuple[Array, float, bool, bool]:
        """Return (next_obs [O], reward, terminated, truncated); an unstable step truncates.

        Raises:
            DivergedError: the action, reward or observation is not finite in float32.
            EnvironmentFault: the environment raised.
        """
        if not np.isfinite(action).all():
            raise DivergedError(f"{self.env_id}: the policy's action is not finite: {action}")
        clipped = np.clip(action, self.action_low, self.action_high)
        with _faults(self.env_id, "step"):
            obs, reward, terminated, truncated, _ = self._env.step(clipped.reshape(self._action_shape))
        if not abs(float(reward)) <= LARGEST:  # buffers and networks hold float32
            raise DivergedError(f"{self.env_id}: reward is not finite in float32: {reward}")
        self.unstable = self._was_put_back()
        truncated = bool(truncated) or self.unstable
        return self._flat(obs), float(reward), bool(terminated) and not self.unstable, truncated

    @property
    def time_limit(self) -> int | None:
        """Return the env steps after which an episode is truncated; None without a limit."""
        spec = self._env.spec
        limit: int | None = None if spec is None else spec.max_episode_steps
        return limit

    @property
    def registered_id(self) -> str:
        """Return the id that ``gymnasium.register`` was given: ``Name-v0`` of ``module:Name-v0``."""
        spec = self._env.unwrapped.spec
        return self.env_id.rsplit(":", 1)[-1] if spec is None else str(spec.id)

    def layers(self) -> Iterator[gymnasium.Env[Any, Any]]:
        """Yield the wrappers from the outside in, and last the environment that they wrap."""
        layer = self._env
        while isinstance(layer, gymnasium.Wrapper):
            yield layer
            layer = layer.env
        yield layer

    def close(self) -> None:
        """Free what the environment holds."""
        self._env.close()

    def _flat(self, obs: Any) -> Array:
        flat = np.asarray(obs, dtype=np.float32).ravel()
        if not np.isfinite(flat).all():
            raise DivergedError(f"{self.env_id}: observation is not finite: {flat[:8]}")
        return flat


def _restarts(env: gymnasium.Env[Any, Any]) -> Callable[[], bool]:
    """Return what says whether MuJoCo has put its simulation back since the episode began."""
    mujoco: Any = importlib.import_module("mujoco") if importlib.util.find_spec("mujoco") else None
    data = getattr(env.unwrapped, "data", None)
    if mujoco is None or not isinstance(data, mujoco.MjData):
        return lambda: False  # another engine
    warning = mujoco.mjtWarning
    kinds = [int(kind) for kind in (warning.mjWARN_BADQPOS, warning.mjWARN_BADQVEL, warning.mjWARN_BADQACC)]
    return lambda: bool(data.warning.number[kinds].any())


def _make(env_id: str) -> gymnasium.Env[Any, Any]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _mujoco_quiet():
        warnings.simplefilter("ignore")
        try:
            if ":" not in env_id and env_id not in gymnasium.registry:
                raise gymnasium.error.UnregisteredEnv(env_id)  # gymnasium would guess the version
            return gymnasium.make(env_id)
        except gymnasium.error.DependencyNotInstalled as error:
            raise EnvironmentFault(lacking(env_id) or f"{env_id} needs a package: {_first_line(error)}") from None
        except (gymnasium.error.UnregisteredEnv, gymnasium.error.Error, ImportError) as error:
            if env_id in gymnasium.registry:
                raise EnvironmentFault(f"{env_id}: {_first_line(error)}") from None
            raise ConfigError(
                f"env_id must name a Gymnasium environment, got {env_id[:40]!a}{nearest(env_id, gymnasium.registry)}"
            ) from None
        except Exception as error:
            raise EnvironmentFault(f"{env_id} cannot be made: {type(error).__name__}: {_first_line(error)}") from error


@contextlib.contextmanager
def _mujoco_quiet() -> Iterator[None]:
    """Silence MuJoCo's word on its own model files, which it also writes to a file where we are."""
    mujoco: Any = importlib.import_module("mujoco") if importlib.util.find_spec("mujoco") else None
    if not hasattr(mujoco, "set_mju_user_warning"):
        yield
        return
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)


@contextlib.contextmanager
def _faults(env_id: str, act: str) -> Any:
    try:
        yield
    except Exception as error:
        raise EnvironmentFault(f"{env_id}.{act} raised {type(error).__name__}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
