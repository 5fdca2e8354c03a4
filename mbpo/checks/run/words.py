"""Word findings about a run."""

from __future__ import annotations

from collections.abc import Iterable

from mbpo.checks.diagnostic import Diagnostic

MOST_NAMED = 5
MOST_QUOTED = 160  # characters


def ok(topic: str, text: str) -> Diagnostic:
    """Return that something is as it should be."""
    return Diagnostic("ok", topic, text)


def note(topic: str, text: str) -> Diagnostic:
    """Return what a reader or a resume copes with."""
    return Diagnostic("note", topic, text)


def problem(topic: str, text: str) -> Diagnostic:
    """Return what someone has to mend, or has lost."""
    return Diagnostic("problem", topic, text)


def listed(names: Iterable[str], most: int = MOST_NAMED) -> str:
    """Write the first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(quoted(name, 80) for name in every[:most]) + more


def quoted(text: str, most: int = MOST_QUOTED) -> str:
    """Return text of the run's in one line that is not too long."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 3] + "..."


def many(count: int, noun: str) -> str:
    """Write a count and its noun."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
