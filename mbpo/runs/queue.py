"""Keep the runs that were ordered under one root, and whose turn it is, in ``.queue/``.

An order is a file that is written once. Which of its runs wait, are at work or have ended stands in ``line.json``,
which is replaced whole, by one process at a time: a lock that the kernel lets go. A kill at any moment leaves the old
line or the new one; a run that no line names as yet waits at its end.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mbpo.errors import NewerRecordError, RecordError, StorageError, refused
from mbpo.runs.batch import Batch
from mbpo.runs.layout import RunPaths, make_durably, write_json
from mbpo.runs.locks import is_held, take
from mbpo.runs.origin import is_seal, seal
from mbpo.runs.records.order import (
    AT_WORK,
    CANCELLED,
    ENDS,
    OFF,
    WAITING,
    Order,
    OrderedRun,
    Turn,
    Turns,
    read_order,
    read_turns,
)
from mbpo.runs.status import ENDED, read_status

FOLDER = ".queue"  # under the runs root: what looks for runs passes over hidden folders
LINE = "line.json"
AGAIN = ("stopped", "failed", "diverged", CANCELLED)  # states after which a run can be tried once more
LOCK_S = 2.0  # in which whoever has the line is done with it

Mark = tuple[int, int, int]  # time, inode and size of a file
Change = Callable[[list[Turn]], list[Turn]]


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


class Queue:
    """Read and change the queue of the runs root ``root``; a file that did not change is not parsed again."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.folder = self.root / FOLDER
        self._known: dict[Path, tuple[Mark, Any]] = {}

    @property
    def runner_lock(self) -> Path:
        """Return the file that a runner holds as long as it lives."""
        return self.folder / "runner.lock"

    @property
    def has_runner(self) -> bool:
        """Return whether a process sees to it that what waits is started."""
        return is_held(self.runner_lock)

    def read(self) -> Line:
        """Return the queue as it is now."""
        orders, faults = self._orders()
        turns, fault = self._turns(orders)
        entries = [self._entry(turn, orders.get(turn.order)) for turn in turns if turn.state != OFF]
        return Line(tuple(entries), (*faults, *fault))

    def add(self, order: Order) -> None:
        """Put the runs of an order, which is sealed here, at the end of the line.

        Raises:
            StorageError: the queue cannot be written, or there is no key to seal an order with.
        """
        sealed = msgspec.structs.replace(order, seal=seal(self._bound(order), make=True))
        if not sealed.seal:
            raise StorageError("cannot queue runs without a key of yours: make ~/.local/state writable")
        try:
            make_durably(self.folder, 0o700)
        except OSError as error:
            raise refused(f"cannot write in {self.root}", error) from None
        with self._alone():
            self._write(self.folder / f"{order.name}.json", sealed)

    def cancel(self, run_ids: Collection[str] | None = None) -> None:
        """Let runs that wait never start; without names, all of them."""
        self._change(lambda turns: [_cancelled(t) if _named(t, run_ids) and t.state == WAITING else t for t in turns])

    def forget(self, run_ids: Collection[str] | None = None) -> None:
        """Take runs that have ended off the list; without names, all of them."""
        off = msgspec.structs.replace
        self._change(lambda turns: [off(t, state=OFF) if _named(t, run_ids) and t.state in ENDS else t for t in turns])

    def again(self, run_id: str) -> None:
        """Let a run that has ended without finishing wait again, behind all others."""

        def change(turns: list[Turn]) -> list[Turn]:
            mine = [t for t in turns if t.run_id == run_id and t.state in AGAIN]
            new = [Turn(run_id=t.run_id, order=t.order) for t in mine]
            return [t for t in turns if t not in mine] + new

        self._change(change)

    def move(self, run_id: str, by: int) -> None:
        """Let a run that waits change places with the one that waits before it, or behind it."""

        def change(turns: list[Turn]) -> list[Turn]:
            waiting = [number for number, turn in enumerate(turns) if turn.state == WAITING]
            at = next((n for n, number in enumerate(waiting) if turns[number].run_id == run_id), None)
            if at is not None and 0 <= at + by < len(waiting):
                here, there = waiting[at], waiting[at + by]
                turns[here], turns[there] = turns[there], turns[here]
            return turns

        self._change(change)

    def take(self, run_id: str) -> bool:
        """Note that a run is being started; return whether it still waited."""
        taken: list[Turn] = []

        def change(turns: list[Turn]) -> list[Turn]:
            taken.extend(t for t in turns if t.run_id == run_id and t.state == WAITING)
            return [_started(t) if t in taken else t for t in turns]

        self._change(change)
        return bool(taken)

    def note(self, run_id: str, state: str, reason: str = "") -> None:
        """Note what became of a run at work."""
        new = msgspec.structs.replace
        self._change(lambda turns: [new(t, state=state, reason=reason) if t.run_id == run_id else t for t in turns])

    def close(self, runner: int) -> bool:
        """Let go of the runner's lock if nothing is left to do; return whether that is so.

        Whoever orders a run later finds the lock free, whoever ordered one before is seen here.
        """
        with self._alone():
            if self.read().unfinished:
                return False
            os.close(runner)
            return True

    def _change(self, change: Change) -> None:
        """Replace the line by what ``change`` makes of it.

        Raises:
            StorageError: it cannot be read or written.
        """
        with self._alone():
            orders, _ = self._orders()
            before, faults = self._turns(orders)
            path = self.folder / LINE
            if faults:
                _put_aside(path)
            after = change([*before])
            if after != before:
                self._write(path, Turns(turns=after))
            listed = {turn.order for turn in after}
            for name in listed - {turn.order for turn in after if turn.state != OFF}:
                (self.folder / f"{name}.json").unlink(missing_ok=True)  # and next time it is in no line
                Batch(self.root, name).release()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Have the line alone while inside.

        Raises:
            StorageError: it cannot be written, or someone has it for long.
        """
        until, lock = time.monotonic() + LOCK_S, None
        try:
            while (lock := take(self.folder / "line.lock")) is None:
                if time.monotonic() > until:
                    raise StorageError(f"{self.folder} is in use by another process; try again")
                time.sleep(0.01)
            yield
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise refused(f"cannot change the queue in {self.folder}", error) from None
        finally:
            if lock is not None:
                os.close(lock)

    def _write(self, path: Path, record: msgspec.Struct) -> None:
        write_json(path, msgspec.to_builtins(record))

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
        known = {turn.run_id for turn in turns}
        whole = sorted((o for o in orders.values() if isinstance(o, Order)), key=lambda o: (o.issued_at, o.name))
        new = [(run.run_id, order.name) for order in whole for run in order.runs if run.run_id not in known]
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
        return is_seal(order.seal, self._bound(order))

    def _bound(self, order: Order) -> list[Any]:
        return [os.path.realpath(self.folder), msgspec.to_builtins(msgspec.structs.replace(order, seal=""))]

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


def _put_aside(path: Path) -> None:
    """Make room for a new line where the old one is damaged.

    Raises:
        NewerRecordError: it is of a newer version, and whole.
    """
    try:
        read_turns(path)
    except NewerRecordError:
        raise
    except RecordError:
        path.replace(path.with_suffix(".damaged"))


def _is_order(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".") and name != LINE


def _named(turn: Turn, run_ids: Collection[str] | None) -> bool:
    return run_ids is None or turn.run_id in run_ids


def _cancelled(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, state=CANCELLED, reason="before it began" if not turn.attempts else "")


def _started(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, state=AT_WORK, attempts=turn.attempts + 1, began=time.time(), reason="")


def _mark(path: Path) -> Mark:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
