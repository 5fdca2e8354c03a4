"""Give each environment its own share of what belongs to the whole process.

Some draw from ``random``, ``np.random`` or torch's global generator. Each has these for itself, seeded with its
episodes, so that no other environment moves them. Packages that set torch's default dtype, say, find it so inside
environments; the learner has its own.
"""

from __future__ import annotations

import ctypes
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

KEY_BYTES = 624 * 4  # of a Mersenne twister, before its cursor
_holder: GlobalState | None = None  # whose draws the process's generators go on with


class GlobalState:
    """Hold the process's generators as one environment left them."""

    def __init__(self) -> None:
        self._numpy: Any = np.random.MT19937(0)
        self._numpy_state: Any = None  # where the second of a pair of Gaussians waits, which the generator has not
        self._cursor: int | None = None  # of the generator, when the environment last came to it
        self._python: Any = None
        self._torch = torch.Generator().get_state()

    def seed(self, seed: int) -> None:
        """Begin all three generators anew from ``seed``; the caller is inside."""
        random.seed(seed)
        np.random.set_bit_generator(np.random.MT19937(0))  # type: ignore[attr-defined]  # of which kind theirs may be
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let the environment find generators and settings as it left them, and the learner its own afterwards.

        The learner draws from no generator of the process.
        """
        global _holder
        if _holder is not self:
            if _holder is not None:
                _holder._leave()
            self._take()
            _holder = self
        ours = [setting.enter() for setting in _SETTINGS]
        try:
            yield
        finally:
            for setting, value in zip(_SETTINGS, ours, strict=True):
                setting.exit(value)

    def _take(self) -> None:
        np.random.set_bit_generator(self._numpy)  # type: ignore[attr-defined]
        if self._numpy_state is not None:
            np.random.set_state(self._numpy_state)
        self._cursor = _cursor()
        if self._python is not None:
            random.setstate(self._python)
        torch.default_generator.set_state(self._torch)

    def _leave(self) -> None:
        self._numpy = np.random.get_bit_generator()  # type: ignore[attr-defined]
        if self._numpy_state is not None or self._cursor is None or self._cursor != _cursor():  # it may have drawn
            state: Any = np.random.get_state(legacy=False)  # slow: most environments do not draw here
            self._numpy_state = state if state["has_gauss"] else None
        self._python = random.getstate()
        self._torch = torch.default_generator.get_state()


def _cursor() -> int | None:
    """Return how far the numbers of numpy's generator are drawn; None where it is none of the usual kind."""
    generator: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]
    if type(generator) is not np.random.MT19937:
        return None
    return ctypes.c_int.from_address(generator.ctypes.state_address + KEY_BYTES).value


class _Setting:
    """Keep apart what the learner and all environments set process-wide: a package sets it once, when imported."""

    def __init__(self, get: Callable[[], Any], put: Callable[[Any], object], *theirs: Any, kept: bool = True) -> None:
        """Take how to read and set it, and what environments find at first if not the learner's.

        What they set is ``kept`` for them, or forgotten.
        """
        self._get = get
        self._put = put
        self._theirs = theirs  # empty, or one value
        self._kept = kept

    def enter(self) -> Any:
        """Give environments theirs; return the learner's."""
        ours = self._get()
        if self._theirs and self._theirs[0] != ours:
            self._put(self._theirs[0])
        return ours

    def exit(self, ours: Any) -> None:
        """Give the learner ``ours``, and remember what environments set."""
        found = self._get()
        if self._kept and (found != ours or self._theirs):
            self._theirs = (found,)
        if found != ours:
            self._put(ours)


def _put_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _put_filters(filters: tuple[Any, ...]) -> None:
    warnings.resetwarnings()
    warnings.filters[:] = filters  # type: ignore[index]


def _put_streams(streams: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = streams


_SETTINGS = (
    _Setting(torch.get_default_dtype, torch.set_default_dtype),
    _Setting(lambda: torch.empty(0).device, _put_device),
    _Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
    _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    _Setting(torch.get_num_threads, torch.set_num_threads, kept=False),
    _Setting(np.geterr, lambda kinds: np.seterr(**kinds)),
    _Setting(lambda: tuple(warnings.filters), _put_filters),
    _Setting(lambda: (sys.stdout, sys.stderr), _put_streams, kept=False),
)
