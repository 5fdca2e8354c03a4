"""Put every fork under the run that it branched off from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from workbench.messages import RunRow

ORIGIN = re.compile(r"(.+)@([0-9]{1,18})", re.DOTALL)
MOST_LINES = 40  # characters of tree lines kept, whatever the depth


def origin(parent: str) -> tuple[str, int]:
    """Return the run and the env step that ``parent`` names as RUN@STEP; no run where it is not."""
    found = ORIGIN.fullmatch(parent)
    return (found[1], int(found[2])) if found else ("", -1)


def in_tree(rows: Iterable[RunRow]) -> tuple[RunRow, ...]:
    """Return ``rows`` with each fork below its parent, by step, then name, and its tree lines.

    Runs without a parent here keep their order. What hangs in a circle, which no learner makes,
    begins with whichever comes first.
    """
    rows = tuple(rows)
    known = {row.run_id for row in rows}
    forks: dict[str, list[RunRow]] = {}
    tops: list[RunRow] = []
    for row in rows:
        parent, _ = origin(row.parent)
        (forks.setdefault(parent, []) if parent in known else tops).append(row)
    for siblings in forks.values():
        siblings.sort(key=lambda fork: (origin(fork.parent)[1], fork.run_id))
    placed: dict[str, RunRow] = {}
    for top in (*tops, *rows):  # the second time for those in a circle
        _place(top, forks, placed)
    return tuple(placed.values())


def _place(top: RunRow, forks: dict[str, list[RunRow]], placed: dict[str, RunRow]) -> None:
    """Add ``top`` and all below it to ``placed``, each once. A chain may be of any length."""
    waiting = [(top, "", "")]  # a row, its own lines, and those that go on below it
    while waiting:
        row, lines, below = waiting.pop()
        if row.run_id in placed:
            continue
        placed[row.run_id] = replace(row, lines=lines) if lines else row
        children = [fork for fork in forks.get(row.run_id, ()) if fork.run_id not in placed]
        for fork in reversed(children):
            corner, on = ("└", " ") if fork is children[-1] else ("├", "│")
            waiting.append((fork, (below + corner)[-MOST_LINES:], (below + on)[-MOST_LINES:]))
