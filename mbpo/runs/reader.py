"""Read run directories while they grow, without locks and without trusting what is in them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from mbpo.runs.dataframe import load_runs
from mbpo.runs.files import open_to_read
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import CHUNK_BYTES, MAX_LINE_BYTES, JsonLines, MetricLines, Rewrites, plain_number
from mbpo.runs.series import Series
from mbpo.runs.status import RunStatus, read_status

__all__ = [
    "MAX_LINE_BYTES",
    "JsonLines",
    "RunReader",
    "Series",
    "last_words",
    "list_runs",
    "load_runs",
    "plain_number",
    "read_text_tail",
]


class RunReader:
    """Accumulate the metrics and events of one run directory."""

    def __init__(self, run_dir: Path, only: Collection[str] | None = None, most: int | None = None) -> None:
        """Take in everything; or ``only`` these metrics and no event, of each metric at ``most`` so many points."""
        self.paths = RunPaths(run_dir)
        self.env_steps = 0.0  # of the newest row
        self._only = only
        self._most = most
        self.series: dict[str, Series] = {}
        self.clock = Series()  # the learner's seconds at each row, where the rows have them
        self.retractions = 0  # how often points that stood in ``series`` were taken out again
        self.events: list[dict[str, Any]] = []
        self._metrics = MetricLines(self.paths.metrics)
        self._events = JsonLines(self.paths.events)
        self._rewrites = Rewrites()

    @property
    def bad_lines(self) -> int:
        """Return how many damaged lines were passed over."""
        return self._metrics.bad_lines + self._events.bad_lines

    def poll(self, max_bytes: int = CHUNK_BYTES) -> bool:
        """Take in what was appended since the last call, at most ``max_bytes``; return whether anything changed.

        What was read of a file that was cut or replaced since is dropped first, and so are the
        rows of an earlier attempt that a resumed run has written again.
        """
        before = self._metrics.restarts, self._events.restarts
        rows, events = self._metrics.poll(max_bytes), self._events.poll() if self._only is None else []
        again = self._metrics.restarts > before[0], self._events.restarts > before[1]
        if again[0]:
            self.series.clear()
            self.clock = Series()
            self._rewrites = Rewrites()
            self.retractions += 1
        if again[1]:
            self.events.clear()
        for row in rows:
            self._add(row)
        self.events.extend(events)
        return bool(rows or events or any(again))

    def status(self) -> RunStatus | None:
        """Return the run's status as it stands on disk."""
        return read_status(self.paths)

    def _retract(self, seq: int) -> None:
        self.retractions += 1
        self.clock.cut(seq)
        for key, series in list(self.series.items()):
            series.cut(seq)
            if not series.values:
                del self.series[key]

    def _add(self, row: dict[str, Any]) -> None:
        seq = self._rewrites.superseded_by(row)
        if seq is not None:
            self._retract(seq)
        env_steps = row.get("env_steps")
        if env_steps is None or not plain_number(env_steps):
            return
        self.env_steps = float(env_steps)
        if plain_number(time_s := row.get("time_s")):
            self.clock.append(self._rewrites.newest, float(env_steps), float(time_s))  # type: ignore[arg-type]
        for key in row if self._only is None else row.keys() & self._only:
            value = row[key]
            if "/" not in key or not (value is None or plain_number(value)):
                continue
            if (series := self.series.get(key)) is None:
                series = self.series[key] = Series(most=self._most)
            series.append(self._rewrites.newest, float(env_steps), math.nan if value is None else float(value))


def list_runs(runs_root: Path) -> Iterator[tuple[RunPaths, RunStatus]]:
    """Yield every run below ``runs_root`` that has a readable status, at the cost of that file each."""
    for path in runs_below(runs_root).runs:
        paths = RunPaths(path)
        status = read_status(paths)
        if status is not None:
            yield paths, status


def read_text_tail(path: Path, max_bytes: int = 16_384) -> list[str]:
    """Return the last lines of a text file; bytes that are not UTF-8 are replaced."""
    try:
        with open_to_read(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - max_bytes))
            data = file.read(max_bytes)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[1:] if size > max_bytes and lines else lines


def last_words(path: Path) -> str:
    """Return the last error in what a learner printed, or else the last line; libraries may print after it."""
    lines = [line for line in read_text_tail(path) if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1]
