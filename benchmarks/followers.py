"""Time a learner with followers beside the same learner alone: ``python -m benchmarks.followers``.

One learner of constant work (SAC on real rows) runs from beginning to end. Three followers, one for each tracker, are
started on it once, and let run and stopped by turns; how they catch up after a stop counts against them. The table
shows the learner's env steps per second of each turn, by its own rows, the medians, and what the followers took.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import JsonLines, rows_in

HERE = Path(__file__).resolve().parent.parent
TRACKERS = ("tensorboard", "wandb", "trackio")
PACE = ("--log-every", "10", "--eval-every", "1000000", "--total-steps", "1000000")
SETTLE_S = 10.0  # for followers to start, beside the warm-up


def main() -> int:
    """Let the followers run and stop by turns, print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.followers", description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="pendulum", help="(default: pendulum)")
    parser.add_argument("--turns", type=int, default=8, help="of each kind (default: 8)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a turn (default: 15)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        learner = ["mbpo.train", "--preset", given.preset, "--algo", "sac", "--threads", "1", *PACE]
        ends.enter_context(at_work(*learner, "--runs-root", folder, "--run-id", "r"))
        paths = RunPaths(Path(folder) / "r")
        while _last(paths)[0] < 400:
            time.sleep(0.5)
        flags = [("--to", name, "--into", f"{folder}/{name}", "--live") for name in TRACKERS]
        followers = [ends.enter_context(at_work("mbpo.follow", str(paths.root), *flag)) for flag in flags]
        time.sleep(SETTLE_S)
        show(*measure(paths, followers, given.turns, given.seconds))
    return 0


def measure(
    paths: RunPaths, followers: list[subprocess.Popen[bytes]], turns: int, seconds: float
) -> tuple[list[float], list[float], float]:
    """Return the speeds with followers and alone, and the share of a processor that the followers took."""
    speeds: dict[bool, list[float]] = {True: [], False: []}
    took = 0.0
    for turn in range(turns):
        for on in (True, False) if turn % 2 else (False, True):
            for follower in followers:
                for process in _family(follower.pid):
                    process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)
            before, used = _last(paths), _used(followers)
            time.sleep(seconds)
            after = _last(paths)
            took += (_used(followers) - used) if on else 0.0
            speeds[on].append((after[0] - before[0]) / (after[1] - before[1]))
    for follower in followers:
        for process in _family(follower.pid):
            process.send_signal(signal.SIGCONT)
    return speeds[True], speeds[False], took / (turns * seconds)


def show(beside: list[float], alone: list[float], share: float) -> None:
    """Print the table."""
    ratio = statistics.median(beside) / statistics.median(alone)
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    print(f"env steps per second of a learner on one thread; load {load} on {os.cpu_count()} cores\n")
    print("| | median | each turn |\n|---|---|---|")
    for name, speeds in (("alone", alone), ("with three followers", beside)):
        print(f"| {name} | {statistics.median(speeds):.2f} | {' '.join(f'{speed:.2f}' for speed in speeds)} |")
    print(f"\nratio {ratio:.3f}; the followers took {share:.1%} of one processor")


@contextlib.contextmanager
def at_work(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module beside this one, to be ended with all its children."""
    env = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen([sys.executable, "-m", *arguments], env=env, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        for one in _family(process.pid):
            with contextlib.suppress(psutil.Error):
                one.kill()
        process.wait()


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _used(followers: list[subprocess.Popen[bytes]]) -> float:
    times = [process.cpu_times() for follower in followers for process in _family(follower.pid)]
    return sum(found.user + found.system for found in times)


def _last(paths: RunPaths) -> tuple[int, float]:
    """Return env steps and seconds of the newest row."""
    last = (0, 0.0)
    for row in rows_in(JsonLines(paths.metrics)):
        last = row["env_steps"], row["time_s"]
    return last


if __name__ == "__main__":
    sys.exit(main())
