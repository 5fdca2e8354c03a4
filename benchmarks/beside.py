"""Time this tree beside an earlier commit: ``python -m benchmarks.beside COMMIT``.

The commit is checked out and built in a folder of its own. Then the two take turns, each in a process
of its own with the same work, and the table shows the medians of every turn, their median and the
ratio. In float32 both must come to the same parameters to the last digit; in bfloat16 they must have
moved in the same direction.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
PRECISIONS = ("float32", "bfloat16")
MOVED = 0.15  # of a movement's length, in bfloat16

Turn = dict[str, Any]


def main() -> int:
    """Build the commit, let the trees take turns, print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__.splitlines()[0])
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--turns", type=int, default=5, help="of each tree (default: 5)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        make_tree(given.commit, base)
        turns = [
            (_turn(base, given.threads, "float32"), {p: _turn(HERE, given.threads, p) for p in PRECISIONS})
            for _ in range(given.turns)
        ]
    _check(turns)
    print(f"ms, {given.threads} threads; base is {given.commit}; median of {given.turns} turns (each turn's median)\n")
    print("| | base | here, float32 | ratio | here, bfloat16 | ratio |\n|---|---|---|---|---|---|")
    for name in turns[0][0]["ms"]:
        of_base = [before["ms"][name] for before, _ in turns]
        cells = [_times(of_base)]
        for precision in PRECISIONS:
            found = [here[precision]["ms"][name] for _, here in turns]
            cells += [_times(found), f"{statistics.median(found) / statistics.median(of_base):.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


def make_tree(commit: str, folder: Path) -> None:
    """Check the commit out and build it."""
    subprocess.run(["git", "clone", "--quiet", str(HERE), str(folder)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=folder, check=True)
    shutil.rmtree(folder / "benchmarks")  # both trees are timed by this one's
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    without_cuda = {**os.environ, "FORCE_CUDA": "0"}
    subprocess.run(build, cwd=folder, env=without_cuda, check=True, capture_output=True)


def _turn(tree: Path, threads: int, precision: str) -> Turn:
    """Time one tree with this tree's clockwork."""
    command = [sys.executable, str(HERE / "benchmarks" / "turn.py"), str(threads), precision]
    path = os.pathsep.join([str(tree), str(HERE)])
    env = {"GOMP_SPINCOUNT": "1000", **os.environ, "PYTHONPATH": path}  # as in a learner, see mbpo/__init__.py
    done = subprocess.run(command, env=env, cwd=tree, check=True, capture_output=True, text=True)
    turn: Turn = json.loads(done.stdout.splitlines()[-1])
    assert Path(turn["mbpo"]).is_relative_to(tree), turn["mbpo"]
    return turn


def _check(turns: list[tuple[Turn, dict[str, Turn]]]) -> None:
    for base, here in turns:
        for name, digest in base["digests"].items():
            assert here["float32"]["digests"][name] == digest, f"{name}: other parameters than the commit's"
        for name, moved in base["moved"].items():
            pairs = list(zip(here["bfloat16"]["moved"][name], moved, strict=True))
            error = sum((a - b) ** 2 for a, b in pairs) / sum(b**2 for _, b in pairs)
            assert error**0.5 < MOVED, f"{name} in bfloat16: {error**0.5:.3f}"


def _times(of: list[float]) -> str:
    return f"{statistics.median(of):.3f} ({' '.join(f'{ms:.3f}' for ms in of)})"


if __name__ == "__main__":
    raise SystemExit(main())
