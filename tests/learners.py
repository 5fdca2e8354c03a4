"""Start learners in processes of their own, and wait for what they do."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from warm_start import WarmProcess, WarmStart

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status

ROOT = Path(__file__).resolve().parent.parent
DEBUG = ("--preset", "debug", "--threads", "1")
ENDLESS = ("--total-steps", "1000000", "--eval-every", "1000000", "--log-every", "10")
PATIENCE_S = 120.0  # a limit, not a wait: a learner may start beside twenty busy processes

T = TypeVar("T")


def wait_for(probe: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return the first value of ``probe`` that is neither None nor false; fail when none comes."""
    deadline = time.monotonic() + patience_s
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience_s:g} s for {what}"
        time.sleep(0.01)


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the complete lines of a JSON lines file."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


def answers_in(paths: RunPaths) -> list[dict[str, Any]]:
    """Return every answer that stands in events.jsonl."""
    return [row for row in rows(paths.events) if row["event"] == "control"]


def environment() -> dict[str, str]:
    """Return a child's environment: the project and the toy environments can be imported."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@cache
def warm_start() -> WarmStart:
    """Return the process of this test worker that starts its learners without the seconds that torch takes."""
    start = WarmStart(environment())
    atexit.register(start.close)
    return start


def python_m(module: str, *arguments: str, cwd: Path, **extra_env: str) -> subprocess.Popen[str]:
    """Start ``python -m module`` with its output on pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env={**environment(), **extra_env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


KILLED = """
import os, signal, sys
from mbpo import train
whole, last = train.update_policy, int(sys.argv[1])
def update(training, env_steps, settings):
    if env_steps == last:
        training.store.settle()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(training, env_steps, settings)
train.update_policy = update
sys.exit(train.main(sys.argv[2:]))
"""


def killed_run(folder: Path, env_steps: int, *arguments: str) -> RunPaths:
    """Return a debug run whose process was killed at an env step, however fast the machine is."""
    flags = [*DEBUG, *arguments, "--runs-root", str(folder), "--run-id", "killed"]
    done = subprocess.run([sys.executable, "-c", KILLED, str(env_steps), *flags], env=environment())
    assert done.returncode == -signal.SIGKILL
    return RunPaths(folder / "killed")


@dataclass
class LearnerProcess:
    """Hold a learner that runs in a process of its own, with its output in files."""

    process: WarmProcess
    paths: RunPaths
    stdout: Path
    stderr: Path

    @classmethod
    def start(cls, folder: Path, *arguments: str, run_id: str = "live") -> LearnerProcess:
        """Start ``python -m mbpo.train --preset debug`` with ``arguments``, in a session of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        stdout, stderr = folder / "stdout", folder / "stderr"
        asked = [*DEBUG, "--runs-root", "runs", "--run-id", run_id, *arguments]
        process = warm_start().start("mbpo.train", asked, folder, stdout, stderr, environment())
        return cls(process, RunPaths(folder / "runs" / run_id), stdout, stderr)

    @property
    def status(self) -> RunStatus:
        """Return what status.json says, and fail where it says nothing."""
        status = read_status(self.paths)
        assert status is not None
        return status

    def wait_for_env_steps(self, env_steps: int) -> None:
        """Wait until metrics.jsonl shows ``env_steps``."""
        wait_for(lambda: self.newest("env_steps") >= env_steps, f"env step {env_steps}")

    def newest(self, key: str) -> float:
        """Return the newest value of a metric, -1 when there is none."""
        found = [row[key] for row in rows(self.paths.metrics) if row.get(key) is not None]
        return float(found[-1]) if found else -1.0

    def exit_code(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End the process if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Outcome:
    """Hold what a command did in this process."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Return stderr, which must be one line of at most 200 characters."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert len(lines[0]) <= 200
        assert lines[0].startswith("error: ")
        return lines[0]
