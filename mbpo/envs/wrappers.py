"""Wrap environments: by what a run's settings name, and for those without bounds on actions."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from mbpo.envs.guard import faults
from mbpo.errors import ConfigError
from mbpo.settings.toml_text import parse_wrapper

Env: TypeAlias = gymnasium.Env[Any, Any]
RUNNING = re.compile(r"running_?(mean|stat|var)|_rms\Z", re.IGNORECASE)  # what counts over all episodes is called so


class BoundAction(gymnasium.ActionWrapper[Any, Any, Any]):  # type: ignore[misc]
    """Give actions without bounds the bounds ``low`` and ``high``."""

    def __init__(self, env: Env, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__(env)
        space = env.action_space
        if not isinstance(space, Box):
            raise TypeError(f"BoundAction needs a Box of actions, got {type(space).__name__}")
        self.action_space = Box(low, high, space.shape, np.float32)

    def action(self, action: Any) -> Any:
        """Return ``action`` in the dtype of the environment."""
        return np.asarray(action, self.env.action_space.dtype)


def wrapped(env: Env, texts: tuple[str, ...]) -> Env:
    """Return ``env`` in the wrappers that ``texts`` name, the first innermost.

    Raises:
        ConfigError: one names no wrapper class.
        EnvironmentFault: one cannot be constructed.
    """
    for text in texts:
        module, name, given = parse_wrapper(text)
        env = _constructed(_wrapper_class(module, name), env, given, text)
    return env


def _wrapper_class(module: str, name: str) -> type[gymnasium.Wrapper[Any, Any, Any, Any]]:
    with faults(f"wrapper {module}:{name} cannot be imported:"):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError as error:
            missing = f"module {error.name}"
            raise ConfigError(
                f"wrapper {module}:{name} needs {missing}, which is not found; give --module-path"
            ) from None
    if not (inspect.isclass(found) and issubclass(found, gymnasium.Wrapper)):
        raise ConfigError(f"wrapper {module}:{name} must be a class of gymnasium.Wrapper, got {type(found).__name__}")
    return found


def _constructed(kind: type[Any], env: Env, given: Mapping[str, Any], text: str) -> Env:
    with faults(f"wrapper {text[:60]} cannot be made:"):
        made: Env = kind(env, **given)
    return made


def running_statistics(layer: object) -> str:
    """Return the name of what ``layer`` counts over all its episodes and scales by; nothing where that is frozen."""
    if getattr(layer, "update_running_mean", True) is False or getattr(layer, "training", True) is False:
        return ""
    for name, value in vars(layer).items():
        if RUNNING.search(type(value).__name__) or (RUNNING.search(name) and not isinstance(value, bool)):
            return name
    return ""
