"""Write studies of a few quick runs, and look at what became of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from learners import environment, rows

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.studies.study_file import read_study

QUICK = """
name = "quick"
seeds = "0:2"
[base]
preset = "debug"
total_steps = {steps}
checkpoint_every = 50
eval_every = 100
report = false
[axes]
rollout_length = [1, 3]
"""
RUNS = ("k1-s0", "k3-s0", "k1-s1", "k3-s1")
CLOCKS = ("time/", "system/")


def write_study(folder: Path, steps: int = 200) -> Path:
    """Return the file of a study of four runs."""
    file = folder / "quick.toml"
    file.write_text(QUICK.format(steps=steps))
    return file


def of_no_environment(file: Path) -> str:
    """Let a study ask for runs that cannot begin; return what is said of the last of them."""
    file.write_text(file.read_text().replace("rollout_length = [1, 3]", 'env_id = ["Nowhere-v0"]'))
    return "Nowhere-v0-s1 missing: env_id must name a Gymnasium environment, got 'Nowhere-v0'"


@contextmanager
def in_the_foreground() -> Iterator[None]:
    """Start processes that Ctrl-C ends: where the tests run in the background, it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def drive(file: Path, *flags: str) -> subprocess.Popen[str]:
    """Start ``python -m mbpo.study`` in the folder of its file."""
    command = [sys.executable, "-m", "mbpo.study", file.name, *flags]
    pipe = subprocess.PIPE
    with in_the_foreground():
        return subprocess.Popen(command, cwd=file.parent, env=environment(), stdout=pipe, stderr=pipe, text=True)


def driven(file: Path, *flags: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of ``python -m mbpo.study``."""
    process = drive(file, *flags)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def statuses(folder: Path) -> dict[str, RunStatus | None]:
    """Return the status of every run of the quick study."""
    return {name: read_status(RunPaths(folder / name)) for name in RUNS}


def reached(folder: Path, run: str, env_steps: int) -> Callable[[], bool]:
    """Return what says whether a run has come so far."""
    return lambda: (status := statuses(folder)[run]) is not None and status.env_steps >= env_steps


def rows_are_whole(run: Path) -> bool:
    """Return whether each row stands in a run once, and none lacks."""
    seqs = [row["seq"] for row in rows(run / "metrics.jsonl")]
    return seqs == list(range(1, len(seqs) + 1))


def each_row_once(folder: Path) -> bool:
    """Return whether that is so in every run of the quick study."""
    return all(rows_are_whole(folder / name) for name in RUNS)


def measured(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return every run's metrics that count, without clocks."""
    found = {}
    for name in RUNS:
        kept = {row["seq"]: row for row in rows(folder / name / "metrics.jsonl")}
        found[name] = [{k: v for k, v in r.items() if k != "attempt" and not timed(k)} for r in kept.values()]
    return found


def timed(key: str) -> bool:
    """Return whether a key is of the machine and its clock."""
    return key == "time_s" or key.startswith(CLOCKS)


def one_by_one(file: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the metrics of the runs, done one after the other by the learner's own command line."""
    for run in read_study(file).runs:
        command = [sys.executable, "-m", "mbpo.train", *run.flags, f"--runs-root={folder}", f"--run-id={run.run_id}"]
        subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return measured(folder)
