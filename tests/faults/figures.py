"""Give each promise its figure: a few tries by default, all of them with ``MBPO_FAULTS=full``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FULL = os.environ.get("MBPO_FAULTS") == "full"
PROPERTY = "promise"  # of a test's report, where xdist finds it too


def figure(fast: int, full: int) -> int:
    """Return how often to try."""
    return full if FULL else fast


@dataclass
class Promise:
    """Count the tries of a promise and how many held it; the counts end in the summary."""

    report: Callable[[str, object], None]  # pytest's record_property

    def kept(self, name: str, held: int, of: int, note: str = "") -> None:
        """Record that ``held`` of ``of`` tries held the promise ``name``, and demand all."""
        self.report(PROPERTY, [name, held, of, note])
        assert held == of > 0, f"{name}: {held} of {of}"


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
