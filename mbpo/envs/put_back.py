"""Notice where MuJoCo puts its simulation back to the start, and keep its warnings out of files."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium

PUT_BACK = "MuJoCo found the simulation unstable and put it back to its start"


class PutBacks:
    """Ask, step by step, whether MuJoCo put its simulation back, as it does without a word where it explodes.

    Its counters live in the MjData that the environment has at the moment. Some environments never clear them and
    MuJoCo sets them to 1 again, so they are cleared here, before a step, where an earlier one left something.
    A maze or a kitchen has a robot's environment within it, and that one has the MjData.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        mujoco = _mujoco()
        own = env.unwrapped
        within = [value.unwrapped for value in vars(own).values() if isinstance(value, gymnasium.Env)]
        self._holders = [own, *within]
        self._type = None if mujoco is None else mujoco.MjData
        names = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC")
        self._kinds = [] if mujoco is None else [int(getattr(mujoco.mjtWarning, name)) for name in names]

    def clear(self) -> None:
        """Forget what happened before the step that comes."""
        data = self._data()
        if data is not None and data.warning.number[self._kinds].any():
            data.warning.number[self._kinds] = 0

    def happened(self) -> bool:
        """Return whether it put the simulation back since :meth:`clear`."""
        data = self._data()
        return data is not None and bool(data.warning.number[self._kinds].any())

    def _data(self) -> Any:
        if self._type is not None:
            for holder in self._holders:
                try:
                    data = getattr(holder, "data", None)
                except Exception:  # what is called so in an environment without MuJoCo may do anything
                    continue
                if isinstance(data, self._type):
                    return data
        return None


def is_physics_error(error: BaseException | None) -> bool:
    """Return whether it is what dm_control raises where its simulation explodes; its next reset mends that."""
    kinds = [] if error is None else type(error).__mro__
    return any((kind.__module__, kind.__qualname__) == ("dm_control.rl.control", "PhysicsError") for kind in kinds)


@contextlib.contextmanager
def mujoco_quiet() -> Iterator[None]:
    """Silence MuJoCo's word on models and explosions, which it also writes to MUJOCO_LOG.TXT where we are."""
    mujoco = _mujoco()
    if not hasattr(mujoco, "set_mju_user_warning"):
        yield
        return
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)


def warn_on_stderr() -> None:
    """Let MuJoCo's warnings go to stderr, and into no file of the folder where we are."""
    mujoco = _mujoco()
    if hasattr(mujoco, "set_mju_user_warning") and mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_warn)


def _warn(message: str) -> None:
    print(f"MuJoCo: {message}", file=sys.stderr)


def _mujoco() -> Any:
    return importlib.import_module("mujoco") if importlib.util.find_spec("mujoco") else None
