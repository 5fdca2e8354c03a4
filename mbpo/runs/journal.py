"""Append what a run measures, and what happens to it, so that a kill loses nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mbpo.errors import RunInUseError
from mbpo.runs.append import AppendFile
from mbpo.runs.files import open_to_append
from mbpo.runs.layout import RunPaths
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
        self._events = AppendFile(paths.events)
        self._tables = Tables(paths, env_id)

    @property
    def waiting(self) -> int:
        """Return how many lines wait for space on the disk."""
        return sum(file.waiting for file in self._files)

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Append one row of metrics.

        Raises:
            StorageError: the file system refuses.
        """
        self._metrics.append(row_line(row))

    def copy_rows(self, lines: Sequence[bytes]) -> None:
        """Append rows of another run as they stand there, with one call for all.

        Raises:
            StorageError: the file system refuses.
        """
        if lines:
            self._metrics.append(b"\n".join(lines))

    def append_event(self, event: Mapping[str, Any]) -> None:
        """Append one event, with its time.

        Raises:
            StorageError: the file system refuses.
        """
        self._events.append(event_line(event))

    def copy_event(self, event: Mapping[str, Any]) -> None:
        """Append an event of another run as it stands there, its time too.

        Raises:
            StorageError: the file system refuses.
        """
        self._events.append(encode(event).encode())

    def tabulate(self, row: Mapping[str, Any]) -> None:
        """Bring the tables up to date with a row of metrics, wherever it stands."""
        self._tables.add(row)

    def sync_rows(self) -> None:
        """Make every row so far durable."""
        self._metrics.sync()

    def sync(self) -> None:
        """Make every row and every event so far durable."""
        self._metrics.sync()
        self._events.sync()

    def retry(self) -> None:
        """Write what waits, as far as there is space.

        Raises:
            StorageError: the file system refuses for another reason.
        """
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


def is_locked(paths: RunPaths) -> bool | None:
    """Return whether a learner has the run, be it in another container; None where there are no locks to tell."""
    with claimed(paths) as taken:
        return None if taken is None else not taken


@contextlib.contextmanager
def claimed(paths: RunPaths) -> Iterator[bool | None]:
    """Have a run to oneself for a while; yield False where a learner has it, None where there are no locks to tell."""
    try:
        descriptor = open_to_append(paths.metrics)
    except OSError:
        yield None
        return
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)
