"""Be what Ray runs on a node: a task keeps a learner, or a sample's learners, and they end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbpo.studies import guard
from mbpo.studies.folder import ray_log

LOOK_S = 0.5  # between two looks at a learner; what Ray has to say reaches a task only in between


@dataclass(frozen=True)
class Learner:
    """Say how to start a learner on any node that sees the study's folder."""

    folder: str
    run_id: str
    here: str  # folder that the driver works in, where an environment of the user's may lie
    on_gpu: bool

    @property
    def log(self) -> Path:
        """Return what it prints to."""
        return ray_log(Path(self.folder), self.run_id)

    def note(self, why: str) -> None:
        """Keep why it did not go on, below what it printed, where there is room for it."""
        with contextlib.suppress(OSError):
            self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.log.open("a") as log:
                log.write(f"error: {why}\n")

    @property
    def arguments(self) -> Sequence[str]:
        """Return those of Python."""
        return ["-m", "mbpo.studies.task", self.folder, self.run_id]


def learn(learner: Learner) -> int:
    """Run a learner to its end, here in a worker, and return its exit code.

    Raises:
        RuntimeError: this node does not see the study's folder.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which ray.cancel raises: ignored if Ray was begun by "&"
    check_shared(learner.folder)
    with at_work(learner) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_S)


def check_shared(folder: str) -> None:
    """Check that this node sees the study's folder.

    Raises:
        RuntimeError: it does not.
    """
    if not Path(folder).is_dir():
        raise RuntimeError(f"{os.uname().nodename} has no {folder}: --runs-root must be storage that all nodes see")


@contextlib.contextmanager
def at_work(learner: Learner) -> Iterator[subprocess.Popen[bytes]]:
    """Have a learner at work while inside; on the way out it is told to end, and saves."""
    learner.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with learner.log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, guard.__file__, str(os.getpid()), sys.executable, *learner.arguments],
            cwd=learner.here if Path(learner.here).is_dir() else learner.folder,
            env=dict(os.environ) if learner.on_gpu else {**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
