"""Run the forks of a what-if, as many at once as the cores carry."""

from __future__ import annotations

from collections.abc import Sequence
from signal import Signals
from typing import IO

from mbpo.errors import MBPOError
from mbpo.seeds.display import Heading, PoolConsole, counted
from mbpo.seeds.forks import Forks
from mbpo.seeds.learner_run import LearnerRun
from mbpo.seeds.pool import AttendedPool
from mbpo.seeds.question import Question
from mbpo.settings.setting import shown
from mbpo.settings.threads import share_cores


class TrunkError(MBPOError):
    """Report that a run cannot be forked at an env step, in the words and with the exit code of its learner."""

    def __init__(self, run: LearnerRun) -> None:
        super().__init__(run.reason)
        self.exit_code = run.exit_code or 1


def run_forks(question: Question, forks: Forks, jobs: int | None, file: IO[str]) -> list[Signals]:
    """Run what is not there yet, go on with what was cut off, and return the signals received.

    Progress goes to ``file``; why a fork failed to stderr, a line each.

    Raises:
        RunInUseError: another what-if is at work on the same run and env step.
        StorageError: the folder cannot be written.
        TrunkError: the run cannot be forked there.
    """
    with forks.claimed():
        forks.announce()
        if forks.trunk is not None:
            received = _run([forks.trunk], _history(question), 1, file)
            if received:
                return received
            if forks.trunk.exit_code:
                forks.withdraw()
                raise TrunkError(forks.trunk)
        runs = [fork.run for fork in forks.all]
        _, at_once = share_cores(question.threads_each, len(runs), jobs)
        return _run(runs, _heading(question, at_once), at_once, file)


def _run(runs: Sequence[LearnerRun], heading: Heading, jobs: int, file: IO[str]) -> list[Signals]:
    with PoolConsole(heading, file=file) as console:
        received = AttendedPool(runs, jobs, console).run()
    if heading.noun == "fork":
        console.failures(runs, told_to_stop=bool(received))
    for run in runs:
        run.forget_output()
    return received


def _history(question: Question) -> Heading:
    title = f"the history of {shown(question.run.run_id)} up to env step {question.step:,}, once for all forks"
    return Heading(title, "history", 0, question.step + 1, directories=False)


def _heading(question: Question, jobs: int) -> Heading:
    threads = counted(question.threads_each, "thread")
    where = f"{shown(question.run.run_id)}@{question.step}"
    title = f"{where}: {question.config.env_id}, {jobs} at once, {threads} each"
    return Heading(title, "fork", question.step, question.end, directories=False)
