"""Set the app beside W&B's terminal viewer: ``python -m benchmarks.beside_leet``.

``wandb leet`` and the app show the same 50 runs of 40 metrics and 1,000 rows, in turns, in terminals of 160 × 45: how
long until the screen is full, memory and CPU of all processes, what is written to the terminal, idle and while the run
in focus gets two rows a second, and how long a key takes. That the newest numbers are on screen is asserted. wandb is
installed into a folder of its own, and logs offline. pyte reads the screen: ``pip install --group watching``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Figure
from benchmarks.viewers import Leet, Ours, Viewer, key_times, measure
from benchmarks.watched_runs import HERE

WANDB = "0.31.0"
TIMES = 2.0  # theirs is compiled: ours may take twice
MEASURES = {
    "start_s": "s until the screen is full",
    "mb": "MB resident",
    "idle_cpu": "% of a core, idle",
    "idle_kb": "kB/s, idle",
    "cpu": "% of a core, one run grows",
    "kb": "kB/s, one run grows",
    "key_ms": "ms from key to screen",
    "key_ms_p99": "ms from key to screen, p99",
}


def main() -> int:
    """Measure both and print the table."""
    given = _options()
    print(f"{figures.machine()}; load {os.getloadavg()[0]:.2f}", flush=True)
    python = _with_wandb(given.cache / f"wandb-{given.wandb}", given.wandb)
    with tempfile.TemporaryDirectory() as folder:
        viewers: list[Viewer] = [Leet(Path(folder) / "leet", python), Ours(Path(folder) / "ours", Path(sys.executable))]
        for viewer in viewers:
            viewer.make()
        turns: dict[str, list[dict[str, float]]] = {viewer.name: [] for viewer in viewers}
        for repeat in range(given.repeats):
            for viewer in viewers:
                turns[viewer.name].append(measure(viewer, given.seconds) | key_times(viewer, given.keys))
                print(f"{repeat + 1}/{given.repeats} {viewer.name}: {turns[viewer.name][-1]}", flush=True)
    found = [_figure(key, turns) for key in MEASURES]
    print()
    figures.write(found)
    if given.csv:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
        figures.save(given.csv, found, {Leet.name: given.wandb, Ours.name: commit.stdout.strip()})
    return 0


def _figure(key: str, turns: dict[str, list[dict[str, float]]]) -> Figure:
    found = {name: [turn[key] for turn in of] for name, of in turns.items()}
    return Figure("50 runs × 40 metrics", MEASURES[key], found, TIMES * statistics.median(found[Leet.name]))


def _with_wandb(folder: Path, version: str) -> Path:
    """Return a Python that has wandb, which is installed where it is not there yet."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing wandb {version} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"wandb=={version}"]
        subprocess.run(pip, check=True)
        (folder / "ready").touch()
    return python


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside_leet", description=__doc__.splitlines()[0])
    cache = Path(tempfile.gettempdir()) / "mbpo-benchmarks"
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument("--seconds", type=float, default=6.0, help="measured in each state (default: 6)")
    parser.add_argument("--keys", type=int, default=30, help="pressed in each turn (default: 30)")
    parser.add_argument("--wandb", default=WANDB, metavar="VERSION", help=f"(default: {WANDB})")
    parser.add_argument("--cache", type=Path, default=cache, help=f"where wandb is installed (default: {cache})")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
