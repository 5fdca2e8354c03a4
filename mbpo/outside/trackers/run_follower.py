"""Bring one run into one tracker: every row that counts once, whatever was killed when."""

from __future__ import annotations

from collections.abc import Callable

from mbpo.errors import StorageError
from mbpo.outside.trackers.facts import identity_of
from mbpo.outside.trackers.marks import mark_of
from mbpo.outside.trackers.row_source import RowSource
from mbpo.outside.trackers.tracker import Facts, Held, Mark, Step, Tracker
from mbpo.runs.rows import JsonLines, rows_in

BATCH = 500  # rows that are written at once
TRIES = 3  # to find in a tracker what was written there


class _Differs(Exception):
    """Tell that the tracker has another row where ``step`` belongs."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step


class RunReplaced(Exception):
    """Tell that a folder holds another run than before."""


class RunFollower:
    """Compare, row by row, what counts in the run with what its place in the tracker holds, and write what lacks."""

    def __init__(self, facts: Facts, tracker: Tracker, progress: Callable[[int], None] = lambda rows: None) -> None:
        """Call ``progress`` with the rows that were read, every so often."""
        self._progress = progress
        self.facts = facts
        self.tracker = tracker
        self.added = 0
        self.marks: list[Mark] = []
        self._source = RowSource(facts.paths.metrics)
        self._events = JsonLines(facts.paths.events)
        self._event_count = self._event_restarts = 0
        self._begun = False
        self._held = Held()
        self._place = 0  # of the next row, in the run
        self._waiting: list[Step] = []
        self._untold = False  # whether the tracker may have lost events

    @property
    def rows(self) -> int:
        """Return how many rows of the run were read that count."""
        return self._place

    @property
    def damaged(self) -> int:
        """Return how many lines were passed over."""
        return self._source.damaged + self._events.bad_lines

    def turn(self) -> bool:
        """Write what came since the last turn; return whether that was anything.

        Raises:
            StorageError: the tracker cannot be written, or does not give back what was written.
            RunReplaced: another run has taken the place of this one.
        """
        before = self.added, len(self.marks)
        if not self._begun:
            self._catch_up()
        else:
            self._follow()
        self._tell()
        return (self.added, len(self.marks)) != before

    def close(self, state: str) -> None:
        """Bring everything to the disk, and see that what was written is there.

        Raises:
            StorageError: it is not.
        """
        self.tracker.close(state)
        if not self.added:
            return
        there = self.tracker.holds()
        if there.digests[: self._place] != self._held.digests[: self._place]:
            raise StorageError(
                f"{self.tracker.where} gives back {len(there)} rows of {self._place}; give the command again"
            )

    def leave(self, state: str) -> None:
        """Bring to the disk what is written; a batch may be half written, and the next follower sees what lacks."""
        self.tracker.close(state)

    def _follow(self) -> None:
        try:
            for first, step in self._source.more():
                if first is not None:
                    self._place = min(self._place, self._held.before(first))
                self._offer(step)
            self._flush()
        except _Differs as differs:
            self.tracker.take_back(self._place, differs.step)
            self._catch_up()
        if self._source.replaced:
            if identity_of(self.facts.paths) != self.facts.identity:
                raise RunReplaced(self.facts.name)
            self._catch_up()

    def _catch_up(self) -> None:
        for _ in range(TRIES):
            self._held, self._place, self._waiting, self._untold = self.tracker.holds(), 0, [], True
            try:
                for step in self._source.begin():
                    self._offer(step)
                self._flush()
            except _Differs as differs:
                self.tracker.take_back(self._place, differs.step)
            else:
                self._begun = True
                return
        raise StorageError(f"{self.tracker.where} gives back other rows than were written; give another place")

    def _offer(self, step: Step) -> None:
        """Take the next row of the run: written already, or to be written."""
        if self._place < len(self._held):
            if not self._held.has(self._place, step):
                self._flush()
                raise _Differs(step)
        else:
            self._held.add(step.seq, step.digest)
            self._waiting.append(step)
            if len(self._waiting) >= BATCH:
                self._flush()
        self._place += 1
        if self._place % BATCH == 0:
            self._progress(self._place)

    def _flush(self) -> None:
        if self._waiting:
            self.tracker.add(self._waiting)
            self.added += len(self._waiting)
            self._waiting = []

    def _tell(self) -> None:
        count, news = self._event_count, False
        for event in rows_in(self._events):
            if self._events.restarts != self._event_restarts:
                self._event_restarts, count = self._events.restarts, 0
                self.marks.clear()
            count += 1
            if (mark := mark_of(event, count)) is not None:
                self.marks.append(mark)
                news = True
        self._event_count = count
        if news or self._untold:
            self.tracker.tell(self.marks)
            self._untold = False
