"""Notice a learner that stands still, and write down where."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path


class HangWatch:
    """Write every thread's stack to a file where the loop makes no progress for ``after_s``.

    The timer is faulthandler's, which runs without the interpreter: it also fires where a library
    holds that. Seconds are counted in beats, so that a suspended process is not taken for a hung
    one.
    """

    def __init__(self, path: Path, after_s: float) -> None:
        self.path = path
        self.after_s = after_s
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.fdopen(os.open(path, flags, 0o600), "ab")
        self._moved, self._told, self._still_s = True, False, 0.0
        self.beat(0.0)

    def progress(self) -> None:
        """Say that the loop got on."""
        self._moved = True

    def beat(self, seconds: float) -> bool:
        """Take in that ``seconds`` went by; return whether the loop is now found to hang."""
        if self._moved:
            self._moved, self._told, self._still_s = False, False, 0.0
            faulthandler.dump_traceback_later(self.after_s, file=self._file)
            return False
        self._still_s += seconds
        found = self._still_s >= self.after_s and not self._told
        self._told = self._told or found
        return found

    def close(self) -> None:
        """Stop watching; a file without stacks goes."""
        faulthandler.cancel_dump_traceback_later()
        self._file.close()
        if self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()
