"""Start the process that starts what waits in a queue: it outlives whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mbpo.errors import StorageError, refused
from mbpo.runs.queue import Queue

RUNNER = (sys.executable, "-m", "mbpo.seeds.queue_runner")


def start_runner(queue: Queue) -> subprocess.Popen[bytes]:
    """Start the runner in a session of its own; where there is one already it ends at once.

    Raises:
        StorageError: its log cannot be written, or there is no Python to start.
    """
    try:
        log = os.open(log_of(queue), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise refused(f"cannot write in {queue.folder}", error) from None
    try:
        return subprocess.Popen(
            [*RUNNER, str(queue.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",  # a folder that is removed holds nobody up
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise StorageError(f"cannot start what waits in {queue.folder}: {error.strerror or error}") from None
    finally:
        os.close(log)


def start_if_needed(queue: Queue) -> subprocess.Popen[bytes] | None:
    """Start the runner where runs wait and there is none.

    Raises:
        StorageError: as :func:`start_runner`.
    """
    return start_runner(queue) if queue.read().unfinished and not queue.has_runner else None


def log_of(queue: Queue) -> Path:
    """Return where the runner prints."""
    return queue.folder / "runner.log"


def _environment() -> dict[str, str]:
    """Return this process's environment; the runner must find the same ``mbpo``, and its learners too."""
    source, known = str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": source + (os.pathsep + known if known else "")}
