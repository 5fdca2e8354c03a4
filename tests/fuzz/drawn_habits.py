"""What drawn environments do besides their work: habits that cost nothing, and faults that end a run."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Act = Callable[[Any], object]
PLACES = ("make", "reset", "step", "close")
LEFT_BEHIND_S = 600.0  # far longer than a run


class Unspeakable(Exception):
    """Raise where someone asks what it says."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unwilling:
    """Be an attribute that nobody may look at."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise RuntimeError("not connected")


class OfItsOwn(BaseException):
    """Be no Exception, as what some test frameworks raise."""


RAISED: Mapping[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("joint 3 is out of range\nsecond line\nthird line"),
    "an error without words": lambda: RuntimeError(),
    "an error of 10,000 characters": lambda: RuntimeError("x" * 10_000),
    "an error with escapes": lambda: RuntimeError("\x1b[31mred\x07 \udc80 \u202e"),
    "an error that cannot be told": Unspeakable,
    "a BaseException": lambda: OfItsOwn("not an Exception"),
    "SystemExit": lambda: SystemExit("no licence"),
    "SystemExit 0": lambda: SystemExit(0),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration(3),
    "an assertion": lambda: AssertionError(),
    "OSError": lambda: OSError(28, "No space left on device", "simulator.log"),
    "BrokenPipeError": lambda: BrokenPipeError(32, "Broken pipe"),
    "ModuleNotFoundError": lambda: ModuleNotFoundError("No module named 'physics'", name="physics"),
    "a warning": lambda: UserWarning("deprecated"),
    "RecursionError": lambda: RecursionError("maximum recursion depth exceeded"),
    "a torch error": lambda: torch.linalg.LinAlgError("singular"),
}


def _print(env: Any) -> None:
    print("from the environment", flush=True)
    os.write(1, b"from C\n")
    logging.basicConfig()
    logging.getLogger("drawn").warning("from its log")


def _draw_globally(env: Any) -> None:
    env.luck = random.random() + float(np.random.uniform()) + float(torch.rand((), device="cpu"))


def _seed_globally(env: Any) -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _leave_thread(env: Any) -> None:
    threading.Thread(target=time.sleep, args=(LEFT_BEHIND_S,)).start()


def _leave_process(env: Any) -> None:
    multiprocessing.Process(target=time.sleep, args=(LEFT_BEHIND_S,)).start()


def _leave_command(env: Any) -> None:
    env.command = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LEFT_BEHIND_S})"])


def _turn_warnings_into_errors(env: Any) -> None:
    warnings.simplefilter("error")


def _take_stdout(env: Any) -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  as careless as the habit


def _close_stdout(env: Any) -> None:
    sys.stdout.close()


def _renew_spaces(env: Any) -> None:
    env.make_spaces()


@dataclass(frozen=True)
class Habit:
    """Name what an environment does at each of some places, and goes on."""

    name: str
    act: Act
    places: tuple[str, ...] = ("make", "reset", "step")
    repeats: bool = True  # whether its episodes do, all the same


HABITS = (
    Habit("prints", _print, PLACES),
    Habit("warns", lambda env: warnings.warn("deprecated", stacklevel=1), PLACES),
    Habit("goes elsewhere", lambda env: os.chdir("/"), PLACES),
    Habit("draws globally", _draw_globally, PLACES),
    Habit("seeds globally", _seed_globally, PLACES),
    Habit("takes another generator", lambda env: np.random.set_bit_generator(np.random.PCG64(3)), ("make", "reset")),
    Habit("leaves a thread", _leave_thread, ("make",)),
    Habit("leaves a process", _leave_process, ("make",)),
    Habit("leaves a command", _leave_command, ("make",)),
    Habit("wants float64 of torch", lambda env: torch.set_default_dtype(torch.float64), PLACES),
    Habit("wants two threads of torch", lambda env: torch.set_num_threads(2), PLACES),
    Habit("wants no gradients of torch", lambda env: torch.set_grad_enabled(False), PLACES),
    Habit("wants another device of torch", lambda env: torch.set_default_device("meta"), PLACES),
    Habit("wants gradients", lambda env: torch.ones(1, device="cpu", requires_grad=True).square().sum().backward()),
    Habit("lets numpy raise", lambda env: np.seterr(all="raise"), PLACES),
    Habit("turns warnings into errors", _turn_warnings_into_errors, PLACES),
    Habit("takes stdout", _take_stdout),
    Habit("closes stdout", _close_stdout),
    Habit("clears the shell's variables", lambda env: os.environ.clear()),
    Habit("makes its spaces anew", _renew_spaces, ("reset", "step")),
    Habit("reads the clock", lambda env: setattr(env, "luck", time.perf_counter() % 1), repeats=False),
    Habit("draws from the system", lambda env: setattr(env, "luck", random.SystemRandom().random()), repeats=False),
    Habit("wears out", lambda env: setattr(env, "luck", env.luck + 1e-3), ("reset",), repeats=False),
)


def returned_by_step(kind: str, found: tuple[Any, ...]) -> Any:
    """Return what an environment of another interface returns from ``step``."""
    obs, reward, terminated, truncated, info = found
    return {
        "the old four values": (obs, reward, terminated or truncated, info),
        "six values": (*found, info),
        "nothing": None,
        "an observation alone": obs,
        "no flag": (obs, reward, None, truncated, info),
        "three flags": (obs, reward, np.zeros(3, bool), truncated, info),
    }[kind]


def returned_by_reset(kind: str, obs: Any) -> Any:
    """Return what an environment of another interface returns from ``reset``."""
    return {
        "the old observation": obs,
        "three values": (obs, {}, {}),
        "nothing": None,
        "an info of None": (obs, None),
        "a list": [obs, {}],
    }[kind]


STEPS_OF_OTHERS = ("the old four values", "six values", "nothing", "an observation alone", "no flag", "three flags")
RESETS_OF_OTHERS = ("the old observation", "three values", "nothing", "an info of None", "a list")


def unlike(kind: str, obs: Any) -> Any:
    """Return in place of ``obs`` what its space does not declare."""
    numbers = [0.0] * 40  # more than any drawn space has
    return {
        "too long": lambda: numbers,
        "not finite": lambda: _everywhere(obs, np.nan),
        "text": lambda: "standing",
        "nothing": lambda: None,
        "ragged": lambda: [[0.0], [0.0, 1.0]],
        "of objects": lambda: np.array([object()] * 3),
        "complex": lambda: np.array(numbers, complex),
        "a tensor with gradients": lambda: torch.zeros(3, device="cpu", requires_grad=True),
        "what cannot be read": Unreadable,
    }[kind]()


UNLIKE = (
    "too long",
    "text",
    "nothing",
    "ragged",
    "of objects",
    "complex",
    "a tensor with gradients",
    "what cannot be read",
)


class Unreadable:
    """Be no array, and say so."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")


def _everywhere(obs: Any, value: float) -> Any:
    if isinstance(obs, dict):
        return {key: _everywhere(part, value) for key, part in obs.items()}
    if isinstance(obs, tuple):
        return tuple(_everywhere(part, value) for part in obs)
    return np.full(np.shape(obs), value, np.float32)
