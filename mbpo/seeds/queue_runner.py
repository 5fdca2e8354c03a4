"""Start what waits in the queue of a runs root, as many learners at once as the cores carry, until nothing is left.

The app and ``--seeds`` start ``python -m mbpo.seeds.queue_runner RUNS_ROOT``; of several, one runs. It may be killed at
any moment: what it starts holds a lock of its own, by which the next runner finds it again.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mbpo.errors import ConfigError, MBPOError, StorageError, one_line, report
from mbpo.runs.batch import Batch
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.locks import take
from mbpo.runs.queue import Queue
from mbpo.runs.queue_files import Entry, command_of
from mbpo.runs.reader import last_words
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.records.order import AT_WORK, WAITING
from mbpo.runs.status import ENDED, RunStatus, read_status
from mbpo.runs.what_ifs import FOLDER as WHAT_IFS
from mbpo.seeds.learner_run import STOP_CODES, LearnerRun, clear_unbegun
from mbpo.seeds.pool import Pool
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.threads import cores

LEARNER = (sys.executable, "-m", "mbpo.train")
POLL_S = 0.25
OTHERS_S = 2.0  # between looks at who else is at work
LOCK_S = 1.0  # in which whoever only asks for the lock has let go of it
MOST_ATTEMPTS = 4  # of a run whose learner is lost again and again
EXACT_S = 2.0  # by which a process's time of birth may seem to be too early


class Others:
    """Count the threads of the learners at work under a root, whoever started them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._looked = -math.inf
        self._at_work: dict[Path, int] = {}

    def threads(self, but: set[Path]) -> int:
        """Return how many threads they have, those of the runs in ``but`` left out."""
        if time.monotonic() > self._looked + OTHERS_S:
            below = [*runs_below(self._root).runs, *runs_below(self._root / WHAT_IFS).runs]
            self._at_work = {path: _threads(path) for path in below}
            self._looked = time.monotonic()
        return sum(number for path, number in self._at_work.items() if path not in but)

    def forget(self) -> None:
        """Look anew: one of them may have ended."""
        self._looked = -math.inf


class QueueLine:
    """Hand out the runs of a queue in their order, and note in it what became of each."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._others = Others(queue.root)
        self._entries: dict[str, Entry] = {}  # of the runs at work
        self._found: dict[str, LearnerRun] = {}  # at work, but started by an earlier runner, or by hand
        self._untold: dict[str, tuple[str, str]] = {}  # what could not be noted as yet: the disk is full, say
        self._said = ""

    def next(self, running: Sequence[LearnerRun]) -> LearnerRun | None:
        """Return the next to start, where the cores carry it beside all that is at work."""
        entry = next((entry for entry in self._queue.read().entries if entry.startable), None)
        if entry is None or self._untold or entry.order is None:
            return None
        own = {run.label for run in (*running, *self._found.values())}
        return self._taken(entry) if self._has_room(entry.order.threads, own) else None

    def begun(self, run: LearnerRun) -> None:
        """Take a run directory as it comes."""

    def ended(self, run: LearnerRun) -> None:
        """Note what became of a learner; one that was lost goes on, but not for ever."""
        run_id = run.label
        entry = self._entries.pop(run_id)
        end = _end_of(run, entry.turn.began)
        if end is None:
            why = run.reason if run.exit_code else "its process is gone"
            attempts = entry.turn.attempts
            again = attempts < MOST_ATTEMPTS
            end = (WAITING, f"lost: {why}") if again else ("failed", f"lost {attempts} times: {why}")
        self._clean_up(run)
        self._others.forget()
        self._untold[run_id] = end[0], one_line(end[1]).removeprefix("error: ") if end[1] else ""
        self._tell()

    def settle(self) -> None:
        """Note what was not, and look after the learners that an earlier runner started."""
        self._tell()
        for entry in self._queue.read().entries:
            known = entry.run_id in self._entries or entry.run_id in self._untold
            if entry.turn.state == AT_WORK and not known:
                self._adopt(entry)
        for run_id, run in [*self._found.items()]:
            if not _lives(run, self._entries[run_id].turn.began):
                del self._found[run_id]
                self.ended(run)

    def _tell(self) -> None:
        for run_id, end in [*self._untold.items()]:
            if self._try(partial(self._queue.note, run_id, *end)):
                del self._untold[run_id]

    def _has_room(self, threads: int, own: set[str]) -> bool:
        """Return whether the cores carry so many threads more; a learner for which there are too few runs alone."""
        busy = sum(self._threads_of(run_id) for run_id in own)
        if busy and busy + threads > cores():
            return False  # however many others there are
        busy += self._others.threads({self._queue.root / run_id for run_id in own})
        return not busy or busy + threads <= cores()

    def _taken(self, entry: Entry) -> LearnerRun | None:
        """Return the learner of an entry that waits, noted as at work; None where it is no more to be started."""
        taken: list[bool] = []
        if not self._try(lambda: taken.append(self._queue.take(entry.run_id))) or not taken[0]:
            return None
        now = next((now for now in self._queue.read().entries if now.run_id == entry.run_id), entry)
        self._entries[entry.run_id] = now
        run = self._learner(now)
        if run.is_taken():  # someone went on with it by hand
            self._found[entry.run_id] = run
            return None
        clear_unbegun(run.paths)
        return run

    def _adopt(self, entry: Entry) -> None:
        if entry.order is None or entry.run is None:
            self._untold[entry.run_id] = "failed", entry.hindrance
            return
        self._entries[entry.run_id] = entry
        self._found[entry.run_id] = self._learner(entry)

    def _learner(self, entry: Entry) -> LearnerRun:
        order = entry.order
        assert order is not None
        paths = RunPaths(self._queue.root / entry.run_id)
        batch = Batch(self._queue.root, order.name)
        with contextlib.suppress(OSError):  # the start of the learner tells
            batch.outputs.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = (f"--runs-root={paths.root.parent}", f"--run-id={paths.run_id}")
        return LearnerRun(
            entry.run_id,
            paths,
            command=(*LEARNER, *command_of(entry), *place),
            output=batch.output(paths.run_id),
            resume=(*LEARNER, f"--resume={paths.root}"),
            folder=Path(order.started_in) if order.started_in else None,
            lock=batch.outputs / f"{paths.run_id}.lock",
        )

    def _clean_up(self, run: LearnerRun) -> None:
        run.forget_output()
        with contextlib.suppress(OSError):
            if run.lock is not None:
                run.lock.unlink()
            run.output.parent.rmdir()

    def _threads_of(self, run_id: str) -> int:
        order = self._entries[run_id].order
        return order.threads if order is not None else 1

    def _try(self, act: Callable[[], object]) -> bool:
        """Change the queue if it can be changed now; say once why not."""
        try:
            act()
        except StorageError as error:
            if str(error) != self._said:
                self._said = str(error)
                say(one_line(self._said))
            return False
        self._said = ""
        return True


def run_queue(root: Path) -> int:
    """Run what waits under ``root`` until nothing is left; at once 0 where another runner does.

    Raises:
        StorageError: the queue cannot be written.
    """
    queue = Queue(root)
    lock = _lock(queue)
    if lock is None:
        return 0
    line = QueueLine(queue)
    pool = Pool(line)
    while queue.folder.is_dir():
        pool.reap()
        line.settle()
        pool.fill()
        if not pool.running and not queue.read().unfinished and queue.close(lock):
            break
        time.sleep(POLL_S)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the queue of the root that is named; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    with our_stdout():
        try:
            if len(given) != 1:
                raise ConfigError(f"expected a runs root and nothing else, got {len(given)} words")
            return run_queue(Path(given[0]))
        except MBPOError as error:
            return report(error)


def _lock(queue: Queue) -> int | None:
    until = time.monotonic() + LOCK_S
    while True:
        try:
            descriptor = take(queue.runner_lock)
        except OSError as error:
            raise StorageError(f"cannot run the queue in {queue.folder}: {error.strerror or error}") from None
        if descriptor is not None or time.monotonic() > until:
            return descriptor
        time.sleep(POLL_S / 5)


def _end_of(run: LearnerRun, began: float) -> tuple[str, str] | None:
    """Return the state in which a run has ended, and why; None where its learner was lost."""
    status, code = _status_of(run, began), run.exit_code
    if status is not None:
        return (status.state, status.reason) if status.state in ENDED else None
    if code == 0:
        return "finished", ""
    words = last_words(run.output)
    if code is None:
        return ("failed", words.removeprefix("error: ")) if words.startswith("error: ") else None
    if code in STOP_CODES:
        return "stopped", run.reason
    return None if code > 128 else ("failed", run.reason)


def _status_of(run: LearnerRun, began: float) -> RunStatus | None:
    """Return the status that the attempt which began then has left, if it has."""
    if run.exit_code is not None:
        return run.status
    status = read_status(run.paths)
    own = status is not None and (not status.local or status.create_time > began - EXACT_S)
    return status if own else None


def _lives(run: LearnerRun, began: float) -> bool:
    """Return whether a learner that is no child of this process is at work; what it left behind may keep its lock."""
    status = _status_of(run, began)
    if status is not None and status.local:
        return status.live
    return run.is_taken()


def _threads(path: Path) -> int:
    status = read_status(RunPaths(path))
    if status is None or status.state == "paused" or not (status.live and status.local):
        return 0
    try:
        return max(1, read_manifest(RunPaths(path).manifest).threads)
    except StorageError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
