"""Read run directories in a thread of its own and hand frozen snapshots to the app."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from textual.message import Message

from mbpo.runs.checkpoints import checkpoint_steps, settings_at
from mbpo.runs.files import read_file
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import RunReader, read_text_tail
from mbpo.runs.status import ENDED, RunStatus, read_status
from workbench.messages import (
    Points,
    ReaderFault,
    RunDetail,
    RunRow,
    Snapshot,
    SnapshotReady,
)
from workbench.series import in_order

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PERIOD_S = 0.22
FAULT_PERIOD_S = 2.0
LOG_BYTES = 64 * 1024
MAX_CONFIG_BYTES = 256 * 1024
MAX_PARENT = 300  # characters of a run's name and a step
MANY_RUNS = 50  # above this, the listing is refreshed every fourth time


class RunIndex:
    """List the runs under a root; a status file that did not change is not parsed again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[tuple[int, int], RunStatus | None]] = {}

    def rows(self) -> tuple[RunRow, ...]:
        """Return every run: those at work first, then the newest."""
        known: dict[str, tuple[tuple[int, int], RunStatus | None]] = {}
        try:
            names = [entry.name for entry in self.root.iterdir()]
        except OSError:
            names = []
        for name in names:
            paths = RunPaths(self.root / name)
            try:
                stat = paths.status.stat()
            except (OSError, ValueError):
                continue
            mark = (stat.st_mtime_ns, stat.st_ino)
            old = self._known.get(name)
            known[name] = old if old and old[0] == mark else (mark, read_status(paths))
        self._known = known
        rows = [_row(self.root / name, status) for name, (_, status) in known.items()]
        return tuple(sorted(rows, key=lambda row: (not row.active, -row.started, row.run_id)))


def _row(path: Path, status: RunStatus | None) -> RunRow:
    if status is None:
        return RunRow(path, "unreadable", reason="its status.json cannot be read")
    state = status.state if status.state in ENDED else status.derived_state()
    return RunRow(
        path=path, state=state, phase=status.phase, env_id=status.env_id, preset=status.preset,
        seed=status.seed, env_steps=status.env_steps, total_steps=status.total_steps,
        last_return=status.last_return, eval_return=status.eval_return,
        recent=tuple(status.recent_returns[-24:]), steps_per_s=status.steps_per_s,
        started=status.started, heartbeat=status.heartbeat, revision=status.revision,
        interactive=status.interactive, controls=status.controls, reason=status.reason,
        exit_code=status.exit_code, parent=status.parent[:MAX_PARENT],
    )  # fmt: skip


class RunFollower:
    """Follow the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._paths = RunPaths(path)
        self._reader = RunReader(path)
        self._points: dict[str, Points] = {}
        self._retractions = 0
        self._log_mark: tuple[int, int] | None = None
        self._log: tuple[str, ...] = ()
        self._config: Mapping[str, Any] = {}
        self._checkpoints: Mapping[int, Mapping[str, Any]] = {}
        self._version = 0

    def poll(self) -> RunDetail:
        """Return the run as it stands, after at most one more chunk of its files."""
        grew = self._reader.poll()
        changed = grew | self._poll_log() | self._poll_config() | self._poll_checkpoints()
        changed |= self._version == 0
        if changed:
            self._version += 1
            self._copy_grown()
        return RunDetail(
            path=self.path, version=self._version, series=dict(self._points),
            events=tuple(self._reader.events), log=self._log, config=self._config,
            checkpoints=self._checkpoints, bad_lines=self._reader.bad_lines, reading=grew,
        )  # fmt: skip

    def _copy_grown(self) -> None:
        if self._retractions != self._reader.retractions:
            self._retractions = self._reader.retractions
            self._points.clear()
        for key, series in self._reader.series.items():
            known = self._points.get(key)
            if known is None or len(known.y) != len(series.values):
                x, y = in_order(np.array(series.env_steps), np.array(series.values))
                self._points[key] = Points(x, y)

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

    def _poll_config(self) -> bool:
        if self._config:
            return False
        try:
            if self._paths.config.stat().st_size > MAX_CONFIG_BYTES:
                return False
            self._config = tomllib.loads(read_file(self._paths.config).decode())
        except (OSError, ValueError, RecursionError):
            return False
        return bool(self._config)

    def _poll_checkpoints(self) -> bool:
        folder, known = self._paths.checkpoints, self._checkpoints
        steps = checkpoint_steps(folder)
        if steps == list(known):
            return False
        self._checkpoints = {
            step: known[step] if step in known else settings_at(folder, step) for step in steps
        }
        return True


class Watcher:
    """Post a snapshot of the runs several times a second, from a thread that owns the files."""

    def __init__(self, root: Path, post: Callable[[Message], object]) -> None:
        self.root = root
        self._post = post
        self._index = RunIndex(root)
        self._follower: RunFollower | None = None
        self._selected: Path | None = None
        self._rows: tuple[RunRow, ...] = ()
        self._turn = 0
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def select(self, path: Path | None) -> None:
        """Follow the run at ``path`` from now on."""
        self._selected = path
        self._wake.set()

    def look(self) -> Snapshot:
        """Take one snapshot now."""
        if self._turn % (4 if len(self._rows) > MANY_RUNS else 1) == 0:
            self._rows = self._index.rows()
        self._turn += 1
        selected = self._selected
        if selected is None:
            self._follower = None
        elif self._follower is None or self._follower.path != selected:
            self._follower = RunFollower(selected)
        return Snapshot(self._rows, self._follower.poll() if self._follower else None)

    def _work(self) -> None:
        while not self._stopping:
            period = PERIOD_S
            try:
                snapshot = self.look()
                self._post(SnapshotReady(snapshot))
                if snapshot.detail is not None and snapshot.detail.reading:
                    period = 0.02 if _is_long(snapshot.detail) else PERIOD_S
            except Exception as error:  # whatever it is, the app must go on and say so
                self._follower = None
                self._post(ReaderFault(f"{type(error).__name__}: {error}"))
                period = FAULT_PERIOD_S
            self._wake.wait(period)
            self._wake.clear()


def _is_long(detail: RunDetail) -> bool:
    """Return whether there is a backlog to work off rather than a live trickle."""
    return detail.version < 200 and any(len(p.x) > 5000 for p in detail.series.values())
