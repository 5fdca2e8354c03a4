"""Give each promise its figure: a few tries by default, all of them with ``MBPO_FAULTS=full``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

FULL = os.environ.get("MBPO_FAULTS") == "full"
PROPERTY = "promise"  # of a test's report, where xdist finds it too


def figure(fast: int, full: int) -> int:
    """Return how often to try."""
    return full if FULL else fast


@dataclass
class Tries:
    """Count the tries of a promise as they are made."""

    held: int = 0
    of: int = 0
    note: str = ""
    failures: list[Exception] = field(default_factory=list)

    @contextmanager
    def one(self, count: int = 1) -> Iterator[None]:
        """Count another try, or several: they hold if the block raises nothing. A failure waits for the other tries."""
        self.of += count
        try:
            yield
        except Exception as failure:
            self.failures.append(failure)
        else:
            self.held += count


@dataclass
class Promise:
    """Report how many tries of a promise were made and how many held it; the counts end in the summary."""

    report: Callable[[str, object], None]  # pytest's record_property

    @contextmanager
    def tries(self, name: str) -> Iterator[Tries]:
        """Lend a count, report it however the block ends, then demand that every try held."""
        tries = Tries()
        try:
            yield tries
        finally:
            self.seen(name, tries.held, tries.of, tries.note)
        if not tries.held == tries.of > 0:
            first = next(iter(tries.failures), None)
            raise AssertionError(f"{name}: {tries.held} of {tries.of} held") from first

    def seen(self, name: str, held: int, of: int, note: str = "") -> None:
        """Report counts of which the caller demands less than all."""
        self.report(PROPERTY, [name, held, of, note])


def promises_in(reports: list[Any]) -> list[tuple[str, int, int, float, str]]:
    """Return (name, held, of, seconds, note) of every promise, the parts of one added up."""
    found: dict[str, tuple[str, int, int, float, str]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                promise, held, of, note = value
                _, h, o, seconds, notes = found.get(promise, (promise, 0, 0, 0.0, ""))
                notes = "; ".join(filter(None, dict.fromkeys([*notes.split("; "), note])))
                found[promise] = (promise, h + held, o + of, seconds + report.duration, notes)
    return [found[name] for name in sorted(found)]
