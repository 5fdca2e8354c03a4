"""Append what a run measures, and what happens to it, so that a kill loses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.errors import RunInUseError
from mbpo.runs.append import AppendFile
from mbpo.runs.layout import RunPaths
from mbpo.runs.lease import Lease
from mbpo.runs.locks import try_lock
from mbpo.runs.records.event import event_line
from mbpo.runs.records.json_text import encode
from mbpo.runs.records.row import row_line
from mbpo.runs.tables import Tables


class Journal:
    """Hold the files of a run that grow: ``metrics.jsonl``, ``events.jsonl`` and the tables made of them."""

    def __init__(self, paths: RunPaths, env_id: str) -> None:
        """Open every file, the tables anew; the run is this process's from here on.

        Raises:
            OSError: one cannot be opened.
            RunInUseError: another learner has the run.
        """
        self._paths = paths
        self._metrics = AppendFile(paths.metrics)
        self._claim()
        self.lease = Lease(paths)
        self._events = AppendFile(paths.events)
        self._tables = Tables(paths, env_id)

    @property
    def waiting(self) -> int:
        """Return how many lines wait for space on the disk."""
        return sum(file.waiting for file in self._files)

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Append one row of metrics.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the file system refuses.
        """
        self.lease.check()
        self._metrics.append(row_line(row))

    def copy_rows(self, lines: Sequence[bytes]) -> None:
        """Append rows of another run as they stand there, with one call for all.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the file system refuses.
        """
        self.lease.check()
        if lines:
            self._metrics.append(b"\n".join(lines))

    def append_event(self, event: Mapping[str, Any]) -> None:
        """Append one event, with its time.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the file system refuses.
        """
        self.lease.check()
        self._events.append(event_line(event))

    def copy_event(self, event: Mapping[str, Any]) -> None:
        """Append an event of another run as it stands there, its time too.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the file system refuses.
        """
        self.lease.check()
        self._events.append(encode(event).encode())

    def tabulate(self, row: Mapping[str, Any]) -> None:
        """Bring the tables up to date with a row of metrics, wherever it stands."""
        self._tables.add(row)

    def sync_rows(self) -> None:
        """Make every row so far durable."""
        self._metrics.sync()

    def sync(self) -> None:
        """Make every row and every event so far durable, as before a checkpoint.

        Raises:
            RunInUseError: another learner has taken the run over.
        """
        self.lease.check()
        self._metrics.sync()
        self._events.sync()

    def retry(self) -> None:
        """Write what waits, as far as there is space.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the file system refuses for another reason.
        """
        self.lease.check()
        for file in self._files:
            file.retry()

    def close(self) -> None:
        """Close every file."""
        for file in self._files:
            file.close()

    @property
    def _files(self) -> tuple[AppendFile, ...]:
        return self._metrics, self._events, *self._tables.files

    def _claim(self) -> None:
        """Lock the run against a second learner, where the file system has locks."""
        if try_lock(self._metrics.descriptor) is False:  # without locks the status still tells
            raise RunInUseError(f"{self._paths.root} is in use by another learner")
