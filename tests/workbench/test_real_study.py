"""The app beside a real study of two quick runs, by the queue of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from driving import Driver
from learners import wait_for
from quick_study import drive, write_study

from mbpo.runs.layout import RunPaths
from mbpo.runs.queue import Queue
from mbpo.runs.queue_process import start_if_needed
from mbpo.runs.status import RunStatus, read_status
from workbench.app import Workbench
from workbench.queueing import Queueing

NAMES = ("k3-s0", "k3-s1")
SIZE = (80, 24)


def study_of_two(folder: Path) -> Path:
    """Return the file of a study of two runs that last some seconds."""
    file = write_study(folder, steps=1200)
    file.write_text(file.read_text().replace("[1, 3]", "[3]"))
    return file


def found(folder: Path) -> list[RunStatus]:
    return [status for name in NAMES if (status := read_status(RunPaths(folder / name))) is not None]


def learning(folder: Path, name: str) -> RunStatus | None:
    status = read_status(RunPaths(folder / name))
    return status if status is not None and status.state == "running" and status.env_steps > 100 else None


async def test_a_study_is_followed_and_its_run_goes_on(tmp_path: Path) -> None:
    file, root = study_of_two(tmp_path), tmp_path / "runs"
    folder, queue = root / "quick", Queue(root)
    driver_process, runners = drive(file), list[subprocess.Popen[bytes]]()

    def start(queue: Queue) -> subprocess.Popen[bytes] | None:
        runner = start_if_needed(queue)
        runners.extend([runner] if runner is not None else [])
        return runner

    try:
        os.kill(wait_for(lambda: learning(folder, "k3-s0"), "the first run").pid, signal.SIGTERM)
        out, err = driver_process.communicate(timeout=120)
        assert driver_process.returncode and "k3-s0 cut off at" in err, out + err
        app = Workbench(root, queueing=Queueing(root, start))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.shows("1/2")
            app.select(folder / "k3-s0")
            await driver.until(lambda: app._bench.selection.row is not None)
            await driver.press("g")
            await driver.until(lambda: any("waits in the queue" in each.message for each in app._notifications))
            await driver.until(lambda: [status.state for status in found(folder)] == ["finished"] * 2)
            await driver.shows("2/2")
        assert [status.attempt for status in found(folder)] == [2, 1]
    finally:
        driver_process.kill()
        queue.cancel()
        wait_for(lambda: _all_ended(folder, queue), "the end of every learner and of the runner")
        for runner in runners:
            runner.wait(timeout=60)


def _all_ended(folder: Path, queue: Queue) -> bool:
    for status in found(folder):
        if status.live:
            os.kill(status.pid, signal.SIGTERM)
    return not queue.read().unfinished and not queue.has_runner
