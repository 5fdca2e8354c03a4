"""Read the rows of a metrics.jsonl that count, from the file each time: none is held.

Which count cannot be said before the end, as a later row may take the place of any: see :mod:`mbpo.runs.rows`.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.runs.rows import MOST, JsonLines, Line, MetricLines, Rewrites, Row, chunks_in, whole

Judge = Callable[[Row], bool]


class Superseded:
    """Tell which rows of a file make way for a later one, and which came too late to count."""

    def __init__(self) -> None:
        self.late: frozenset[int] = frozenset()  # where these stand, bytes: see MetricLines
        # Both rise: of two rows that supersede, the later one alone decides where its seq is not the higher.
        self._at = array("q")  # where rows stand that supersede earlier ones, bytes
        self._seqs = array("q")  # theirs

    def __bool__(self) -> bool:
        return bool(self._at)

    def add(self, at: int, seq: int) -> None:
        """Let the row at byte ``at``, the last so far, take the place of those from ``seq`` on."""
        while self._seqs and self._seqs[-1] >= seq:
            self._at.pop()
            self._seqs.pop()
        self._at.append(at)
        self._seqs.append(seq)

    def judge(self) -> Callable[[Line], bool]:
        """Return what says of line after line, in the order of the file, whether its row counts."""
        index = 0

        def counts(line: Line) -> bool:
            nonlocal index
            while index < len(self._at) and self._at[index] <= line.at:
                index += 1
            seq = _place(line.row)
            return seq is not None and line.at not in self.late and (index == len(self._at) or seq < self._seqs[index])

        return counts


@dataclass
class Facts:
    """Hold what is to be known of rows without reading them again."""

    count: int = 0
    keys: set[str] = field(default_factory=set)
    last: Row | None = None
    attempt: int = 0  # the highest
    reached: int = 0  # the most env steps

    def take_in(self, row: Row) -> None:
        """Take in one row more."""
        self.count += 1
        self.keys.update(row)
        self.last = row
        self.attempt = max(self.attempt, whole(row.get("attempt")) or 0)
        self.reached = max(self.reached, row["env_steps"])


@dataclass(frozen=True)
class KeptRows:
    """Stand for rows that count, of one file as it was when they were found.

    Each has its env_steps, and its seq, which rises.
    """

    path: Path | None = None  # None: no rows
    begin: int = 0  # bytes
    end: int = 0
    superseded: Superseded = field(default_factory=Superseded)
    without: Judge | None = None  # rows to pass over
    facts: Facts = field(default_factory=Facts)

    def __len__(self) -> int:
        return self.facts.count

    def __iter__(self) -> Iterator[Row]:
        return (line.row for lines in self.chunks() for line in lines)

    def chunks(self) -> Iterator[list[Line]]:
        """Yield the rows in their lines, some at a time; no more of them where the file was cut since."""
        if self.path is None:
            return
        file, counts = JsonLines(self.path, self.begin), self.superseded.judge()
        for lines in chunks_in(file, self.end):
            if file.restarts:
                return
            kept = [line for line in lines if counts(line)]
            yield [line for line in kept if not self.without(line.row)] if self.without else kept

    def part(self, until: Judge, without: Judge) -> KeptRows:
        """Return the rows before the first that ``until`` is true of, and of these none that ``without`` is true of."""
        end, facts = self.end, Facts()
        for line in (line for lines in self.chunks() for line in lines):
            if until(line.row):
                end = line.at
                break
            if not without(line.row):
                facts.take_in(line.row)
        return dataclasses.replace(self, end=end, without=without, facts=facts)


def read_kept(path: Path, seq: int = MOST) -> tuple[KeptRows, KeptRows]:
    """Return the rows of a metrics.jsonl that count: those numbered up to ``seq``, and those after."""
    superseded, rewrites, file = Superseded(), Rewrites(), MetricLines(path)
    parts = _Parts(seq)
    for line in (line for lines in chunks_in(file) for line in lines):
        if (first := rewrites.superseded_by(line.row)) is not None:
            superseded.add(line.at, first)
        if _place(line.row) is not None:
            parts.take_in(line)
    superseded.late = frozenset(file.late)
    every = KeptRows(path, 0, file.offset, superseded)
    if superseded:  # not all of these count, and only now can it be said which
        parts = _Parts(seq)
        for line in (line for lines in every.chunks() for line in lines):
            parts.take_in(line)
    border = every.end if parts.border is None else parts.border
    return (
        dataclasses.replace(every, end=border, facts=parts.before),
        dataclasses.replace(every, begin=border, facts=parts.after),
    )


class _Parts:
    """Take in rows before and after a border, in order."""

    def __init__(self, seq: int) -> None:
        self.before, self.after = Facts(), Facts()
        self.border: int | None = None  # where the first one after it stands, bytes
        self._seq = seq

    def take_in(self, line: Line) -> None:
        if line.row["seq"] <= self._seq:
            self.before.take_in(line.row)
            return
        self.border = line.at if self.border is None else self.border
        self.after.take_in(line.row)


def _place(row: Row) -> int | None:
    """Return the number of a row that has its place in the run, else None."""
    return None if whole(row.get("env_steps")) is None else whole(row.get("seq"))
