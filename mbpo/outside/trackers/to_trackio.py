"""Bring a run into Trackio: a SQLite database for each project, written by Trackio's own storage.

A row is a log at its env step, whose id is made of the run, the row's seq and its digest: the database itself takes
none twice. Some of them are one transaction. Events are alerts. Where rows are given up, the run is deleted and
written anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError, StorageError
from mbpo.outside.trackers.texts import as_markdown, in_one_line
from mbpo.outside.trackers.tracker import Facts, Held, Mark, Step
from mbpo.runs.rows import plain_number, whole
from mbpo.settings.packages import install_command

PROJECT = "mbpo"
_ITS_OWN = frozenset({"timestamp", "step", "seq"})  # of what it gives back of a row


def trackio_folder() -> str:
    """Return where Trackio itself looks for projects."""
    return os.environ.get("TRACKIO_DIR") or os.environ.get("HF_HOME", "~/.cache/huggingface") + "/trackio"


def open_trackio(facts: Facts, into: Path, project: str) -> Trackio:
    """Return the run's place.

    Raises:
        ConfigError: trackio is not installed, or has no project of that name.
        StorageError: the folder cannot be written.
    """
    os.environ["TRACKIO_DIR"] = str(into.absolute())  # read when it is imported
    with _refusals(into):
        into.mkdir(parents=True, exist_ok=True)
        try:
            from trackio import utils
            from trackio.sqlite_storage import SQLiteStorage
        except ImportError:
            raise ConfigError(f"Trackio is not installed: {install_command('trackio')}") from None
        if Path(utils.TRACKIO_DIR) != into.absolute():
            raise ConfigError(f"Trackio writes in {utils.TRACKIO_DIR} in this process: give that to --into")
        try:
            SQLiteStorage.validate_project_name(project)
        except ValueError as error:
            raise ConfigError(f"--project: {in_one_line(str(error), 120)}") from None
    return Trackio(facts, into, project or PROJECT, SQLiteStorage)


class Trackio:
    """Hold one run of a project's database."""

    def __init__(self, facts: Facts, into: Path, project: str, storage: Any) -> None:
        self._facts = facts
        self._into = into
        self._project = project
        self._storage = storage
        self.where = str(storage.get_project_db_path(project))
        self._names = {"project": project, "run": facts.name, "run_id": facts.identity}
        self._has_config = False
        self._newest = facts.begun  # when the last row was, Unix seconds: what it gives back is in that order

    def holds(self) -> Held:
        """Read the run's logs."""
        with _refusals(self._into):
            logs = self._storage.get_logs(**self._names)
            self._has_config = self._storage.get_run_config(**self._names) is not None
        held = Held()
        for log in sorted(logs, key=lambda log: whole(log.get("seq")) or 0):
            numbers = {key: value for key, value in log.items() if key not in _ITS_OWN and plain_number(value)}
            step = Step(whole(log.get("seq")) or 0, log["step"], numbers)
            held.add(step.seq, step.digest)
            self._newest = max(self._newest, datetime.fromisoformat(log["timestamp"]).timestamp())
        return held

    def add(self, steps: Sequence[Step]) -> None:
        """Log rows, all or none of them."""
        begun, identity, times = self._facts.begun, self._facts.identity, list[str]()
        for step in steps:
            self._newest = max(self._newest, begun + float(step.values.get("time_s", 0.0)))
            times.append(_time(self._newest))
        with _refusals(self._into):
            self._storage.bulk_log(
                **self._names,
                metrics_list=[{**step.values, "seq": step.seq} for step in steps],
                steps=[step.env_steps for step in steps],
                timestamps=times,
                config=None if self._has_config else self._config(),
                log_ids=[f"{identity}-{step.seq}-{step.digest}" for step in steps],
            )
        self._has_config = True

    def take_back(self, place: int, step: Step) -> None:
        """Delete the run."""
        with _refusals(self._into):
            self._storage.delete_run(**self._names)

    def tell(self, marks: Sequence[Mark]) -> None:
        """Write the events as alerts, of which the database takes none twice."""
        if marks:
            with _refusals(self._into):
                self._storage.bulk_alert(
                    **self._names,
                    titles=[mark.title for mark in marks],
                    texts=[as_markdown(mark.text) for mark in marks],
                    levels=[mark.level for mark in marks],
                    steps=[mark.env_steps for mark in marks],
                    timestamps=[_time(mark.at) for mark in marks],
                    alert_ids=[f"{self._facts.identity}-{mark.number}" for mark in marks],
                )

    def close(self, state: str) -> None:
        """Do nothing: each call was a transaction, and how the run ended is an event."""

    def _config(self) -> dict[str, Any]:
        """Return the settings, and what Trackio's own client adds to them."""
        facts = self._facts
        said = {"title": facts.title, "note": facts.note, "tags": ", ".join(facts.tags), "parent": facts.parent}
        own = {"_Username": None, "_Created": _time(facts.begun), "_Group": facts.group}
        return {**facts.settings, "kind": facts.kind, **{key: value for key, value in said.items() if value}, **own}


@contextlib.contextmanager
def _refusals(into: Path) -> Iterator[None]:
    """Say in one line that the disk or the database refuses."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except sqlite3.Error as error:
        raise StorageError(f"cannot write Trackio's database in {into}: {error}") from None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write in {into}: {error.strerror}; give another --into") from None


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat()
