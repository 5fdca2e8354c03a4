"""Turn whatever comes out of an environment's own code into one line that names versions."""

from __future__ import annotations

import contextlib
import importlib.metadata
import signal
import threading
from collections.abc import Iterator

import gymnasium

from mbpo.errors import EnvironmentFault, EnvironmentOutOfMemory, Interrupted, MBPOError, printable


@contextlib.contextmanager
def faults(what: str, env_id: str = "") -> Iterator[None]:
    """Say ``what`` of anything that an environment's code raises, SystemExit and its own KeyboardInterrupt included.

    With ``env_id`` it names versions, too.

    Raises:
        EnvironmentFault: it raised.
        KeyboardInterrupt: the user did.
    """
    try:
        yield
    except (MBPOError, Interrupted):
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _is_the_users():
            raise
        if _is_of_another_interface(error):
            what = what.replace(" raised", ": its interface is an older one, mend it or wrap it by shimmy:")
        with_which = f" ({versions(env_id)})" if env_id else ""
        kind = EnvironmentOutOfMemory if isinstance(error, MemoryError) else EnvironmentFault
        raise kind(f"{what} {told(error)}{with_which}") from error


def _is_of_another_interface(error: BaseException) -> bool:
    """Return whether one of Gymnasium's wrappers could not unpack what an environment returned."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    module = "" if last is None else str(last.tb_frame.f_globals.get("__name__"))
    kinds = isinstance(error, (ValueError, TypeError)) and " unpack" in told(error)
    return kinds and module.startswith("gymnasium.wrappers.")


def told(error: BaseException) -> str:
    """Return type and first line of ``error``, in printable characters."""
    try:
        text = str(error)
    except Exception:  # an error whose own text raises is one all the same
        text = ""
    first = printable((text.strip().splitlines() or [""])[0][:70])
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def versions(env_id: str) -> str:
    """Return the versions of what takes part: gymnasium, MuJoCo and the environment's own package."""
    names = ["gymnasium"]
    spec = gymnasium.registry.get(env_id.rsplit(":", 1)[-1])
    if spec is not None:
        entry = spec.entry_point
        module = entry.split(":")[0] if isinstance(entry, str) else getattr(entry, "__module__", "")
        package = module.split(".")[0]  # Python 3.10 knows only distributions with a top_level.txt
        names += importlib.metadata.packages_distributions().get(package, [package])
    names += ["mujoco"]
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _is_the_users() -> bool:
    """Return whether Ctrl-C raises where we are, as Python does it; that of our commands raises Interrupted."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
