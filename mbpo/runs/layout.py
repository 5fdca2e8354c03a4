"""Name the files of a run directory, and write files that are never seen half-written."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError

FULL_DISK_PATIENCE_S = 60.0  # for which a run that is done waits for space
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
RUN_BELOW = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63}/){0,4}[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")  # a runs root


@dataclass(frozen=True)
class RunPaths:
    """Name every file of the run directory ``root``."""

    root: Path

    @property
    def run_id(self) -> str:
        """Return the run's name, the last part of its path."""
        return self.root.name

    config = property(lambda self: self.root / "config.toml")
    manifest = property(lambda self: self.root / "manifest.json")
    status = property(lambda self: self.root / "status.json")
    metrics = property(lambda self: self.root / "metrics.jsonl")
    events = property(lambda self: self.root / "events.jsonl")
    inbox = property(lambda self: self.root / "control")
    checkpoints = property(lambda self: self.root / "checkpoints")
    log = property(lambda self: self.root / "log.txt")
    stacks = property(lambda self: self.root / "stacks.txt")
    profile = property(lambda self: self.root / "profile.json")
    progress = property(lambda self: self.root / "progress.csv")
    about = property(lambda self: self.root / "about.json")

    def returns_csv(self, env_id: str) -> Path:
        """Return the tutorial's ``Episodes,Returns`` file."""
        return self.root / f"MBPO_{re.sub(r'[^A-Za-z0-9._-]', '_', env_id)}_returns_data.csv"


def check_run_id(run_id: str) -> str:
    """Return ``run_id``.

    Raises:
        ConfigError: it is not a slug of the contract.
    """
    if not RUN_ID.match(run_id):
        shown = ascii(run_id)[:40]
        raise ConfigError(f"run_id must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit, got {shown}")
    return run_id


def default_run_id(preset: str, seed: int) -> str:
    """Return a readable name that sorts by time within a preset and seed."""
    return f"{preset}-s{seed}-{begun_now()}"


def begun_now() -> str:
    """Return the local time for a name: texts that sort as the times do, over New Year too."""
    return time.strftime("%Y%m%d-%H%M%S")


def write_atomic(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace ``path`` by ``data`` so that a reader, or a crash, sees the old or the new whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if sync:
            os.fsync(descriptor)
    except OSError:
        temporary.unlink(missing_ok=True)  # it may have taken the last space there was
        raise
    finally:
        os.close(descriptor)
    temporary.replace(path)
    if sync:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_durably(folder: Path, mode: int = 0o777, *, parents: bool = False) -> None:
    """Make ``folder``, and its parents too if asked, where it is not there, to outlast a power cut.

    Without ``parents`` a run's folder that has vanished stays away.
    """
    if not folder.exists():
        if parents:
            make_durably(folder.parent, parents=True)
        folder.mkdir(mode, exist_ok=True)
        sync_directory(folder.parent)


def write_json(path: Path, content: Any, *, sync: bool = True) -> None:
    """Write ``content`` as JSON, whole or not at all."""
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomic(path, text.encode() + b"\n", sync=sync)
