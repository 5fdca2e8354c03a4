"""Time an env step of whole runs beside an earlier commit: ``python -m benchmarks.env_step COMMIT``.

Both trees run ``python -m mbpo.train`` with the preset as each ships it, in turn, and the table shows
the wall time per env step between two env steps, all told: updates, refits, rollouts, the
environment. ``--busy 1`` runs each a second time beside a process that wants a core for itself;
``--warmup 50000 --first 50250 --last 50750`` begins with as many real rows. Any other flag goes to
both learners.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.beside import HERE, make_tree

NEVER = "100000000"
PARTS = ("sac", "model", "rollout", "env", "other")


def main() -> int:
    """Build the commit, let the trees take turns, print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.env_step", description=__doc__.splitlines()[0])
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--preset", default="hopper", help="(default: hopper)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--turns", type=int, default=3, help="of each tree (default: 3)")
    parser.add_argument("--warmup", type=int, default=5000, help="random env steps (default: 5000)")
    parser.add_argument("--first", type=int, default=5000, help="env step where timing begins (default: 5000)")
    parser.add_argument("--last", type=int, default=7000, help="env step where it ends (default: 7000)")
    parser.add_argument("--busy", type=int, default=0, help="processes beside, in turns of their own (default: 0)")
    given, given.flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        make_tree(given.commit, base)
        found: dict[str, list[dict[str, float]]] = {}
        for number in range(given.turns):
            for name, tree in (("base", base), ("here", HERE)):
                for busy in sorted({0, given.busy}):
                    runs = Path(folder) / f"{name}-{busy}-{number}"
                    with beside(busy):
                        took = turn(tree, runs, given)
                    found.setdefault(name + (f", {busy} busy beside" if busy else ""), []).append(took)
    print(f"ms per env step, {given.first:,} to {given.last:,}, {given.threads} threads; base is {given.commit}\n")
    print(f"| | all, median of {given.turns} turns | {' | '.join(PARTS)} |\n|---|---|{'---|' * len(PARTS)}")
    for name, turns in found.items():
        all_told = [sum(took.values()) for took in turns]
        parts = [f"{statistics.median(took[part] for took in turns):.1f}" for part in PARTS]
        each = " ".join(f"{ms:.1f}" for ms in all_told)
        print(f"| {name} | {statistics.median(all_told):.1f} ({each}) | {' | '.join(parts)} |")
    return 0


@contextlib.contextmanager
def beside(processes: int) -> Iterator[None]:
    """Keep processes busy, each as much as one core gives."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def turn(tree: Path, runs: Path, given: argparse.Namespace) -> dict[str, float]:
    """Run one tree's learner; return its milliseconds per env step by part."""
    numbers = {"--warmup-steps": given.warmup, "--total-steps": given.last, "--threads": given.threads}
    never = ("--eval-every", NEVER, "--checkpoint-every", NEVER, "--log-every", "50")
    flags = [word for flag, number in numbers.items() for word in (flag, str(number))]
    command = [sys.executable, "-m", "mbpo.train", "--preset", given.preset, "--runs-root", str(runs), "--run-id", "r"]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run([*command, *flags, *never, *given.flags], env=env, cwd=tree, check=True, capture_output=True)
    lines = (runs / "r" / "metrics.jsonl").read_text().splitlines()
    return between([json.loads(line) for line in lines], given.first, given.last)


def between(rows: Sequence[dict[str, float]], first: int, last: int) -> dict[str, float]:
    """Return milliseconds per env step by part between two rows of metrics."""
    seconds = {row["env_steps"]: row for row in rows if "time/sac_s" in row}
    spent = {part: seconds[last][f"time/{part}_s"] - seconds[first][f"time/{part}_s"] for part in PARTS}
    return {part: 1e3 * s / (last - first) for part, s in spent.items()}


if __name__ == "__main__":
    raise SystemExit(main())
