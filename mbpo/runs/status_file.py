"""Keep ``status.json`` of a run at work: the loop changes it, the attendant writes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import ENDED, RunStatus, write_status


class StatusFile:
    """Hold the status of this process's run."""

    def __init__(self, paths: RunPaths, status: RunStatus, stopping: Callable[[], bool]) -> None:
        self._paths = paths
        self._status = status
        self._stopping = stopping
        self._lock = threading.Lock()

    @property
    def now(self) -> RunStatus:
        """Return the status; a run told to stop, by whomever, is stopping."""
        if self._stopping() and self._status.state not in ENDED:
            return msgspec.structs.replace(self._status, state="stopping")
        return self._status

    def update(self, **changes: Any) -> None:
        """Change fields; they reach the disk with the next :meth:`save`."""
        with self._lock:
            self._status = msgspec.structs.replace(self._status, **changes)

    def save(self, sync: bool = False) -> None:
        """Replace the file; its heartbeat is now.

        Raises:
            OSError: the disk refuses.
        """
        self.update(heartbeat=time.time())
        write_status(self._paths, self.now, sync=sync)
