"""Compare what a run repeats with what an earlier attempt, or another run, wrote at the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, Protocol

from mbpo.runs.history import History
from mbpo.runs.metrics import MACHINE_KEYS, METRICS
from mbpo.runs.records.row import kind_of
from mbpo.runs.rows import Row
from mbpo.settings.stdout import say

NOT_COMPARED = frozenset({*MACHINE_KEYS, "attempt", "kind"})
FIRST_NAMED = ("seq", "env_steps", "kind")


class Rows(Protocol):
    """Some rows: their number, and one after another."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...


class Overlap:
    """Compare rows with those that stand there already, but for what the machine decides.

    A metric that none of the earlier rows has is new in this version, and one that is declared no more is gone from
    it: neither makes a row another, nor does one that the earlier run measured otherwise. What is gone is kept in
    ``vanished``.
    """

    def __init__(self, rows: Rows, known: Set[str] = frozenset()) -> None:
        """Expect ``rows``, one at a time; ``known`` are the keys that they and those before them have."""
        self._expected = iter(rows)
        self._known = known
        self._otherwise = {m.key for m in METRICS.values() if m.since and m.since not in known}
        self._left = self.total = len(rows)
        self.identical = 0
        self.difference = ""
        self.vanished: set[str] = set()

    @property
    def open(self) -> bool:
        """Return whether there are rows left to compare."""
        return self._left > 0

    def repeats(self, row: Mapping[str, Any]) -> bool:
        """Return whether ``row`` stands there already."""
        if not self.open:
            return False
        if (expected := next(self._expected, None)) is None:
            return self._differ("what stood there cannot be read any more")
        if wrong := self._differences(expected, row):
            key = next((k for k in FIRST_NAMED if k in wrong), min(wrong))
            return self._differ(f"{key} was {wrong[key][0]!r}, is {wrong[key][1]!r}")
        self._left -= 1
        self.identical += 1
        return True

    def close(self) -> None:
        """Compare no more: what is left did not come again."""
        if self.open:
            self._differ(f"{self._left} records did not come again")

    def break_off(self) -> None:
        """Compare no more: what is left was not asked for again, which is no difference."""
        self._left, self._expected = 0, iter(())

    def _differ(self, how: str) -> bool:
        self.difference = how
        self.break_off()
        return False

    def _differences(self, expected: Row, row: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        gone = expected.keys() - row.keys() - METRICS.keys() - NOT_COMPARED
        self.vanished |= gone
        keys = (expected.keys() | (row.keys() & self._known)) - gone - NOT_COMPARED - self._otherwise
        values = {key: (expected.get(key), row.get(key)) for key in keys}
        values["kind"] = kind_of(expected), kind_of(row)
        return {key: (was, now) for key, (was, now) in values.items() if was != now}


class Verdict:
    """Say once how what was repeated compares: in an event where all was as before, else in a warning."""

    def __init__(self, history: History, event: Callable[..., None], warn: Callable[..., None]) -> None:
        self._overlap = Overlap(history.after, history.before.facts.keys | history.after.facts.keys)
        self._what = history.of_another or "resume"
        self._event = event
        self._warn = warn

    def repeats(self, row: Mapping[str, Any]) -> bool:
        """Return whether an earlier attempt wrote this row; tell the verdict with the last one."""
        if not self._overlap.open:
            return False
        repeats = self._overlap.repeats(row)
        if not self._overlap.open:
            self._tell(row["env_steps"])
        return repeats

    def end(self, env_steps: int) -> None:
        """Tell the verdict where the last record has not brought it yet."""
        if self._overlap.open or not self._overlap.total:
            self._overlap.close()
            self._tell(env_steps)

    def break_off(self, env_steps: int) -> None:
        """Tell how far all was as before, where a stop leaves records that are not compared."""
        if self._overlap.open:
            self._overlap.break_off()
            say(f"{self._what} as before up to env step {env_steps}, where it was stopped: {self._counts()}")

    def _counts(self) -> str:
        return f"{self._overlap.identical} of {self._overlap.total} records identical"

    def _tell(self, at: int) -> None:
        overlap, what, counts = self._overlap, self._what, self._counts()
        facts: dict[str, Any] = {"identical": overlap.identical, "total": overlap.total}
        if overlap.vanished:
            facts["vanished"] = sorted(overlap.vanished)
            counts += f"; no longer measured: {', '.join(facts['vanished'])[:120]}"
        if overlap.difference:
            self._warn(at, f"{what} not as before from env step {at} on: {overlap.difference}; {counts}", **facts)
        else:
            self._event(f"{what}_verified", env_steps=at, **facts)
            say(f"{what} verified: {counts}")
