"""Run several learners, some at once, and hand signals on to them."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from types import FrameType

from mbpo.lifecycle.command_line import Launch
from mbpo.lifecycle.signals import handled
from mbpo.runs.layout import RunPaths
from mbpo.seeds.display import PoolConsole
from mbpo.seeds.learner_run import LearnerRun
from mbpo.seeds.plan import Plan, make_plan
from mbpo.seeds.summary import print_summary
from mbpo.settings.cautions import cautions
from mbpo.settings.stdout import our_stdout, say

POLL_S = 0.1
LAST_WORDS_S = 1.0  # between a second SIGINT and SIGKILL


def run_seeds(launch: Launch) -> int:
    """Run one learner per seed and return the exit code of them all.

    0: every seed finished, or stopped on request. 128 and the number of the signal that ended
    this process's learners early. Else the code of the first seed, in their order, that failed.

    Raises:
        StorageError: the runs root cannot be written.
    """
    plan = make_plan(launch)
    runs = [_learner(plan, seed) for seed in plan.seeds]
    with our_stdout(of_learner=True):
        for caution in cautions(plan.config):
            say(f"warning: {caution}")
        with PoolConsole(plan.heading, launch.preset_line) as console:
            received = Pool(runs, plan.jobs, console).run()
        print_summary(console, plan, runs)
        console.failures(runs, told_to_stop=bool(received))
    for run in runs:
        run.forget_output()
    plan.release()
    if received and not all(run.finished for run in runs):
        return 128 + received[0]
    return next((run.exit_code for run in runs if run.exit_code), 0)


class Pool:
    """Keep ``jobs`` learners running until none is left, or a signal says stop."""

    def __init__(self, runs: Sequence[LearnerRun], jobs: int, console: PoolConsole) -> None:
        self._waiting = list(runs)
        self._running: list[LearnerRun] = []
        self._runs = runs
        self._jobs = jobs
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
                self._reap()
                if not self._stopping:
                    self._fill()
                if not self._running and (self._stopping or not self._waiting):
                    return self._received
                self._console.progress(self._runs)
                time.sleep(POLL_S)

    def _fill(self) -> None:
        """Start learners, but for those at work already: of each that is waited for what it comes to."""
        for run in [*self._waiting]:
            if len(self._running) >= self._jobs:
                return
            if run.is_taken():
                continue
            self._waiting.remove(run)
            run.start()
            if run.alive:
                self._running.append(run)
            else:
                self._console.ended(run)

    def _reap(self) -> None:
        for run in self._running:
            unknown = run.status is None
            run.refresh()
            if unknown and run.status is not None:
                self._console.begun(run)
            if not run.alive:
                self._console.ended(run)
        self._running = [run for run in self._running if run.alive]

    def _obey(self) -> None:
        if self._received and not self._stopping:
            self._stopping = True
            self._console.stopping(len(self._running), self._received[0])
            self._send(self._received[0])
        if self._received.count(signal.SIGINT) > 1 and self._kill_at is None:
            self._kill_at = time.monotonic() + LAST_WORDS_S
            self._send(signal.SIGINT)  # a learner that can, still writes how it ended
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for run in self._running:
            run.send(number)

    def _signals(self) -> contextlib.AbstractContextManager[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self._received.append(signal.Signals(number))

        return handled(note)


def _learner(plan: Plan, seed: int) -> LearnerRun:
    paths = RunPaths(plan.runs_root / plan.run_id(seed))
    return LearnerRun(str(seed), paths, plan.command(seed), plan.outputs / f"s{seed}.txt")
