"""Measure what the command of a study of 1,000 runs takes: ``python -m benchmarks.study_driver``.

First the command has them all before it, in this machine's queue and, where that is installed, on Ray, and follows the
few that are at work. Then one real run is copied to stand for all of them, which differ in k and seed, and the command
makes the table and the report, and the app lists them. Peak memory is the command's own, VmHWM.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import tomli_w

from mbpo.runs.queue import Queue
from mbpo.runs.reader import list_runs
from mbpo.studies.study import Study
from mbpo.studies.study_file import read_study
from workbench.watcher import Watcher

HERE = Path(__file__).resolve().parent.parent
STUDY = """
name = "large"
seeds = "0:{seeds}"
[base]
preset = "debug"
total_steps = 400
report = false
[axes]
rollout_length = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
"""
ENV = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
FOLLOWED_S = 30.0


def main() -> int:
    """Make the runs, measure, print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_driver", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="(default: 1000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        file = folder / "large.toml"
        file.write_text(STUDY.format(seeds=given.runs // 10))
        study = read_study(file)
        submitted(folder, len(study.runs), "local")
        if importlib.util.find_spec("ray") is not None:
            submitted(folder, len(study.runs), "ray")
        first = study.runs[0]
        learn = ["-m", "mbpo.train", *first.flags, f"--runs-root={folder}/real", "--run-id=one"]
        subprocess.run([sys.executable, *learn], env=ENV, check=True, stdout=subprocess.DEVNULL)
        copies(folder / "real" / "one", study, folder / "runs" / "large")
        finished(folder, len(study.runs))
        listed(folder / "runs", len(study.runs))
    return 0


def copies(run: Path, study: Study, folder: Path) -> None:
    """Let copies of a finished run stand for those of a study."""
    status = json.loads((run / "status.json").read_text())
    for each in study.runs:
        shutil.copytree(run, folder / each.run_id, ignore=shutil.ignore_patterns("checkpoints", ".lease-*"))
        (folder / each.run_id / "config.toml").write_text(tomli_w.dumps(each.config.to_dict()))
        (folder / each.run_id / "status.json").write_text(json.dumps({**status, "seed": each.config.seed}))


def started(folder: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start the study's command."""
    command = [sys.executable, "-m", "mbpo.study", "large.toml", "--on", engine]
    with (folder / "out.txt").open("wb") as out:
        return subprocess.Popen(command, cwd=folder, env=ENV, stdout=out, stderr=out)


def submitted(folder: Path, runs: int, engine: str) -> None:
    """Print what the driver takes while all but a few runs wait, then end all of it."""
    driver = started(folder, engine)
    while b"has them" not in (folder / "out.txt").read_bytes():
        assert driver.poll() is None, (folder / "out.txt").read_text()
        time.sleep(0.2)
    time.sleep(FOLLOWED_S)
    print(f"{runs} runs submitted, --on {engine}: {peak(driver.pid):.0f} MB, {share(driver.pid):.1f} % of a core")
    driver.send_signal(signal.SIGINT)
    driver.wait()
    queue = Queue(folder / "runs")
    if engine == "local":
        queue.cancel()
    while queue.has_runner:
        for _, status in list_runs(folder / "runs"):
            if status.live:
                os.kill(status.pid, signal.SIGTERM)
        time.sleep(0.5)
    shutil.rmtree(folder / "runs")


def finished(folder: Path, runs: int) -> None:
    """Print what table and report take."""
    began, highest = time.monotonic(), 0.0
    driver = started(folder, "local")
    while driver.poll() is None:
        highest = max(highest, peak(driver.pid))
        time.sleep(0.1)
    assert driver.returncode == 0, (folder / "out.txt").read_text()
    size = (folder / "runs" / "large" / "report.html").stat().st_size / 1e6
    seconds = time.monotonic() - began
    print(f"{runs} finished runs: table and report {highest:.0f} MB, {seconds:.1f} s; report.html {size:.1f} MB")


def listed(root: Path, runs: int) -> None:
    """Print what the app takes to list them: at first, and when nothing is new, the fastest of five."""
    watcher, seconds = Watcher(root, lambda message: None), list[float]()
    for _ in range(6):
        watcher._turn = 0  # of many runs not every look is a listing
        began = time.perf_counter()
        assert len(watcher.look().rows) == runs
        seconds.append(time.perf_counter() - began)
        while watcher.is_behind:  # settings come a piece at a time
            watcher.look()
    print(f"{runs} runs listed in the app: {seconds[0]:.2f} s at first, {min(seconds[1:]):.3f} s with nothing new")


def peak(pid: int) -> float:
    """Return the most memory that a process has had, MB; 0 where it has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1e3 if found else 0.0


def share(pid: int) -> float:
    """Return how much of a core a process took, over five seconds, %."""
    return float(psutil.Process(pid).cpu_percent(interval=5.0))


if __name__ == "__main__":
    sys.exit(main())
