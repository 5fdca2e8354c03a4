"""Run several learners, some at once, and hand signals on to them.

A command with --seeds is attended: its order lives in memory, for it ends with the command, and what still waits is
not started. What is ordered in the app waits on disk, in :mod:`mbpo.runs.queue`. One pool starts both.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

from mbpo.errors import StorageError
from mbpo.lifecycle.command_line import Launch
from mbpo.lifecycle.left_beside import LeaveComparison, nothing_compared, what_is_left
from mbpo.lifecycle.signals import handled
from mbpo.runs.layout import RunPaths
from mbpo.runs.queue import Queue
from mbpo.runs.queue_process import start_if_needed
from mbpo.seeds.display import PoolConsole
from mbpo.seeds.learner_run import LearnerRun
from mbpo.seeds.plan import Plan, make_plan
from mbpo.seeds.summary import print_summary
from mbpo.settings.cautions import cautions
from mbpo.settings.grid import Point
from mbpo.settings.stdout import our_stdout, say

POLL_S = 0.1
LAST_WORDS_S = 1.0  # between a second SIGINT and SIGKILL


def run_seeds(launch: Launch, leave: LeaveComparison = nothing_compared) -> int:
    """Run one learner per seed, and per value of a grid, and return the exit code of them all.

    At their end ``leave`` compares them in a page, if the settings ask for reports and nobody stops them.

    0: every run finished, or stopped on request. 128 and the number of the signal that ended
    this process's learners early. Else the code of the first run, in their order, that failed.

    Raises:
        StorageError: the runs root cannot be written.
    """
    plan = make_plan(launch)
    go_on_with_queue(launch.runs_root)
    runs = [_learner(plan, point) for point in plan.grid.points]
    with our_stdout(of_learner=True):
        for caution in cautions(plan.config):
            say(f"warning: {caution}")
        with PoolConsole(plan.heading, launch.preset_line) as console:
            received = AttendedPool(runs, plan.jobs, console).run()
        print_summary(console, plan, runs)
        console.failures(runs, told_to_stop=bool(received))
        if plan.config.report and not received:
            page = launch.runs_root / f"{plan.batch.name}.html"
            begun = [run.paths for run in runs if run.status is not None]
            for line in what_is_left(lambda: leave(begun, page)):
                console.say(line)
    for run in runs:
        run.forget_output()
    plan.batch.release()
    if received and not all(run.finished for run in runs):
        return 128 + received[0]
    return next((run.exit_code for run in runs if run.exit_code), 0)


def go_on_with_queue(runs_root: Path) -> None:
    """See to it that what was ordered in the app under the same root is started; these runs do not wait for it."""
    try:
        start_if_needed(Queue(runs_root))
    except StorageError as error:
        say(f"warning: {error}")


class Line(Protocol):
    """Be where a pool has its learners from: an order that is kept in memory, or the queue on disk."""

    def next(self, running: Sequence[LearnerRun]) -> LearnerRun | None:
        """Return the learner to start now beside those running; None where there is none, or no room."""

    def begun(self, run: LearnerRun) -> None:
        """Hear that a learner has a run directory."""

    def ended(self, run: LearnerRun) -> None:
        """Hear that a learner has ended, or that there was nothing to start."""


class Pool:
    """Start what a line hands out, and follow it to its end."""

    def __init__(self, line: Line) -> None:
        self.running: list[LearnerRun] = []
        self._line = line

    def fill(self) -> None:
        """Start learners until the line has none to start now."""
        while (run := self._line.next(self.running)) is not None:
            run.start()
            if run.alive:
                self.running.append(run)
            else:
                self._line.ended(run)

    def reap(self) -> None:
        """Take in what became of those running."""
        for run in self.running:
            unknown = run.status is None
            run.refresh()
            if unknown and run.status is not None:
                self._line.begun(run)
            if not run.alive:
                self._line.ended(run)
        self.running = [run for run in self.running if run.alive]


class InTurn:
    """Hand out learners one after the other, ``jobs`` at once."""

    def __init__(self, runs: Sequence[LearnerRun], jobs: int, console: PoolConsole) -> None:
        self.waiting = list(runs)
        self._jobs = jobs
        self.begun = console.begun
        self.ended = console.ended

    def next(self, running: Sequence[LearnerRun]) -> LearnerRun | None:
        """Return the next, but for those at work already: of each that is waited for what it comes to."""
        free = (run for run in self.waiting if not run.is_taken())
        run = next(free, None) if len(running) < self._jobs else None
        if run is not None:
            self.waiting.remove(run)
        return run


class AttendedPool:
    """Keep ``jobs`` learners running until none is left, or a signal says stop: all that a person waits for."""

    def __init__(self, runs: Sequence[LearnerRun], jobs: int, console: PoolConsole) -> None:
        self._line = InTurn(runs, jobs, console)
        self._pool = Pool(self._line)
        self._runs = runs
        self._console = console
        self._received: list[signal.Signals] = []
        self._stopping = False
        self._kill_at: float | None = None

    def run(self) -> list[signal.Signals]:
        """Return the signals received when the last learner has ended.

        The first signal is handed on to every learner: each stops at its next env step, networks
        saved, and none is started any more. A second SIGINT ends them at once.
        """
        with self._signals():
            while True:
                self._obey()
                self._pool.reap()
                if not self._stopping:
                    self._pool.fill()
                if not self._pool.running and (self._stopping or not self._line.waiting):
                    return self._received
                self._console.progress(self._runs)
                time.sleep(POLL_S)

    def _obey(self) -> None:
        if self._received and not self._stopping:
            self._stopping = True
            self._console.stopping(len(self._pool.running), self._received[0])
            self._send(self._received[0])
        if self._received.count(signal.SIGINT) > 1 and self._kill_at is None:
            self._kill_at = time.monotonic() + LAST_WORDS_S
            self._send(signal.SIGINT)  # a learner that can, still writes how it ended
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for run in self._pool.running:
            run.send(number)

    def _signals(self) -> contextlib.AbstractContextManager[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self._received.append(signal.Signals(number))

        return handled(note)


def _learner(plan: Plan, point: Point) -> LearnerRun:
    paths = RunPaths(plan.batch.runs_root / plan.run_id(point))
    return LearnerRun(point.label, paths, plan.command(point), plan.batch.output(point.end))
