"""Measure what the app costs, beside that of an earlier commit: ``python -m benchmarks.watching [--before REV]``.

Both run in a real terminal, a process each, in turns, on the same runs. The table shows CPU in % of a core, what is
written to the terminal, and how long a person waits; that the screen shows the newest numbers is asserted each time.
It reads the screen with pyte: ``pip install --group watching``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Figure
from benchmarks.watched_runs import HERE, as_installed
from benchmarks.watching_parts import PARTS, Figures, measure

MEASURES = {
    "cpu": "% of a core",
    "kb_per_s": "kB/s",
    "late_ms": "ms the loop is late",
    "late_ms_p99": "ms the loop is late, p99",
    "start_s": "s to the first table",
    "key_ms": "ms from key to screen",
    "key_ms_p99": "ms from key to screen, p99",
}
AIMS = {
    ("idle", "cpu"): 1.0,
    ("idle", "kb_per_s"): 1.0,
    ("learning", "cpu"): 5.0,
    ("learning", "kb_per_s"): 15.0,
    ("compared", "cpu"): 15.0,
    ("points", "cpu"): 20.0,
    ("points", "late_ms_p99"): 40.0,
    ("many", "start_s"): 1.0,
    ("many", "key_ms_p99"): 100.0,
}
HERE_NAME = "here"


def main() -> int:
    """Measure, print, and write the file if asked."""
    given = _options()
    print(f"{figures.machine()}; load {os.getloadavg()[0]:.2f}", flush=True)
    with worktree(given.before) as before:
        trees = {given.before: before, HERE_NAME: HERE}
        for tree in trees.values():
            as_installed(tree)
        found = [figure for name in given.only for figure in side_by_side(name, trees, given.repeats, given.seconds)]
    print()
    figures.write(found)
    if given.csv:
        versions = {given.before: _commit(given.before), HERE_NAME: _commit("HEAD") + _changed()}
        figures.save(given.csv, found, versions)
    return 0


def side_by_side(name: str, trees: dict[str, Path], repeats: int, seconds: float) -> list[Figure]:
    """Let the trees take turns in one situation."""
    turns: dict[str, list[Figures]] = {of: [] for of in trees}
    for repeat in range(repeats):
        for of, tree in trees.items():
            turns[of].append(measure(name, tree, seconds))
            print(f"{name} {repeat + 1}/{repeats} {of}: {turns[of][-1]}", flush=True)
    width, height = PARTS[name].size
    title = f"{PARTS[name].title}, {width} × {height}"
    return [
        Figure(title, MEASURES[key], {of: [turn[key] for turn in turns[of]] for of in trees}, AIMS.get((name, key)))
        for key in turns[HERE_NAME][0]
    ]


@contextlib.contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Check a commit out beside this tree; the app needs nothing built."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__.splitlines()[0])
    parser.add_argument("--before", default="HEAD~1", metavar="REV", help="the commit beside (default: HEAD~1)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="(default: all)")
    parser.add_argument("--repeats", type=int, default=2, help="turns of each (default: 2)")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured in each turn (default: 5)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="keep the figures")
    return parser.parse_args()


def _commit(revision: str) -> str:
    return _git("rev-parse", "--short", revision)


def _changed() -> str:
    return "+" if _git("status", "--porcelain", "workbench", "mbpo") else ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
