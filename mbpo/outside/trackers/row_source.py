"""Read the rows of a metrics.jsonl that count: first all that are there, then those that come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mbpo.outside.trackers.tracker import Step, step_of
from mbpo.runs.kept_rows import KeptRows, Superseded
from mbpo.runs.rows import MetricLines, Rewrites, chunks_in


class RowSource:
    """Follow one file; a row that a resumed run wrote again is read in its last writing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = MetricLines(path)
        self._rewrites = Rewrites()
        self._restarts = 0

    @property
    def damaged(self) -> int:
        """Return how many lines were passed over because they are no rows."""
        return self._file.bad_lines

    @property
    def replaced(self) -> bool:
        """Return whether the file was cut or replaced since :meth:`begin`: what was read may not be in it."""
        return self._file.restarts != self._restarts

    def begin(self) -> Iterator[Step]:
        """Read from the start, twice, and yield the rows that count by now."""
        self._file, self._rewrites, self._restarts = MetricLines(self._path), Rewrites(), 0
        superseded = Superseded()
        for line in (line for lines in chunks_in(self._file) for line in lines):
            if (first := self._rewrites.superseded_by(line.row)) is not None:
                superseded.add(line.at, first)
        superseded.late = frozenset(self._file.late)
        kept = KeptRows(self._path, 0, self._file.offset, superseded)
        for row in kept:
            if (step := step_of(row)) is not None:
                yield step

    def more(self) -> Iterator[tuple[int | None, Step]]:
        """Yield each row that came since, with the seq from which on earlier ones make way for it."""
        for line in (line for lines in chunks_in(self._file) for line in lines):
            if self.replaced:
                return
            first = self._rewrites.superseded_by(line.row)
            if (step := step_of(line.row)) is not None:
                yield first, step
