"""Give each environment its own share of what belongs to the whole process.

Some draw from ``random``, ``np.random`` or torch's global generator. Each has these for itself, seeded with its
episodes, so that no other environment moves them. Packages that set torch's default dtype or its number of threads
find them so inside environments; the learner has its own.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

_holder: GlobalState | None = None  # whose draws the process's generators go on with
_dtype = torch.float32  # of all environments


class GlobalState:
    """Hold the process's generators as one environment left them."""

    def __init__(self) -> None:
        self._numpy: Any = np.random.MT19937(0)
        self._python: Any = None
        self._torch = torch.Generator().get_state()
        self._threads = torch.get_num_threads()  # of the learner

    def seed(self, seed: int) -> None:
        """Begin all three generators anew from ``seed``; the caller is inside."""
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)

    def enter(self) -> None:
        """Let the environment find the generators as it left them."""
        global _holder
        if _holder is not self:
            if _holder is not None:
                _holder._leave()
            self._take()
            _holder = self
        self._threads = torch.get_num_threads()
        if _dtype is not torch.float32:
            torch.set_default_dtype(_dtype)

    def exit(self) -> None:
        """Let the learner find dtype and threads as it had them; it draws from no generator of the process."""
        global _dtype
        _dtype = torch.get_default_dtype()
        if _dtype is not torch.float32:
            torch.set_default_dtype(torch.float32)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)

    def _take(self) -> None:
        np.random.set_bit_generator(self._numpy)  # type: ignore[attr-defined]
        if self._python is not None:
            random.setstate(self._python)
        torch.default_generator.set_state(self._torch)

    def _leave(self) -> None:
        self._numpy = np.random.get_bit_generator()  # type: ignore[attr-defined]
        self._python = random.getstate()
        self._torch = torch.default_generator.get_state()
