"""Look at a run's disk, its place and its loop, once with every heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mbpo.errors import RunInUseError, StorageError
from mbpo.runs.attendant import HEARTBEAT_S
from mbpo.runs.hang import HangWatch
from mbpo.runs.journal import Journal
from mbpo.runs.lease import Lease
from mbpo.runs.live_control import LiveControl

FULL = "the disk is full: what is measured waits in memory until there is space"
GONE_AFTER_BEATS = 3  # a network's file system may be away for a moment

Warn = Callable[[str], None]


class DiskWatch:
    """Write what waited for space as soon as there is some, and say when it begins and ends to wait."""

    def __init__(self, journal: Journal, warn: Warn) -> None:
        self._journal = journal
        self._warn = warn
        self._full = False

    def look_at_disk(self) -> None:
        """Try again to write what waits."""
        self._journal.retry()
        full = self._journal.waiting > 0
        if full != self._full:
            self._full = full
            self._warn(FULL if full else "there is space again")


class PlaceWatch:
    """Stop a run whose directory is gone: what it writes would reach nobody."""

    def __init__(self, root: Path, control: LiveControl) -> None:
        self.fault: StorageError | None = None
        self._root = root
        self._control = control
        self._place = _identity(root)
        self._missing_beats = 0

    def look_at_place(self) -> None:
        """Compare the folder with the one that the run began in."""
        gone = _identity(self._root) != self._place
        self._missing_beats = self._missing_beats + 1 if gone else 0
        if self._missing_beats == GONE_AFTER_BEATS:
            self.fault = StorageError(f"{self._root} has vanished or is another folder now")
            self._control.request_stop()


class LeaseWatch:
    """Stop a learner whose run another one has taken over: it was taken for dead."""

    def __init__(self, lease: Lease, control: LiveControl) -> None:
        self.fault: RunInUseError | None = None
        self._lease = lease
        self._control = control

    def look_at_lease(self) -> None:
        """Look whether this process may still write."""
        if self.fault is None and self._lease.lost:
            self.fault = self._lease.fault
            self._control.request_stop()


class LoopWatch:
    """Say where a loop stands that makes no progress; one that is paused need make none."""

    def __init__(self, hang: HangWatch, control: LiveControl, phase: Callable[[], str], warn: Warn) -> None:
        self._hang = hang
        self._control = control
        self._phase = phase
        self._warn = warn

    def look_at_loop(self) -> None:
        """Take in that one more heartbeat went by."""
        if self._control.paused:
            self._hang.progress()
        if self._hang.beat(HEARTBEAT_S):
            where = f"in phase {self._phase()}: {self._hang.path.name} says where it stands"
            self._warn(f"no progress for {self._hang.after_s:g} s {where}")


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
