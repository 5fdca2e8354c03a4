"""Read files of JSON lines while they grow, and tell which rows of metrics count.

A resumed run appends rows again from where they differ from those of the attempt before. A row
takes the place of the row with its ``seq`` and of all that stand after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mbpo.errors import RecordError
from mbpo.runs.files import open_to_read
from mbpo.runs.records.json_text import decode

CHUNK_BYTES = 4 << 20
STREAM_BYTES = 1 << 20  # at once of a file that is read through: its rows take ten times as much
MAX_LINE_BYTES = 1 << 20
MOST = 2**62  # of a seq or an env step

Row = dict[str, Any]


class Line(NamedTuple):
    """Hold a line of a file that is a JSON object, and where it begins."""

    at: int  # bytes
    text: bytes
    row: Row


class JsonLines:
    """Follow a growing file of JSON lines; an unfinished last line waits for its end."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Read from ``offset`` on, where a line begins."""
        self.path = path
        self.offset = offset
        self.bad_lines = 0
        self.restarts = 0  # how often the file was found cut or replaced, and read again
        self._file: tuple[int, int] | None = None  # device and inode
        self._partial = b""

    @property
    def partial(self) -> bool:
        """Return whether the file, as far as it was read, ends in part of a line."""
        return bool(self._partial)

    def poll(self, max_bytes: int = CHUNK_BYTES) -> list[Row]:
        """Return the objects of the lines completed since the last call, at most ``max_bytes``."""
        return [line.row for line in self.poll_lines(max_bytes)]

    def poll_lines(self, max_bytes: int = CHUNK_BYTES) -> list[Line]:
        """Return the lines completed since the last call, at most ``max_bytes``.

        Those that are not JSON objects, or too long, are counted in ``bad_lines`` and passed over. A
        file that shrank or was replaced is read again from its start.
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
        return self._take_apart(data)

    def _take_apart(self, data: bytes) -> list[Line]:
        at, found = self.offset - len(self._partial), list[Line]()
        self.offset += len(data)
        *texts, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE_BYTES:
            self._partial = b"\0"  # the rest of this line makes it a bad one
        for text in texts:
            if (row := _parsed(text)) is not None:
                found.append(Line(at, text, row))
            at += len(text) + 1
        self.bad_lines += len(texts) - len(found)
        return found


class MetricLines(JsonLines):
    """Follow a metrics.jsonl, and pass over what a learner wrote in the place of one that had taken its run over.

    It may have been held up between its look at the lease and its write: see docs/run-directory.md, Two hosts.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Read from ``offset`` on, where a line begins."""
        super().__init__(path, offset)
        self.late: list[int] = []  # where the lines stand that were passed over, bytes
        self._newest, self._attempt, self._read_anew = -1, 0, 0

    def poll_lines(self, max_bytes: int = CHUNK_BYTES) -> list[Line]:
        """Return the lines completed since the last call, at most ``max_bytes``, as :class:`JsonLines` does."""
        found = super().poll_lines(max_bytes)
        if self._read_anew != self.restarts:
            self.late, self._newest, self._attempt, self._read_anew = [], -1, 0, self.restarts
        late = {line.at for line in found if self._is_late(line.row)}
        self.late += sorted(late)
        return [line for line in found if line.at not in late] if late else found

    def _is_late(self, row: Row) -> bool:
        seq, attempt = whole(row.get("seq")), whole(row.get("attempt"))
        if seq is None or attempt is None or whole(row.get("env_steps")) is None:
            return False
        if seq <= self._newest and attempt < self._attempt:
            return True
        self._newest, self._attempt = seq, max(attempt, self._attempt)
        return False


def _parsed(text: bytes) -> Row | None:
    if len(text) > MAX_LINE_BYTES:  # however the file was read
        return None
    try:
        row = decode(text)
    except RecordError:
        return None
    return row if isinstance(row, dict) else None


def rows_in(lines: JsonLines) -> Iterator[Row]:
    """Yield every object of the lines that are complete by now."""
    for found in chunks_in(lines):
        for line in found:
            yield line.row


def chunks_in(lines: JsonLines, end: int = MOST) -> Iterator[list[Line]]:
    """Yield the lines that are complete by now, some at a time; those before ``end``, where a line ends."""
    before = -1
    while before != lines.offset < end:
        before = lines.offset
        yield lines.poll_lines(min(STREAM_BYTES, end - before))


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
