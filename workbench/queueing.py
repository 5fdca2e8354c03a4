"""Put orders of many runs into the queue on disk, and see to it that a runner starts what waits."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mbpo.errors import EnvironmentFault, StorageError
from mbpo.runs.batch import claimed
from mbpo.runs.queue import Queue
from mbpo.runs.queue_files import Entry
from mbpo.runs.queue_process import log_of, start_if_needed
from mbpo.runs.reader import last_words
from mbpo.runs.records.order import Order, OrderedRun
from mbpo.settings.config import resolve
from mbpo.settings.grid import Grid
from mbpo.settings.language import tr
from mbpo.settings.packages import lacking
from mbpo.settings.setting import Value
from mbpo.settings.threads import share_cores
from mbpo.studies.engine import Place
from mbpo.studies.local import LocalQueue
from mbpo.studies.study import StudyRun
from workbench.launcher import flags, setting_flags

MOST_STARTS = 3  # of a runner that fails again and again

Runner = subprocess.Popen[bytes]


def at_once(overrides: Mapping[str, Value], grid: Grid, preset: str) -> int:
    """Return how many of the runs the cores carry at once."""
    threads = resolve({**overrides, **grid.points[0].changes}, preset).threads
    return share_cores(threads, grid.size)[1]


class Queueing:
    """Order runs under one root; what is ordered goes on whatever happens to this app."""

    def __init__(self, root: Path, start: Callable[[Queue], Runner | None] = start_if_needed) -> None:
        self.root = root.absolute()
        self.queue = Queue(self.root)
        self._start = start
        self._runner: Runner | None = None
        self._failures = 0
        self._told: set[str] | None = None  # runs whose failure is known; None: nobody looked yet

    def order(self, preset: str, overrides: Mapping[str, Value], grid: Grid) -> Order:
        """Queue a run for each point of the grid, and start a runner where there is none.

        Raises:
            ConfigError: settings cannot be used.
            EnvironmentFault: the environment needs a package that is not installed.
            StorageError: the runs root cannot be written, or there is no Python to start.
        """
        grid.check(overrides, preset)
        config = resolve({**overrides, **grid.points[0].changes}, preset)
        if lack := lacking(config.env_id):
            raise EnvironmentFault(lack)
        threads, _ = share_cores(config.threads, grid.size)
        batch = claimed(self.root, preset, (point.end for point in grid.points))
        shared = {name: value for name, value in overrides.items() if name not in ("seed", *grid.values)}
        order = Order(
            name=batch.name,
            issued_at=time.time(),
            env_id=config.env_id,
            total_steps=config.total_steps,
            threads=threads,
            flags=flags(preset, {**shared, "threads": threads}),
            started_in=_here(),
            runs=[
                OrderedRun(run_id=batch.run_id(p.end), label=p.label, flags=setting_flags(p.changes))
                for p in grid.points
            ],
        )
        try:
            self.queue.add(order)
        except StorageError:
            batch.release()
            raise
        self._failures = 0
        self.go_on()
        return order

    def go_on(self) -> int:
        """Start a runner where runs wait and none lives; return for how many that was done.

        Raises:
            StorageError: it cannot be started, or it failed again and again: its last words.
        """
        if self._runner is not None and self._runner.poll() is None:
            return 0
        if self._runner is not None and self._runner.returncode:
            self._failures += 1
            self._runner = None
            if self._failures == MOST_STARTS:
                words = last_words(log_of(self.queue)).removeprefix("error: ")
                raise StorageError(tr("the queue stands still: {words}", words=words))
        if self._failures >= MOST_STARTS:
            return 0
        self._runner = self._start(self.queue)
        return 0 if self._runner is None else sum(entry.startable for entry in self.queue.read().entries)

    def go_on_in_study(self, place: Place, runs: Sequence[StudyRun]) -> None:
        """Queue runs of a study that the queue does not have, and start a runner where there is none.

        Raises:
            StorageError: the queue cannot be written, or there is no Python to start.
        """
        LocalQueue(place).order(runs)
        if place.root == self.root:
            self.go_on()
        else:
            self._start(Queue(place.root))

    def failed(self) -> list[Entry]:
        """Return the runs that failed since the last call."""
        entries = [entry for entry in self.queue.read().entries if entry.turn.state == "failed"]
        told, self._told = self._told, {entry.run_id for entry in entries}
        return [] if told is None else [entry for entry in entries if entry.run_id not in told]


def _here() -> str:
    """Return the current folder, where modules are looked for; none that cannot be written down."""
    with contextlib.suppress(OSError, UnicodeEncodeError):
        here = str(Path.cwd())
        here.encode()
        return here
    return os.sep
