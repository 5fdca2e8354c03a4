"""Read files of JSON lines while they grow, and tell which rows of metrics count.

A resumed run appends rows again from where they differ from those of the attempt before. A row
takes the place of the row with its ``seq`` and of all that stand after it.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableSequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from mbpo.errors import RecordError
from mbpo.runs.files import open_to_read
from mbpo.runs.records.json_text import decode

CHUNK_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20
MOST = 2**62  # of a seq or an env step

Row = dict[str, Any]
T = TypeVar("T")


class JsonLines:
    """Follow a growing file of JSON lines; an unfinished last line waits for its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.bad_lines = 0
        self.restarts = 0  # how often the file was found cut or replaced, and read again
        self._file: tuple[int, int] | None = None  # device and inode
        self._partial = b""

    @property
    def partial(self) -> bool:
        """Return whether the file, as far as it was read, ends in part of a line."""
        return bool(self._partial)

    def poll(self, max_bytes: int = CHUNK_BYTES) -> list[dict[str, Any]]:
        """Return the objects of the lines completed since the last call, at most ``max_bytes``.

        Lines that are not JSON objects are counted in ``bad_lines`` and passed over. A file that
        shrank or was replaced is read again from its start.
        """
        try:
            with open_to_read(self.path) as file:
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
            row = decode(line)
        except RecordError:
            row = None
        if isinstance(row, dict):
            return row
        self.bad_lines += 1
        return None


def rows_in(lines: JsonLines) -> Iterator[Row]:
    """Yield every object of the lines that are complete by now."""
    before = -1
    while lines.offset != before:
        before = lines.offset
        yield from lines.poll()


def plain_number(value: object) -> bool:
    """Return whether ``value`` is a finite number, and no truth value."""
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def whole(value: object) -> int | None:
    """Return ``value`` if it is a whole number from 0 that a counter can hold, else None."""
    return value if type(value) is int and 0 <= value < MOST else None


class Rewrites:
    """Take in rows of metrics as they stand in the file; say which of them no longer count."""

    def __init__(self) -> None:
        self.newest = -1  # seq of the newest row; one without a seq stands with the row before

    def superseded_by(self, row: Mapping[str, Any]) -> int | None:
        """Return the seq from which on earlier rows make way for ``row``, None where none does."""
        seq = whole(row.get("seq"))
        if seq is None or whole(row.get("env_steps")) is None:
            return None
        before, self.newest = self.newest, seq
        return seq if seq <= before else None


def cut(seqs: array[int], seq: int, *columns: MutableSequence[T]) -> list[T]:
    """Drop from ``columns``, and from ``seqs`` that belong to them, all from ``seq`` on.

    Returns what is gone from the first column.
    """
    at = bisect_left(seqs, seq)
    dropped = list(columns[0][at:])
    del seqs[at:]
    for column in columns:
        del column[at:]
    return dropped


class Kept(Generic[T]):
    """Hold something of each row that counts, in order."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._seqs = array("q")
        self._rewrites = Rewrites()

    @property
    def newest(self) -> int:
        """Return the seq of the row taken in last, -1 before the first."""
        return self._rewrites.newest

    def take_in(self, row: Mapping[str, Any]) -> list[T]:
        """Return what belongs to the rows that ``row`` supersedes; it is dropped."""
        seq = self._rewrites.superseded_by(row)
        return cut(self._seqs, seq, self.items) if seq is not None else []

    def append(self, item: T) -> None:
        """Add something of the row taken in last."""
        self.items.append(item)
        self._seqs.append(self.newest)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a metrics.jsonl that count: each has a seq, which rises, and env_steps."""
    kept = Kept[Row]()
    for row in rows_in(JsonLines(path)):
        if whole(row.get("seq")) is not None and whole(row.get("env_steps")) is not None:
            kept.take_in(row)
            kept.append(row)
    return kept.items
