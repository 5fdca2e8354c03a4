"""Measure what the app costs while runs grow: ``python -m benchmarks.watching [MARKED] [ROWS]``.

Eight runs of ROWS rows each get one more, 5 times a second, from a process of its own; MARKED of
them are compared in the charts. Prints the share of a core that the app takes and how late its
event loop is.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS, SECONDS, SETTLE_S = 8, 15.0, 6.0
STATUS = {"state": "running", "host": "elsewhere", "total_steps": 10**6, "env_id": "Hopper-v5"}


def row(index: int, run: int, rows: int) -> str:
    """Return a row with every metric that is drawn, the worst case."""
    share, wave = index / rows, math.sin(index * 1.7)
    metrics = {
        "episode/return": 3000 * share + 100 * wave,
        "eval/return_mean": 3000 * share + 20 * run,
        "eval/return_std": 50.0,
        "bound/eps_m": 0.2 - 0.1 * share,
        "bound/eps_pi": 0.15,
        "bound/eps_m_new": 0.22 - 0.1 * share + 0.01 * wave,
        "bound/rho": 0.9 - 0.1 * run,
        "bound/k_star": 20.0,
        "model/holdout_mse": 0.02,
        "model/new_data_mse": 0.03 + 0.01 * wave,
        "rollout/length": 1.0 + run,
        "rollout/length_measured": 1.0 + run,
        "rollout/rows": 1e5,
        "mix/real_ratio": 0.05,
        "mix/real_ratio_measured": 0.05 + 0.01 * wave,
    }
    return json.dumps({"seq": index, "attempt": 1, "env_steps": 10 * index, **metrics}) + "\n"


def make(root: Path, rows: int) -> None:
    """Write the runs."""
    for run in range(RUNS):
        path = root / f"run-{run}"
        path.mkdir()
        status = {**STATUS, "seed": run, "heartbeat": time.time(), "env_steps": 10 * rows}
        (path / "status.json").write_text(json.dumps(status))
        (path / "config.toml").write_text(f"seed = {run}\nrollout_length = {run + 1}\n")
        (path / "metrics.jsonl").write_text("".join(row(n, run, rows) for n in range(rows)))


def grow(root: Path, rows: int) -> None:
    """Append a row to each run, 5 times a second, until killed."""
    for index in range(rows, 10 * rows):
        for run in range(RUNS):
            with (root / f"run-{run}" / "metrics.jsonl").open("a") as file:
                file.write(row(index, run, rows))
        time.sleep(0.2)


async def lateness(seconds: float) -> list[float]:
    """Return by how much each short sleep of the event loop was too long, in ms, in order."""
    late, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        await asyncio.sleep(0.01)
        late.append(1000 * (time.perf_counter() - start - 0.01))
    return sorted(late)


async def watch(root: Path, marked: int, rows: int) -> dict[str, float]:
    """Return what the app took."""
    from workbench.app import Workbench

    app = Workbench(root)
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause(1.0)
        for run in range(marked):
            app.select(root / f"run-{run}")
            await pilot.press("c")
        app.select(root / "run-0")
        await lateness(SETTLE_S)
        writer = subprocess.Popen([sys.executable, __file__, "grow", str(root), str(rows)])
        await asyncio.sleep(1.0)
        cpu, wall = time.process_time(), time.perf_counter()
        late = await lateness(SECONDS)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        writer.kill()
        writer.wait()
    return {
        "marked": len(app.compared),
        "rows": rows,
        "share_of_a_core": round(share, 3),
        "late_ms_p50": round(late[len(late) // 2], 1),
        "late_ms_p99": round(late[int(len(late) * 0.99)], 1),
    }


def main(marked: int = RUNS, rows: int = 10_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        root.mkdir()
        os.environ["XDG_STATE_HOME"] = folder  # whatever was in focus before stays remembered
        make(root, rows)
        print(json.dumps(asyncio.run(watch(root, marked, rows))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["grow"]:
        grow(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
