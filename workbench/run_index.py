"""List the runs under a root at the cost of a few stats each: what did not change is not read again."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbpo.comparison.alike import key_of, settings_that_count
from mbpo.errors import ConfigError, NewerRecordError, RecordError
from mbpo.runs.about import About, read_about
from mbpo.runs.config_file import read_settings
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import read_json
from mbpo.runs.records.manifest import Manifest
from mbpo.runs.status import ENDED, RunStatus, load_status
from mbpo.settings.language import tr
from workbench.fork_tree import with_names
from workbench.messages import RunRow

MAX_PARENT = 300  # characters of a run's name and a step
SETTINGS_S = 0.1  # of one listing, for settings that were not read yet: the table need not wait for them

Mark = tuple[int, int]  # time and inode of a file
NO_MARK: Mark = (0, 0)


@dataclass
class _Known:
    """Hold what was read of one run, each part with the mark of its file as it was then."""

    status_mark: Mark | None = None
    status: RunStatus | str = ""
    about_mark: Mark | None = NO_MARK
    about: About = About()
    settings_mark: Mark | None = None
    settings_of: Mark | None = None  # mark of the status as the settings' mark was looked at: these change with it
    settings: Mapping[str, Any] = field(default_factory=dict)
    alike: str = ""


class RunIndex:
    """List the runs under a root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: list[Path] = []  # that are no runs and were looked through for some
        self.behind = False  # whether settings are still to be read
        self._known: dict[Path, _Known] = {}

    def rows(self) -> tuple[RunRow, ...]:
        """Return every run: those at work first, then the newest."""
        found = runs_below(self.root, {path for path, known in self._known.items() if known.status_mark != NO_MARK})
        self.folders = found.folders
        self._known = {path: self._known.get(path) or _Known() for path in found.runs}
        for path, known in self._known.items():
            _look(RunPaths(path), known)
        self._read_settings()
        rows = with_names([_row(path, known) for path, known in self._known.items()], self.root)
        return tuple(sorted(rows, key=lambda row: (not row.active, -row.started, row.run_id)))

    def _read_settings(self) -> None:
        """Read the settings that are not known, for a while: the rest comes with the next listing."""
        end, self.behind = time.perf_counter() + SETTINGS_S, False
        for path, known in self._known.items():
            if known.settings_of == known.status_mark:
                continue
            if time.perf_counter() > end:
                self.behind = True
                return
            known.settings_of = known.status_mark
            if (mark := _mark(path / "config.toml")) != known.settings_mark:
                known.settings_mark = mark
                known.settings, known.alike = _settings(RunPaths(path))


def _look(paths: RunPaths, known: _Known) -> None:
    if (mark := _mark(os.fspath(paths.status))) != known.status_mark:
        known.status_mark, known.status = mark, _status_or_fault(paths)
    if (mark := _mark(os.fspath(paths.about))) != known.about_mark:
        known.about_mark, known.about = mark, read_about(paths)


def _mark(path: str | Path) -> Mark:
    try:
        found = os.stat(path)  # noqa: PTH116  twice as fast for hundreds of runs
    except (OSError, ValueError):
        return NO_MARK
    return (found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else NO_MARK


def _status_or_fault(paths: RunPaths) -> RunStatus | str:
    try:
        return load_status(paths)
    except NewerRecordError as error:
        return str(error)
    except RecordError:
        return tr("its status.json cannot be read")


def _settings(paths: RunPaths) -> tuple[Mapping[str, Any], str]:
    """Return a run's settings, and a short text that is the same for runs that differ in the seed only."""
    try:
        settings = read_settings(paths)
    except ConfigError:
        return {}, ""
    try:
        manifest = fitted(Manifest, read_json(paths.manifest))
    except RecordError:
        manifest = Manifest()
    key = key_of(settings_that_count(settings, manifest))
    return settings, hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _row(path: Path, known: _Known) -> RunRow:
    status, about = known.status, known.about
    if isinstance(status, str):
        return RunRow(path, "unreadable", reason=status, about=about, settings=known.settings)
    state = status.state if status.state in ENDED else status.derived_state()
    return RunRow(
        path=path,
        state=state,
        phase=status.phase,
        env_id=status.env_id,
        preset=status.preset,
        seed=status.seed,
        env_steps=status.env_steps,
        total_steps=status.total_steps,
        last_return=status.last_return,
        eval_return=status.eval_return,
        best_return=status.best_return,
        threshold=status.threshold,
        solved_at=status.solved_at,
        recent=tuple(status.recent_returns[-24:]),
        steps_per_s=status.steps_per_s,
        started=status.started,
        heartbeat=status.heartbeat,
        revision=status.revision,
        interactive=status.interactive,
        controls=status.controls,
        reason=status.reason,
        exit_code=status.exit_code,
        parent=status.parent[:MAX_PARENT],
        about=about,
        settings=known.settings,
        alike=known.alike,
    )
