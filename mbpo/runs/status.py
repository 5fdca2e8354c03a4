"""Say what a run is doing, who does it, and whether that process still lives."""

from __future__ import annotations

import functools
import os
import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from mbpo.errors import RecordError
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json

ENDED = frozenset({"stopped", "finished", "failed", "diverged"})
STATES = ("starting", "running", "paused", "stopping", *sorted(ENDED))
SILENT_AFTER_S = 60.0
SCHEMA = 1


@functools.cache
def boot_id() -> str:
    """Return the kernel's id of this boot, or an empty text where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@functools.cache
def pid_namespace() -> str:
    """Return what tells this process's numbering of processes from a container's, or an empty text."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  it leads to no file
    except OSError:
        return ""


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the contents of ``status.json``; the second half is what a listing shows."""

    state: str = "starting"
    phase: str = "starting"
    pid: int = 0
    host: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    create_time: float = 0.0  # of the process, Unix seconds
    since_boot: float = 0.0  # seconds from boot to then: unlike create_time the same if a clock is set
    env_steps: int = 0
    heartbeat: float = 0.0  # Unix seconds
    cadence_s: float = 1.0  # between heartbeats
    attempt: int = 1
    exit_code: int | None = None
    reason: str = ""

    env_id: str = ""
    preset: str = ""
    seed: int = 0
    total_steps: int = 0
    started: float = 0.0  # Unix seconds
    steps_per_s: float = 0.0
    last_return: float | None = None
    eval_return: float | None = None
    best_return: float | None = None  # of the evaluations
    best_at: int | None = None  # env step of the newest that is as good
    threshold: float | None = None  # return from which on the task counts as solved
    solved_at: int | None = None  # env step of the first evaluation from which all later ones reach it
    recent_returns: list[float] = []
    revision: int = 0
    interactive: bool = False
    parent: str = ""  # RUN@STEP that this run is a fork of
    controls: dict[str, Any] = {}  # configured values in force
    schema: int = SCHEMA

    @property
    def live(self) -> bool:
        """Return whether a learner is at work in this run, as far as can be told from here."""
        return self.state not in ENDED and self.derived_state() not in ("lost", "silent")

    @property
    def local(self) -> bool:
        """Return whether the learner's process is, or was, one that can be looked for from here.

        A container may have the name of this host, and process numbers of its own.
        """
        if self.host != socket.gethostname():
            return False
        if self._of_another_boot:
            return self.heartbeat < psutil.boot_time()  # else another machine has this name
        known = bool(self.pid_namespace and pid_namespace())
        return not (known and self.pid_namespace != pid_namespace()) and not _hidden(self.pid)

    @property
    def _of_another_boot(self) -> bool:
        return bool(self.boot_id and boot_id()) and self.boot_id != boot_id()

    @property
    def gone(self) -> bool:
        """Return whether the process, a local one, ended; a reused pid has begun at another time."""
        if self._of_another_boot:
            return True
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            began = _began(process)
            return (
                abs(began["create_time"] - self.create_time) > 1.0 and abs(began["since_boot"] - self.since_boot) > 0.1
            )
        except (psutil.NoSuchProcess, ValueError, OverflowError):  # the last two: no pid at all
            return True
        except psutil.Error:
            return False

    def derived_state(self, now: float | None = None) -> str:
        """Return the state a reader shows: as written, or ``lost`` or ``silent``.

        ``lost``: a local process, which is gone. ``silent``: on another host or in another container, and no
        heartbeat for max(60 s, 3 cadences).
        """
        if self.state in ENDED:
            return self.state
        if self.local:
            return "lost" if self.gone else self.state
        age = (time.time() if now is None else now) - self.heartbeat
        return "silent" if age > max(SILENT_AFTER_S, 3 * self.cadence_s) else self.state


def this_process() -> dict[str, Any]:
    """Return the fields of :class:`RunStatus` that identify the calling process."""
    place = {"host": socket.gethostname(), "boot_id": boot_id(), "pid_namespace": pid_namespace()}
    return {"pid": os.getpid(), **place, **_began(psutil.Process())}


def _hidden(pid: int) -> bool:
    """Return whether there is a process of that number that only its owner may see, as with hidepid."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)  # asks, and signals nothing
    except PermissionError:
        return not Path(f"/proc/{pid}/stat").exists() and Path("/proc/self").exists()
    except (OSError, OverflowError):
        pass
    return False


def _began(process: psutil.Process) -> dict[str, float]:
    """Return when ``process`` began, by the clock as it is set now and since boot."""
    boot = psutil.boot_time()  # first: create_time may count from the boot time that was asked last
    return {"create_time": process.create_time(), "since_boot": process.create_time() - boot}


def write_status(paths: RunPaths, status: RunStatus, *, sync: bool = False) -> None:
    """Replace ``status.json``."""
    write_json(paths.status, msgspec.to_builtins(status), sync=sync)


def load_status(paths: RunPaths) -> RunStatus:
    """Return the status of a run.

    Raises:
        RecordError: it cannot be read or names no state.
        NewerRecordError: it is of a newer version.
    """
    content = read_json(paths.status)
    check_version(paths.status, content, SCHEMA)
    if content.get("state") not in STATES:
        raise RecordError(f"{paths.status} names no state that this version knows")
    return fitted(RunStatus, content)


def read_status(paths: RunPaths) -> RunStatus | None:
    """Return the status, or None where there is none to read."""
    try:
        return load_status(paths)
    except RecordError:
        return None
