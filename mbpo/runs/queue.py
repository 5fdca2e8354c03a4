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
from pathlib import Path

import msgspec

from mbpo.errors import NewerRecordError, RecordError, StorageError, refused
from mbpo.runs.batch import Batch
from mbpo.runs.layout import make_durably, write_json
from mbpo.runs.locks import is_held, take
from mbpo.runs.origin import seal
from mbpo.runs.queue_files import FOLDER, LINE, Line, QueueFiles, bound
from mbpo.runs.records.order import AT_WORK, CANCELLED, ENDS, OFF, WAITING, Order, Turn, Turns, read_turns

AGAIN = ("stopped", "failed", "diverged", CANCELLED)  # states after which a run can be tried once more
LOCK_S = 2.0  # in which whoever has the line is done with it

Change = Callable[[list[Turn]], list[Turn]]


class Queue:
    """Read and change the queue of the runs root ``root``; a file that did not change is not parsed again."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.folder = self.root / FOLDER
        self._files = QueueFiles(self.root)

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
        return self._files.read()

    def add(self, order: Order) -> None:
        """Put the runs of an order, which is sealed here, at the end of the line.

        Raises:
            StorageError: the queue cannot be written, or there is no key to seal an order with.
        """
        sealed = msgspec.structs.replace(order, seal=seal(bound(self.folder, order), make=True))
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

        def change(turns: list[Turn]) -> list[Turn]:
            return [new(t, state=state, reason=reason) if (t.run_id == run_id and t.state != OFF) else t for t in turns]

        self._change(change)

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
            before, damaged = self._files.turns()
            path = self.folder / LINE
            if damaged:
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


def _named(turn: Turn, run_ids: Collection[str] | None) -> bool:
    return run_ids is None or turn.run_id in run_ids


def _cancelled(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, state=CANCELLED, reason="before it began" if not turn.attempts else "")


def _started(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, state=AT_WORK, attempts=turn.attempts + 1, began=time.time(), reason="")
