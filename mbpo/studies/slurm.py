"""Run a study on Slurm: one batch script with an array task for each run, written to be read, edited and submitted.

A plain script and no library: what is to be run is a command, not a Python function to be pickled, and where a cluster
wants other lines than ours they can be put in by hand.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from string import Template

from mbpo.errors import ConfigError, StorageError, one_line, refused
from mbpo.runs.layout import write_atomic
from mbpo.studies.engine import Place
from mbpo.studies.folder import slurm_folder, slurm_jobs
from mbpo.studies.study import StudyRun

SCRIPT = Template((Path(__file__).parent / "slurm_job.sh").read_text(encoding="utf-8"))
MOST_TASKS = 1000  # of an array: Slurm's MaxArraySize is 1001 where nobody set it
LOOK_S = 5.0  # between two questions to Slurm, which all users share


class Slurm:
    """Submit runs as tasks of job arrays, and a job behind them that compares."""

    outlives = True

    def __init__(self, place: Place) -> None:
        if shutil.which("sbatch") is None:
            raise ConfigError("--on slurm needs sbatch, which is not on this machine; run it on a login node")
        self._place = place
        self._folder = slurm_folder(place.folder)
        self._asked: float | None = None
        self._held: Collection[str] = ()

    def submit(self, runs: Sequence[StudyRun]) -> str:
        """Submit the runs that no job has.

        Raises:
            StorageError: Slurm refuses, or a script cannot be written.
        """
        held = self._ask()
        new = [run for run in runs if run.run_id not in held]
        jobs = [self._submit(new[begin : begin + MOST_TASKS]) for begin in range(0, len(new), MOST_TASKS)]
        if not jobs:
            return "Slurm has them: squeue --me shows them"
        self._submit_report(jobs)
        return f"job {', '.join(jobs)}: squeue --me shows it, scancel {' '.join(jobs)} ends it"

    def holding(self) -> Collection[str]:
        """Return the names of the runs whose tasks wait or are at work, as some seconds ago."""
        if self._asked is None or time.monotonic() > self._asked + LOOK_S:
            self._held = self._ask()
            self._asked = time.monotonic()
        return self._held

    def _ask(self) -> Collection[str]:
        named = slurm_jobs(self._place.folder)
        if not named:
            return ()
        listed = _slurm("squeue", "--me", "-h", "-r", "-o", "%F %K")
        tasks = [line.split() for line in listed.splitlines()]
        return {
            named[job][int(task)]
            for job, task in (pair for pair in tasks if len(pair) == 2)
            if job in named and task.isdecimal() and int(task) < len(named[job])
        }

    def close(self) -> None:
        """Leave the jobs as they are."""

    def _submit(self, runs: Sequence[StudyRun]) -> str:
        script = self._folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{runs[0].run_id}.sh"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(script, self._script(runs).encode())
            job = _slurm("sbatch", "--parsable", str(script)).partition(";")[0].strip()
            write_atomic(self._folder / f"{job}.runs", "\n".join(run.run_id for run in runs).encode())
        except StorageError:
            raise
        except OSError as error:
            raise refused(f"cannot write in {self._folder}", error) from None
        return job

    def _submit_report(self, jobs: Sequence[str]) -> None:
        """Let the comparison be written when all tasks have ended, however, also where nobody follows them."""
        folder = self._place.folder
        command = [sys.executable, "-m", "mbpo.report", str(folder), "-o", str(folder / "report.html")]
        flags = [f"--dependency=afterany:{':'.join(jobs)}", f"--job-name={self._place.study.name}-report"]
        _slurm(
            "sbatch", *flags, f"--output={self._folder}/report.txt", *self._options(), f"--wrap={shlex.join(command)}"
        )

    def _script(self, runs: Sequence[StudyRun]) -> str:
        lines = [*self._options(), f"--cpus-per-task={self._place.study.cores}"]
        return SCRIPT.substitute(
            name=self._place.study.name,
            last=len(runs) - 1,
            options="\n".join(f"#SBATCH {line}" for line in lines),
            output=self._folder,
            runs="\n".join(f"    {run.run_id}" for run in runs),
            here=shlex.quote(str(Path.cwd())),
            source=shlex.quote(str(Path(__file__).resolve().parents[2])),
            python=shlex.quote(sys.executable),
            folder=shlex.quote(str(self._place.folder)),
        )

    def _options(self) -> list[str]:
        return [
            f"--{name}" if value is True else f"--{name}={value}" for name, value in self._place.study.slurm.items()
        ]


def _slurm(*command: str) -> str:
    """Return what a command of Slurm's prints.

    Raises:
        StorageError: it refuses.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise refused(f"cannot run {command[0]}", error) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise StorageError(one_line(f"{command[0]}: {said}").removeprefix("error: "))
    return done.stdout
