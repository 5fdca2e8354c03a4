"""Turn whatever comes out of an environment's own code into one line that names versions."""

from __future__ import annotations

import contextlib
import importlib.metadata
import signal
import threading
from collections.abc import Iterator

import gymnasium

from mbpo.errors import EnvironmentFault, Interrupted


@contextlib.contextmanager
def faults(env_id: str, act: str) -> Iterator[None]:
    """Name ``act`` and versions in what the environment raises, SystemExit and its own KeyboardInterrupt included.

    Raises:
        EnvironmentFault: it raised.
        KeyboardInterrupt: the user did.
    """
    try:
        yield
    except (EnvironmentFault, Interrupted, MemoryError):
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _is_the_users():
            raise
        raise EnvironmentFault(f"{env_id}.{act} raised {told(error)} ({versions(env_id)})") from error


def told(error: BaseException) -> str:
    """Return type and first line of ``error``."""
    first = (str(error).strip().splitlines() or [""])[0][:90]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def versions(env_id: str) -> str:
    """Return the versions of what takes part: gymnasium, MuJoCo and the environment's own package."""
    names = ["gymnasium"]
    spec = gymnasium.registry.get(env_id.rsplit(":", 1)[-1])
    if spec is not None:
        entry = spec.entry_point
        module = entry.split(":")[0] if isinstance(entry, str) else getattr(entry, "__module__", "")
        names += importlib.metadata.packages_distributions().get(module.split(".")[0], [])
    names += ["mujoco"]
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _is_the_users() -> bool:
    """Return whether Ctrl-C raises where we are, as Python does it; a learner's handler raises Interrupted."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
