"""Time a study on each engine beside ``mbpo.train --seeds`` for the same runs: ``python -m benchmarks.studies``.

As many learners work at once in each: the machine's cores. The clock runs from the first learner's start to the last
one's end, so that what an engine needs to start is left out, and what it needs for each run is not. In each turn every
way has its go, and their runs must be the same to the last digit. Ray and Slurm are passed over where they are not
installed; Slurm is begun here, on loopback, as in tests/cluster.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "tests" / "cluster"))

from slurm_here import SlurmHere, is_installed  # noqa: E402

from mbpo.runs.layout import RunPaths  # noqa: E402
from mbpo.runs.reader import list_runs  # noqa: E402
from mbpo.runs.rows import JsonLines, rows_in  # noqa: E402

CLOCKS = ("time", "system")
STUDY = """
name = "timed"
seeds = "0:{runs}"
[base]
preset = "debug"
total_steps = {steps}
report = false
[slurm]
nodelist = "here1"
"""


def main() -> int:
    """Time every way that is there, print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=12, help="of the study (default: 12)")
    parser.add_argument("--steps", type=int, default=400, help="env steps of a run (default: 400)")
    parser.add_argument("--turns", type=int, default=3, help="(default: 3)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "timed.toml").write_text(STUDY.format(runs=given.runs, steps=given.steps))
        env = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
        if not is_installed():
            show(measure(folder, given.runs, given.steps, given.turns, env), given.runs)
            return 0
        with SlurmHere(folder / "slurm") as slurm:
            env = {**slurm.env(), **{name: env[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS")}}
            show(measure(folder, given.runs, given.steps, given.turns, env, slurm=True), given.runs)
    return 0


def measure(
    folder: Path, runs: int, steps: int, turns: int, env: dict[str, str], slurm: bool = False
) -> dict[str, list[float]]:
    """Return the seconds of each turn by the way in which the runs were done."""
    study = ["mbpo.study", "timed.toml", "--on"]
    seeds = ["mbpo.train", "--preset", "debug", "--total-steps", str(steps), "--seeds", f"0:{runs}"]
    ways = {
        "--seeds": [*seeds, "--report", "false", "--threads", "1", "--jobs", str(len(os.sched_getaffinity(0)))],
        "local": [*study, "local"],
    }
    if importlib.util.find_spec("ray") is not None:
        ways["ray"] = [*study, "ray"]
    if slurm:
        ways["slurm"] = [*study, "slurm"]
    found: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns):
        same = None
        for way, command in ways.items():
            root = folder / f"{turn}{way}"
            done = subprocess.run(
                [sys.executable, "-m", *command, "--runs-root", str(root)],
                env=env,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            statuses = [status for _, status in list_runs(root)]
            found[way].append(max(each.heartbeat for each in statuses) - min(each.started for each in statuses))
            measured = sorted(map(_measured, (paths for paths, _ in list_runs(root))))
            assert len(measured) == runs and (same is None or measured == same), f"{way}: other runs"
            same = measured
    return found


def _measured(paths: RunPaths) -> str:
    rows = [{k: v for k, v in row.items() if not k.startswith(CLOCKS)} for row in rows_in(JsonLines(paths.metrics))]
    return json.dumps(rows)


def show(found: dict[str, list[float]], runs: int) -> None:
    """Print what each way took, and what it took more than ``--seeds`` for each run."""
    alone = statistics.median(found["--seeds"])
    print(f"{runs} runs; seconds from the first start to the last end, median (least to most), and more for each run")
    for way, seconds in found.items():
        middle = statistics.median(seconds)
        spread = f"({min(seconds):.1f} to {max(seconds):.1f})"
        print(f"  {way:8} {middle:6.1f}  {spread:18} {(middle - alone) / runs:+.2f} s")


if __name__ == "__main__":
    sys.exit(main())
