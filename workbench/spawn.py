"""Start a process that outlives the app: in a session of its own, its output in a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def spawn(argv: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    """Start ``argv``; what it prints is appended to ``output``, for its owner alone.

    Raises:
        OSError: the file cannot be written, or there is no such program.
    """
    create = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    file = os.open(output, create, 0o600)
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(), start_new_session=True
        )
    finally:
        os.close(file)


def environment() -> dict[str, str]:
    """Return this process's environment; the one started must find the same ``mbpo``."""
    source = str(Path(__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": source + (os.pathsep + known if known else "")}
