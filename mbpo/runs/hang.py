"""Notice a learner that stands still, and write down where."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path

from mbpo.runs.files import open_to_append


class HangWatch:
    """Write every thread's stack to a file where the loop makes no progress for ``after_s``.

    Seconds are counted in the beats of the thread that asks, so that a suspended process is not
    taken for a hung one. faulthandler's own timer would also fire where a library holds the
    interpreter, but it reads the stacks of threads that run: after a SIGSTOP that was longer than
    the timer it killed the learner. There ``kill -ABRT`` writes the stacks to ``log.txt``.
    """

    def __init__(self, path: Path, after_s: float) -> None:
        self.path = path
        self.after_s = after_s
        self._moved, self._told, self._still_s = True, False, 0.0

    def progress(self) -> None:
        """Say that the loop got on."""
        self._moved = True

    def beat(self, seconds: float) -> bool:
        """Take in that ``seconds`` went by; return whether the loop is now found to hang.

        Raises:
            OSError: the stacks cannot be written.
        """
        if self._moved:
            self._moved, self._told, self._still_s = False, False, 0.0
            return False
        self._still_s += seconds
        if self._still_s < self.after_s or self._told:
            return False
        self._told = True
        self._write_stacks()
        return True

    def _write_stacks(self) -> None:
        with os.fdopen(open_to_append(self.path), "ab") as file:
            faulthandler.dump_traceback(file)
