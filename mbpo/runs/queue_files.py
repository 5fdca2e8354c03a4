"""Read the files of a queue, again and again: orders, whose turn it is, and what cannot be used of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mbpo.errors import NewerRecordError, RecordError
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import is_seal
from mbpo.runs.records.order import AT_WORK, OFF, WAITING, Order, OrderedRun, Turn, Turns, read_order, read_turns
from mbpo.runs.status import ENDED, read_status

FOLDER = ".queue"  # under the runs root: what looks for runs passes over hidden folders
LINE = "line.json"

Mark = tuple[int, int, int]  # time, inode and size of a file


@dataclass(frozen=True)
class Entry:
    """Hold one run of the queue."""

    turn: Turn
    order: Order | None  # None: it cannot be read
    run: OrderedRun | None
    hindrance: str = ""  # why it is never started

    @property
    def run_id(self) -> str:
        """Return its name."""
        return self.turn.run_id

    @property
    def startable(self) -> bool:
        """Return whether it waits to be started."""
        return self.turn.state == WAITING and not self.hindrance


@dataclass(frozen=True)
class Line:
    """Hold what the queue is at one moment."""

    entries: tuple[Entry, ...] = ()  # in the order in which they come, but for those off the list
    faults: tuple[str, ...] = ()  # files that cannot be used, a line each

    @property
    def unfinished(self) -> bool:
        """Return whether something is left for a runner to do."""
        return any(entry.startable or entry.turn.state == AT_WORK for entry in self.entries)

    def count(self, *states: str) -> int:
        """Return how many runs are in one of the states."""
        return sum(entry.turn.state in states for entry in self.entries)


class QueueFiles:
    """Hold what was read of the queue under ``root``; a file that did not change is not parsed again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER
        self._known: dict[Path, tuple[Mark, Any]] = {}

    def read(self) -> Line:
        """Return the queue as it is now."""
        orders, faults = self._orders()
        turns, fault = self._turns(orders)
        entries = [self._entry(turn, orders.get(turn.order)) for turn in turns if turn.state != OFF]
        return Line(tuple(entries), (*faults, *fault))

    def turns(self) -> tuple[list[Turn], bool]:
        """Return the turn of every run, those off the list too, and whether the line is damaged."""
        turns, fault = self._turns(self._orders()[0])
        return turns, bool(fault)

    def _orders(self) -> tuple[dict[str, Order | str], list[str]]:
        """Return each order, or why it cannot be read, and faults."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder) if _is_order(entry.name))
        except OSError:
            return {}, []
        found = {name.removesuffix(".json"): self._parsed(self.folder / name, read_order) for name in names}
        there = {LINE, *names}
        self._known = {p: known for p, known in self._known.items() if there & {p.name, p.parent.name}}
        return found, [fault for fault in found.values() if isinstance(fault, str)]

    def _turns(self, orders: dict[str, Order | str]) -> tuple[list[Turn], list[str]]:
        """Return every run's turn, those that the line does not name as yet last, and faults."""
        path = self.folder / LINE
        found = self._parsed(path, read_turns) if os.path.lexists(path) else Turns()
        turns = [t for t in found.turns if t.order in orders] if isinstance(found, Turns) else []
        known = {(turn.run_id, turn.order) for turn in turns}
        whole = sorted((o for o in orders.values() if isinstance(o, Order)), key=lambda o: (o.issued_at, o.name))
        new = [
            (run.run_id, order.name) for order in whole for run in order.runs if (run.run_id, order.name) not in known
        ]
        return turns + [self._first_turn(*each) for each in new], [found] if isinstance(found, str) else []

    def _first_turn(self, run_id: str, order: str) -> Turn:
        """Return the turn of a run that no line names: it waits, unless the line was lost and it has begun."""
        status = read_status(RunPaths(self.root / run_id))
        if status is None:
            return Turn(run_id=run_id, order=order)
        ended = status.state in ENDED
        return Turn(run_id=run_id, order=order, state=status.state if ended else AT_WORK, reason=status.reason)

    def _entry(self, turn: Turn, order: Order | str | None) -> Entry:
        if not isinstance(order, Order):
            return Entry(turn, None, None, order or "its order is gone")
        run = next((run for run in order.runs if run.run_id == turn.run_id), None)
        if run is None:
            return Entry(turn, order, None, "its order does not name it")
        ours = self._parsed(self.folder / f"{order.name}.json", self._is_ours, kind="seal")
        return Entry(turn, order, run, "" if ours is True else "not ordered here by you: cancel it, and order it anew")

    def _is_ours(self, path: Path) -> bool:
        order = read_order(path)
        return is_seal(order.seal, bound(self.folder, order))

    def _parsed(self, path: Path, parse: Callable[[Path], Any], kind: str = "") -> Any:
        """Return what ``parse`` makes of a file, or in words why it cannot."""
        mark, key = _mark(path), path / kind if kind else path
        known = self._known.get(key)
        if known is None or known[0] != mark:
            try:
                known = mark, parse(path)
            except NewerRecordError as error:
                known = mark, str(error)
            except RecordError:
                known = mark, f"{path.parent.name}/{path.name} cannot be read"
            self._known[key] = known
        return known[1]


def command_of(entry: Entry) -> list[str]:
    """Return the flags of a run's learner."""
    assert entry.order is not None
    assert entry.run is not None
    return [*entry.order.flags, *entry.run.flags]


def bound(folder: Path, order: Order) -> list[Any]:
    """Return what the seal of an order binds: where it lies, and all that it says."""
    return [os.path.realpath(folder), msgspec.to_builtins(msgspec.structs.replace(order, seal=""))]


def _is_order(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".") and name != LINE


def _mark(path: Path) -> Mark:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
