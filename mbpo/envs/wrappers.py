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

from mbpo.errors import ConfigError, EnvironmentFault
from mbpo.settings.toml_text import parse_wrapper

Env: TypeAlias = gymnasium.Env[Any, Any]
RUNNING = re.compile(r"running_?(mean|stat|var)", re.IGNORECASE)  # classes that count over all episodes


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
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        missing = f"module {error.name}"
        raise ConfigError(f"wrapper {module}:{name} needs {missing}, which is not found; give --module-path") from None
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        what = f"{type(error).__name__}: {str(error)[:80]}"
        raise EnvironmentFault(f"wrapper {module}:{name} cannot be imported: {what}") from error
    if not (inspect.isclass(found) and issubclass(found, gymnasium.Wrapper)):
        raise ConfigError(f"wrapper {module}:{name} must be a class of gymnasium.Wrapper, got {type(found).__name__}")
    return found


def _constructed(kind: type[Any], env: Env, given: Mapping[str, Any], text: str) -> Env:
    try:
        made: Env = kind(env, **given)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        what = f"{type(error).__name__}: {str(error)[:80]}"
        raise EnvironmentFault(f"wrapper {text[:60]} cannot be made: {what}") from error
    return made


def running_statistics(layer: object) -> str:
    """Return the name of what ``layer`` counts over all its episodes and scales by, or nothing."""
    if getattr(layer, "update_running_mean", True) is False:
        return ""
    for name, value in vars(layer).items():
        if RUNNING.search(type(value).__name__):
            return name
    return ""
