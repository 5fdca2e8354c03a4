"""Hold the right to write in a run, across hosts: a number that rises with every learner that takes the run over.

A lock that the kernel keeps tells of other processes of this machine, on network file systems often of no others. So
each learner puts down a file of the next number, which one alone can do, and before it writes looks whether its number
is still the highest (a fencing token: Gray and Cheriton, Leases, SOSP 1989; Burrows, The Chubby lock service, OSDI
2006, 2.4). One that was taken for dead, as a machine that stood still for a minute, finds that out and writes nothing
more. Whether a learner elsewhere lives is told by its heartbeat: it moves, or stands still as one watches. Clocks of
different machines are not compared.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from mbpo.errors import RunInUseError
from mbpo.runs.layout import RunPaths
from mbpo.runs.locks import is_locked
from mbpo.runs.status import ENDED, SILENT_AFTER_S, RunStatus, read_status
from mbpo.settings.setting import shown
from mbpo.settings.stdout import say

NAME = re.compile(r"\.lease-([0-9]{1,9})\Z")
LOOK_S = 0.5
STILL_S = 10.0  # for which a heartbeat stands still where the learner's lock, were it of this machine, is free
ALWAYS_WATCHED_S = 10.0  # of the time for which it must stand still


class Lease:
    """Be this process's right to write in a run."""

    def __init__(self, paths: RunPaths) -> None:
        """Take the run over from whoever has it.

        Raises:
            RunInUseError: another learner is quicker.
            OSError: the folder cannot be written.
        """
        self._root = paths.root
        before = _numbers(self._root)
        self.number = max(before, default=0) + 1
        self._path = self._root / f".lease-{self.number}"
        _make_alone(self._path)
        if max(_numbers(self._root), default=0) > self.number:  # a folder that changes while it is read may hide a file
            self._path.unlink(missing_ok=True)
            raise _begun(self._root)
        for number in before:
            with contextlib.suppress(OSError):
                (self._root / f".lease-{number}").unlink()

    @property
    def lost(self) -> bool:
        """Return whether another learner has taken the run over."""
        try:
            os.close(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC))  # an open asks the server, a stat may not
        except FileNotFoundError:
            return any(number > self.number for number in _numbers(self._root))
        except OSError:  # the file system is away, as it may be for a moment
            return False
        return False

    def check(self) -> None:
        """Check that this process may write.

        Raises:
            RunInUseError: another learner has taken the run over.
        """
        if self.lost:
            raise self.fault

    @property
    def fault(self) -> RunInUseError:
        """Return what is to be said when the run was lost."""
        return RunInUseError(f"{self._root} was taken over by another learner: this one writes nothing more")


def check_free(paths: RunPaths, status: RunStatus | None) -> None:
    """Check that no learner is at work in a run; one on another machine is watched for a heartbeat.

    Raises:
        RunInUseError: one is.
    """
    if status is None:
        return
    locked = is_locked(paths)
    if locked and not status.live:
        raise RunInUseError(f"{paths.root} is in use by another learner, whose lock is on it; stop it first")
    if locked or (status.local and status.live):
        raise _in_use(paths, status)
    if not status.local and status.state not in ENDED:
        _watch(paths, status, locked)


def _watch(paths: RunPaths, status: RunStatus, locked: bool | None) -> None:
    """Wait until the heartbeat has stood still for long enough.

    Raises:
        RunInUseError: it moves.
    """
    age = min(max(0.0, time.time() - status.heartbeat), SILENT_AFTER_S)  # clocks may differ: it is watched, too
    still = STILL_S if locked is False else max(ALWAYS_WATCHED_S, max(SILENT_AFTER_S, 3 * status.cadence_s) - age)
    say(f"{paths.run_id} was at work on {shown(status.host)}: watching its heartbeat for {still:.0f} s")
    until = time.monotonic() + still
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        now = read_status(paths)
        if now is not None and now.state in ENDED:
            return
        if now is not None and (now.heartbeat, now.pid) != (status.heartbeat, status.pid):
            raise _in_use(paths, now)


def _in_use(paths: RunPaths, status: RunStatus) -> RunInUseError:
    where = "" if status.local else f" on {shown(status.host)}, which cannot be seen from here"
    return RunInUseError(f"{paths.root} is in use by process {status.pid}{where}; stop it first")


def _begun(root: Path) -> RunInUseError:
    return RunInUseError(f"{root} is in use by another learner, which has just begun")


def _numbers(root: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(found[1]) for path in root.iterdir() if (found := NAME.match(path.name))]
    return []


def _make_alone(path: Path) -> None:
    """Make a file that is not there, alone among all who try, on NFS from version 3 too; empty, it needs no space.

    Raises:
        RunInUseError: another one makes it.
        OSError: the folder cannot be written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise _begun(path.parent) from None
