"""Put every fork under the run that it branched off from, and say what it shares with others."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from workbench.messages import RunRow

ORIGIN = re.compile(r"(.+)@([0-9]{1,18})", re.DOTALL)
MOST_LINES = 40  # characters of tree lines kept, whatever the depth


def origin(parent: str) -> tuple[str, int]:
    """Return the run and the env step that ``parent`` names as RUN@STEP; no run where it is not."""
    found = ORIGIN.fullmatch(parent)
    return (found[1], int(found[2])) if found else ("", -1)


def with_names(rows: Sequence[RunRow], root: Path) -> list[RunRow]:
    """Return ``rows`` with names that are their own also where runs stand in folders below ``root``.

    A learner notes of its parent the name alone: that is the run of this name in its own folder, else in the root,
    else anywhere.
    """
    if all(row.path.parent == root for row in rows):
        return list(rows)
    above = len(root.parts)
    names = {row.path: "/".join(row.path.parts[above:]) for row in rows}
    anywhere = {path.name: name for path, name in reversed(names.items()) if name}
    named = []
    for row in rows:
        parent, step = origin(row.parent)
        whole = row.parent
        if parent:
            near = (row.path.parent / parent, root / parent)
            known = next((names[path] for path in near if names.get(path)), anywhere.get(parent, parent))
            whole = f"{known}@{step}"
        named.append(replace(row, name=names[row.path], parent=whole))
    return named


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


def family(rows: Iterable[RunRow], path: Path) -> tuple[RunRow, ...]:
    """Return the tree of forks that the run at ``path`` belongs to, itself too, parents first.

    Forks of a run that is not here are of one family.
    """
    families: dict[str, list[RunRow]] = {}
    founder = own = ""
    for row in in_tree(rows):
        if not row.lines:
            founder = origin(row.parent)[0] or row.run_id
        families.setdefault(founder, []).append(row)
        if row.path == path:
            own = founder
    return tuple(families.get(own, ()))


def descent(row: RunRow, known: Mapping[str, RunRow]) -> dict[str, float]:
    """Return the run and its ancestors by name, each with the env step up to which they are one."""
    one_until = {row.run_id: math.inf}
    at: RunRow | None = row
    until = math.inf
    while at is not None:
        parent, step = origin(at.parent)
        if not parent or parent in one_until:
            break
        until = min(until, float(step))
        one_until[parent] = until
        at = known.get(parent)
    return one_until


def shared(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the env step up to which two runs have the same rows, by their descent; else −∞."""
    return max((min(one[name], other[name]) for name in one.keys() & other.keys()), default=-math.inf)
