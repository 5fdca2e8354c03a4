"""Lend a small disk of its own, which can be filled, and made read-only."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """Hold a mounted file system of a few megabytes."""

    root: Path

    @property
    def filler(self) -> Path:
        """Return the file that takes up the space."""
        return self.root / "filler"

    def fill(self, leave: int = 0) -> None:
        """Take all space but ``leave`` bytes, rounded to pages."""
        free = os.statvfs(self.root).f_bavail * os.statvfs(self.root).f_frsize
        with self.filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            file.write(bytes(max(0, free - leave)))  # all that a learner does not take first

    def free(self) -> None:
        """Give back what :meth:`fill` took."""
        self.filler.unlink(missing_ok=True)

    def read_only(self) -> None:
        """Refuse every write from now on; files that are open for writing must be closed."""
        _run("mount", "-o", "remount,ro", str(self.root))


@contextmanager
def mounted(folder: Path, size: str = "4m") -> Iterator[Disk]:
    """Mount a tmpfs at ``folder``; skip the test where that is not allowed."""
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a disk")
    if _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        pytest.skip("mounting is refused here")
    try:
        yield Disk(folder)
    finally:
        _run("umount", "-l", str(folder))


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True).returncode
