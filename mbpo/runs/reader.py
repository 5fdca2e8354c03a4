"""Read run directories while they grow, without locks and without trusting what is in them."""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status

CHUNK_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20


class JsonLines:
    """Follow a growing file of JSON lines; an unfinished last line waits for its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.bad_lines = 0
        self.restarts = 0  # how often the file was found cut or replaced, and read again
        self._file: tuple[int, int] | None = None  # device and inode
        self._partial = b""

    def poll(self, max_bytes: int = CHUNK_BYTES) -> list[dict[str, Any]]:
        """Return the objects of the lines completed since the last call, at most ``max_bytes``.

        Lines that are not JSON objects are counted in ``bad_lines`` and passed over. A file that
        shrank or was replaced is read again from its start.
        """
        try:
            with self.path.open("rb") as file:
                facts = os.fstat(file.fileno())
                size, identity = facts.st_size, (facts.st_dev, facts.st_ino)
                if size < self.offset or self._file not in (None, identity):
                    self.offset, self._partial = 0, b""
                    self.restarts += 1
                self._file = identity
                if size == self.offset:
                    return []
                file.seek(self.offset)
                data = file.read(max_bytes)
        except OSError:
            return []
        self.offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE_BYTES:
            self._partial = b"\0"  # the rest of this line makes it a bad one
        return [row for row in map(self._parse, lines) if row is not None]

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            return row
        self.bad_lines += 1
        return None


@dataclass
class Series:
    """Hold one metric over env steps; a missing value is NaN."""

    env_steps: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    @property
    def last(self) -> float:
        """Return the newest value, NaN when there is none."""
        return self.values[-1] if self.values else math.nan


class RunReader:
    """Accumulate the metrics and events of one run directory."""

    def __init__(self, run_dir: Path) -> None:
        self.paths = RunPaths(run_dir)
        self.series: dict[str, Series] = {}
        self.events: list[dict[str, Any]] = []
        self._metrics = JsonLines(self.paths.metrics)
        self._events = JsonLines(self.paths.events)

    @property
    def bad_lines(self) -> int:
        """Return how many damaged lines were passed over."""
        return self._metrics.bad_lines + self._events.bad_lines

    def poll(self) -> bool:
        """Take in what was appended since the last call; return whether anything changed.

        What was read of a file that was cut or replaced since is dropped first.
        """
        before = self._metrics.restarts, self._events.restarts
        rows, events = self._metrics.poll(), self._events.poll()
        again = self._metrics.restarts > before[0], self._events.restarts > before[1]
        if again[0]:
            self.series.clear()
        if again[1]:
            self.events.clear()
        for row in rows:
            self._add(row)
        self.events.extend(events)
        return bool(rows or events or any(again))

    def status(self) -> RunStatus | None:
        """Return the run's status as it stands on disk."""
        return read_status(self.paths)

    def _add(self, row: dict[str, Any]) -> None:
        env_steps = row.get("env_steps")
        if env_steps is None or not plain_number(env_steps):
            return
        for key, value in row.items():
            if "/" not in key or not (value is None or plain_number(value)):
                continue
            series = self.series.setdefault(key, Series())
            series.env_steps.append(float(env_steps))
            series.values.append(math.nan if value is None else float(value))


def plain_number(value: object) -> bool:
    """Return whether ``value`` is a finite number, and no truth value."""
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def list_runs(runs_root: Path) -> Iterator[tuple[RunPaths, RunStatus]]:
    """Yield every run directory directly under ``runs_root`` at the cost of a status file each."""
    try:
        entries = sorted(os.scandir(runs_root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        paths = RunPaths(Path(entry.path))
        status = read_status(paths)  # None for what is no folder, or a link to nowhere
        if status is not None:
            yield paths, status


def read_text_tail(path: Path, max_bytes: int = 16_384) -> list[str]:
    """Return the last lines of a text file; bytes that are not UTF-8 are replaced."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - max_bytes))
            data = file.read(max_bytes)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[1:] if size > max_bytes and lines else lines
