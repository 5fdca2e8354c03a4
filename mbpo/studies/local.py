"""Run a study on this machine, by the queue that the app has too: what is ordered goes on whoever looks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from mbpo.runs.batch import claimed
from mbpo.runs.queue import AGAIN, Queue
from mbpo.runs.queue_process import start_if_needed
from mbpo.runs.records.order import AT_WORK, WAITING, Order, OrderedRun
from mbpo.studies.engine import Place
from mbpo.studies.study import StudyRun

PATIENCE_S = 5.0
MOST_EACH = 1000  # runs of an order


class LocalQueue:
    """Order runs in the queue of the runs root."""

    outlives = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._queue = Queue(place.root)
        self._runner: subprocess.Popen[bytes] | None = None

    def submit(self, runs: Sequence[StudyRun]) -> str:
        """Order the runs that the queue does not have, and see to it that they are started.

        Raises:
            StorageError: the queue cannot be written, or nothing can be started.
        """
        self.order(runs)
        self._see_to_it()
        return f"the queue of {self._place.root} has them; Q in mbpo-workbench shows it"

    def order(self, runs: Sequence[StudyRun]) -> None:
        """Order the runs that the queue does not have.

        Raises:
            StorageError: the queue cannot be written.
        """
        known = {entry.run_id: entry.turn.state for entry in self._queue.read().entries}
        new = [run for run in runs if known.get(self._name(run)) not in (WAITING, AT_WORK)]
        for run in new:
            if known.get(self._name(run)) in AGAIN:
                self._queue.again(self._name(run))
        unknown = [run for run in new if known.get(self._name(run)) not in AGAIN]
        if deleted := [name for name in map(self._name, unknown) if name in known]:  # finished once, says the queue
            self._queue.forget(deleted)
        self._add(unknown)

    def holding(self) -> Collection[str]:
        """Return the names of the runs that wait or are at work."""
        self._see_to_it()
        prefix = f"{self._place.study.name}/"
        entries = [entry for entry in self._queue.read().entries if entry.run_id.startswith(prefix)]
        return {e.run_id.removeprefix(prefix) for e in entries if e.startable or e.turn.state == AT_WORK}

    def close(self) -> None:
        """Leave the queue as it is; a runner that has nothing left to do ends by itself."""
        if self._runner is not None and not self._queue.read().unfinished:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._runner.wait(PATIENCE_S)

    def _see_to_it(self) -> None:
        """Start a runner where runs wait and there is none."""
        if self._runner is None or self._runner.poll() is not None:
            self._runner = start_if_needed(self._queue)

    def _name(self, run: StudyRun) -> str:
        return f"{self._place.study.name}/{run.run_id}"

    def _add(self, runs: Sequence[StudyRun]) -> None:
        """Put orders into the queue."""
        for begin in range(0, len(runs), MOST_EACH):
            mine = runs[begin : begin + MOST_EACH]
            batch = claimed(self._place.root, self._place.study.name, (run.run_id for run in mine))
            first = mine[0].config
            ordered = [OrderedRun(run_id=self._name(run), label=run.run_id, flags=run.flags) for run in mine]
            order = Order(
                name=batch.name,
                issued_at=time.time(),
                env_id=first.env_id,
                total_steps=first.total_steps,
                threads=self._place.study.cores,
                started_in=_here(),
                runs=ordered,
            )
            self._queue.add(order)


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return os.sep
