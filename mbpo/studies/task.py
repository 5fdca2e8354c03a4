"""Be one run of a study on whatever machine: ``python -m mbpo.studies.task STUDY_FOLDER RUN_ID``.

Begins the run, or goes on with it where another machine left off; does nothing where it has ended for good. Every
engine starts this and nothing else. It turns into the learner: the process, its signals and its exit code are the
learner's.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mbpo.errors import ConfigError, MBPOError, RunInUseError, report
from mbpo.runs.layout import RunPaths
from mbpo.runs.lease import check_free
from mbpo.runs.status import RunStatus, read_status
from mbpo.seeds.learner_run import FOR_GOOD, clear_unbegun
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.studies.folder import read_kept
from mbpo.studies.study import StudyRun

PATIENCE_S = 900.0  # in which the learner before, that was told to end, has saved and ended
POLL_S = 1.0


def command_of(folder: Path, run: StudyRun) -> list[str] | None:
    """Return the learner's command: from the start, or on from where it is; None where nothing is left to do.

    Raises:
        RunInUseError: another learner has been at work in the run for too long.
    """
    paths = RunPaths(folder / run.run_id)
    status = _free(paths)
    if status is not None and status.state in FOR_GOOD:
        return None
    clear_unbegun(paths)
    if paths.root.exists():
        return ["--resume", str(paths.root)]
    return [*run.flags, f"--runs-root={folder}", f"--run-id={run.run_id}"]


def _free(paths: RunPaths) -> RunStatus | None:
    """Wait until no other learner is at work in the run; return what it has come to.

    Raises:
        RunInUseError: it is not free in time.
    """
    until, told = time.monotonic() + PATIENCE_S, ""
    while True:
        status = read_status(paths)
        try:
            check_free(paths, status)
            return status
        except RunInUseError as error:
            if time.monotonic() > until:
                raise
            if str(error) != told:
                told = str(error)
                say(f"{paths.run_id}: waiting, at most {PATIENCE_S / 60:.0f} min, for the learner at work in it to end")
        time.sleep(POLL_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Turn into the learner of the run that is named; return an exit code only where there is nothing to do."""
    try:
        with our_stdout():
            given = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
            folder = Path(given.folder).absolute()
            command = command_of(folder, _run_named(folder, given.run))
            if command is None:
                say(f"{given.run} has ended for good: nothing is left to do")
                return 0
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130
    return os.execv(sys.executable, [sys.executable, "-m", "mbpo.train", *command])


def _parser() -> OneLineParser:
    assert __doc__ is not None
    parser = OneLineParser(prog="python -m mbpo.studies.task", allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="STUDY_FOLDER", help="where python -m mbpo.study keeps its runs")
    parser.add_argument("run", metavar="RUN_ID", help="name of a run of the study")
    return parser


def _run_named(folder: Path, name: str) -> StudyRun:
    found = next((run for run in read_kept(folder).runs if run.run_id == name), None)
    if found is None:
        raise ConfigError(f"the study in {folder} has no run {name!r}; python -m mbpo.study FILE lists them")
    return found


if __name__ == "__main__":
    sys.exit(main())
