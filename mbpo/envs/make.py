"""Make a Gymnasium environment as a run's settings say."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from typing import Any

import gymnasium

from mbpo.envs.guard import faults, told
from mbpo.envs.put_back import mujoco_quiet
from mbpo.envs.spec import EnvSpec
from mbpo.envs.wrappers import Env, running_statistics, wrapped
from mbpo.errors import ConfigError, EnvironmentFault
from mbpo.settings.packages import lacking
from mbpo.settings.setting import nearest

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

_new_ids: dict[str, set[str]] = {}  # that came with a module, which is imported once


def make(spec: EnvSpec) -> Env:
    """Return the environment that ``spec`` names, in its wrappers.

    Raises:
        ConfigError: there is no such environment, module or wrapper.
        EnvironmentFault: it cannot be made, or keeps statistics over all episodes.
    """
    with warnings.catch_warnings(), mujoco_quiet():
        warnings.simplefilter("ignore")
        env_id = _registered(spec.env_id)
        env = wrapped(_made(env_id, spec), spec.wrappers)
    for layer in _layers(env):
        if counted := running_statistics(layer):
            raise EnvironmentFault(
                f"{spec.env_id}: {type(layer).__name__} keeps running statistics ({counted}), so that scales move: "
                "leave it out; the model normalizes obs itself, --reward-scale rewards"
            )
    return env


def _registered(env_id: str) -> str:
    """Return the id without its module, which is imported to register it."""
    module, _, name = env_id.rpartition(":")
    if not module:
        if name not in gymnasium.registry:
            raise _unknown(env_id, nearest(env_id, gymnasium.registry))
        return name
    before = {*gymnasium.registry}
    _import(module, env_id)
    new = _new_ids.setdefault(module, {*gymnasium.registry} - before)
    if name not in gymnasium.registry:
        own = sorted(new) or sorted(_registered_by(module))
        there = f"module {module} registers " + (f"{', '.join(own[:5])}" if own else "no environment")
        raise _unknown(env_id, f"; {there[:90]}")
    return name


def _import(module: str, env_id: str) -> None:
    name = env_id.rpartition(":")[2]
    with faults(f"{env_id}: importing {module} raised"):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise EnvironmentFault(f"{env_id}: importing {module} raised {told(error)}; install it") from error
            hint = "run where it lies, or give its folder: --module-path DIR"
            raise _unknown(env_id, f"; there is no module {error.name[:40]}: {hint}") from None
        if name not in gymnasium.registry and callable(register := getattr(found, "register_envs", None)):
            register()  # for some packages importing is not enough


def _registered_by(module: str) -> Iterable[str]:
    """Return the ids whose environments come from ``module``'s package."""
    package = module.split(".")[0]
    for env_id, spec in gymnasium.registry.items():
        entry = spec.entry_point
        home = entry if isinstance(entry, str) else getattr(entry, "__module__", "")
        if f"{home}.".replace(":", ".").startswith(f"{package}."):
            yield env_id


def _made(name: str, spec: EnvSpec) -> Env:
    env_id = spec.env_id
    given = f" with {', '.join(sorted(spec.kwargs))}" if spec.kwargs else ""
    with faults(f"{env_id} cannot be made{given[:25]}:", env_id):
        try:
            return gymnasium.make(name, disable_env_checker=True, **spec.kwargs)
        except gymnasium.error.DependencyNotInstalled as error:
            raise EnvironmentFault(lacking(name) or f"{env_id} needs a package: {_first_line(error)}") from None


def _unknown(env_id: str, hint: str) -> ConfigError:
    return ConfigError(f"env_id must name a Gymnasium environment, got {env_id[:40]!a}{hint}")


def _layers(env: Env) -> Iterable[Any]:
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env
    yield env


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
