"""Follow the files of a run as they grow: all of one in focus, the curves alone of one compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from mbpo.errors import ConfigError
from mbpo.runs.checkpoint_names import checkpoint_steps, settings_at
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import RunReader, Series, read_text_tail
from mbpo.runs.what_ifs import WhatIfReader, WhatIfs
from workbench.messages import NO_POINTS, Points, RunDetail
from workbench.series import Floats, in_order

LOG_BYTES = 64 * 1024
BACKLOG = 1000  # new points of one metric in one look; a learner at work writes fewer


class CurveFollower:
    """Follow the config of one run and the metrics named ``keys``, or all; nothing else is kept of it."""

    def __init__(self, path: Path, keys: Collection[str] | None) -> None:
        self.path = path
        self._paths = RunPaths(path)
        self._reader = RunReader(path, keys)
        self._points: dict[str, Points] = {}
        self._clock = NO_POINTS
        self._clock_count = 0
        self._columns: WeakValueDictionary[tuple[object, ...], Floats] = WeakValueDictionary()
        self._counts: dict[str, int] = {}  # of points that were there when they were copied
        self._retractions = 0
        self._config: Mapping[str, Any] = {}
        self._version = 0
        self._took = 0

    @property
    def has_backlog(self) -> bool:
        """Return whether the last look found more than what a learner at work appends."""
        return self._took > BACKLOG

    def poll(self) -> RunDetail:
        """Return the curves as they stand, after at most one more chunk of the metrics."""
        grew = self._reader.poll()
        self._note(grew | self._poll_config())
        return RunDetail(
            path=self.path,
            version=self._version,
            series=dict(self._points),
            clock=self._clock,
            config=self._config,
            bad_lines=self._reader.bad_lines,
            unread=grew,
        )

    def _note(self, changed: bool) -> None:
        self._took = 0
        if changed or self._version == 0:
            self._version += 1
            self._copy_grown()

    def _copy_grown(self) -> None:
        if self._retractions != self._reader.retractions:
            self._retractions = self._reader.retractions
            self._points.clear()
            self._clock_count = 0
            self._counts.clear()
        for key, series in self._reader.series.items():
            known = self._counts.get(key, 0)
            self._took = max(self._took, series.count - known)
            if known != series.count:
                self._counts[key] = series.count
                self._points[key] = self._copied(series)
        if self._clock_count != self._reader.clock.count:
            self._clock_count = self._reader.clock.count
            self._clock = self._copied(self._reader.clock)

    def _copied(self, series: Series) -> Points:
        x, y, seqs = in_order(*map(np.array, (series.env_steps, series.values, series.seqs)))
        return Points(self._shared(x), y, self._shared(seqs))

    def _shared(self, column: Floats) -> Floats:
        """Return a column that equals this one, if there is one: metrics of the same rows stand at the same steps."""
        ends = (column.dtype.kind, len(column), *column[[0, -1]].tolist()) if len(column) else ()
        known = self._columns.get(ends)
        if known is not None and np.array_equal(known, column):
            return known
        self._columns[ends] = column
        return column

    def _poll_config(self) -> bool:
        if self._config:
            return False
        try:
            self._config = read_config(self._paths.config)
        except ConfigError:
            return False
        return bool(self._config)


class RunFollower(CurveFollower):
    """Follow everything that is shown of one run."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self._log_mark: tuple[int, int] | None = None
        self._log: tuple[str, ...] = ()
        self._checkpoints: Mapping[int, Mapping[str, Any]] = {}
        self._what_if_reader = WhatIfReader(path)
        self._what_ifs = WhatIfs()

    def poll(self) -> RunDetail:
        """Return the run as it stands, after at most one more chunk of its files."""
        grew = self._reader.poll()
        beside = self._poll_log() | self._poll_config() | self._poll_checkpoints() | self._poll_what_ifs()
        self._note(grew | beside)
        return RunDetail(
            path=self.path,
            version=self._version,
            series=dict(self._points),
            clock=self._clock,
            events=tuple(self._reader.events),
            log=self._log,
            config=self._config,
            checkpoints=self._checkpoints,
            what_ifs=self._what_ifs,
            bad_lines=self._reader.bad_lines,
            unread=grew,
        )

    def _poll_log(self) -> bool:
        try:
            stat = self._paths.log.stat()
        except OSError:
            return False
        mark = (stat.st_size, stat.st_mtime_ns)
        if mark == self._log_mark:
            return False
        self._log_mark = mark
        self._log = tuple(read_text_tail(self._paths.log, LOG_BYTES))
        return True

    def _poll_checkpoints(self) -> bool:
        folder, known = self._paths.checkpoints, self._checkpoints
        steps = checkpoint_steps(folder)
        if steps == list(known):
            return False
        self._checkpoints = {step: known[step] if step in known else settings_at(folder, step) for step in steps}
        return True

    def _poll_what_ifs(self) -> bool:
        before, self._what_ifs = self._what_ifs, self._what_if_reader.poll()
        return self._what_ifs != before
