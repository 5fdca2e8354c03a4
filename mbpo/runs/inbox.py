"""Take commands from the run's inbox, whoever put whatever there."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from mbpo.runs.command import MAX_COMMAND_BYTES
from mbpo.runs.layout import RunPaths
from mbpo.runs.live_control import LiveControl


class Inbox:
    """Hand the files of ``control/`` to a :class:`LiveControl`, oldest first."""

    def __init__(self, paths: RunPaths, control: LiveControl) -> None:
        self._paths = paths
        self._control = control

    def poll(self) -> None:
        """Answer every command that lies there, then delete its file."""
        for path in self._waiting():
            self._take(path)
            with contextlib.suppress(OSError):  # a folder that holds something stays
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def _waiting(self) -> list[Path]:
        try:
            entries = [e for e in os.scandir(self._paths.inbox) if not e.name.startswith(".")]
            return [Path(e.path) for e in sorted(entries, key=_age)]
        except OSError:
            return []

    def _take(self, path: Path) -> None:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.name.removesuffix(".json"))[:64] or "_"
        try:
            data = _read_command(path)
        except OSError as error:
            self._control.reject_unread(stem, f"cannot read: {error.strerror or error}")
        else:
            self._control.handle(data, stem)


def _age(entry: os.DirEntry[str]) -> tuple[int, str]:
    try:
        return (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
    except OSError:
        return (0, entry.name)


def _read_command(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "not a regular file")
        return os.read(descriptor, MAX_COMMAND_BYTES + 1)
    finally:
        os.close(descriptor)
