"""Kill the app, close its terminal: the runs that it started go on, and the next app shows all."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from figures import Promise, figure
from learners import PATIENCE_S, environment, rows, wait_for

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from workbench.watcher import Watcher

DEATHS = figure(fast=2, full=50)
ENDS = ("kill", "close the terminal", "hang up", "terminate", "quit")


class Terminal:
    """Hold an app in a terminal of its own."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 45, 160, 0, 0))  # else it has no size at all
        self.app = subprocess.Popen(
            [sys.executable, "-m", "workbench", "--runs-root", str(root), *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # nohup would hand on that it is ignored
            env={**environment(), "TERM": "xterm-256color"},
        )
        os.close(theirs)
        self._drain = threading.Thread(target=self._read, daemon=True)
        self._drain.start()

    def _read(self) -> None:
        while True:
            try:
                if not os.read(self._ours, 65536):
                    return
            except OSError:
                return

    def end(self, how: str) -> None:
        """End the app in one of the ways of ``ENDS``, and see it gone."""
        if how == "kill":
            self.app.kill()
        elif how == "hang up":
            os.killpg(self.app.pid, signal.SIGHUP)
        elif how == "terminate":
            self.app.terminate()
        elif how == "quit":
            os.write(self._ours, b"q")
        else:
            os.close(self._ours)
        self.app.wait(PATIENCE_S)

    def kill(self) -> None:
        self.app.kill()
        self.app.wait()


@contextmanager
def started(root: Path) -> Iterator[tuple[Terminal, RunPaths, RunStatus]]:
    """Start a run from an app, and end it whatever happens."""
    terminal = Terminal(root, "--start", "pendulum")
    status: RunStatus | None = None

    def begun() -> RunPaths | None:
        nonlocal status
        for path in root.glob("pendulum-*"):
            status = read_status(RunPaths(path))
            if status is not None and status.state == "running":
                return RunPaths(path)
        return None

    try:
        paths = wait_for(begun, "the run that the app starts")
        assert status is not None
        yield terminal, paths, status
    finally:
        terminal.kill()
        if status is not None and psutil.pid_exists(status.pid):
            os.kill(status.pid, signal.SIGKILL)


def env_steps(paths: RunPaths) -> int:
    return max((row["env_steps"] for row in rows(paths.metrics)), default=0)


def test_runs_go_on_when_the_app_dies_and_the_next_app_shows_all(tmp_path: Path, promise: Promise) -> None:
    rng = random.Random(0)
    with promise.tries("apps that died, by kill, hang-up or a closed terminal: 0 runs lost") as tries:
        for number in range(DEATHS):
            with tries.one():
                the_run_goes_on(tmp_path / f"{number}", ENDS[number % len(ENDS)], rng)


def the_run_goes_on(root: Path, how: str, rng: random.Random) -> None:
    """End the app that started a run, see the run go on, and the next app show it."""
    with started(root) as (terminal, paths, status):
        time.sleep(rng.uniform(0, 0.5))
        terminal.end(how)
        then = env_steps(paths)
        wait_for(lambda: env_steps(paths) > then, "the run to go on")
        now = read_status(paths)
        assert now is not None
        watcher = Watcher(root, lambda message: None)
        watcher.select(paths.root)
        seen = watcher.look()
        assert seen.detail is not None
        shown = seen.detail.series["mix/real_ratio"].x.tolist()
        there = [row["env_steps"] for row in rows(paths.metrics) if "mix/real_ratio" in row]
        assert shown and shown == there[: len(shown)] and len(there) - len(shown) <= 1
        assert (now.pid, now.state, seen.rows[0].state) == (status.pid, "running", "running")
