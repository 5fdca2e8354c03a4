"""Sum up what came of the learners of all seeds."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from mbpo.seeds.display import PoolConsole, best_of, counted, last_of, solved_of
from mbpo.seeds.learner_run import LearnerRun
from mbpo.seeds.plan import Plan


def print_summary(console: PoolConsole, plan: Plan, runs: Sequence[LearnerRun]) -> None:
    """Print what came of each seed, of all together, and what to type to compare them."""
    rows = [
        [
            run.label,
            "not started" if run.state == "waiting" else run.state,
            console.env_steps(run),
            last_of(run),
            best_of(run),
            solved_of(run),
            f"{run.wall_s:.1f}",
        ]
        for run in runs
    ]
    console.table([plan.noun, "state", "env steps", "last evaluation", "best", "solved at", "wall s"], rows)
    arms: dict[str, list[LearnerRun]] = {}
    for run, point in zip(runs, plan.grid.points, strict=True):
        arms.setdefault(point.arm, []).append(run)
    for name, members in arms.items():
        for line in _sums(members):
            console.say(f"{name}: {line}" if name else line)
    if any(run.status is not None for run in runs):
        console.say(f"to compare them: python -m mbpo.compare {_pattern(plan)}")
    stopped = [run for run in runs if run.state == "stopped" and run.status is not None]
    if stopped:
        others = f"; {counted(len(stopped) - 1, 'other')} the same way" if len(stopped) > 1 else ""
        console.say(f"to go on: python -m mbpo.train --resume {shlex.quote(_near(stopped[0].paths.root))}{others}")


def _sums(runs: Sequence[LearnerRun]) -> Iterator[str]:
    """Yield what is to be said of runs that differ in their seeds only."""
    scores = [run.evaluations[-1] for run in runs if run.finished and run.evaluations]
    if scores:
        spread = f"{statistics.stdev(scores):.1f}" if len(scores) > 1 else "—"
        yield f"mean ± std of {counted(len(scores), 'finished seed')}: {statistics.fmean(scores):.1f} ± {spread}"
    if any(run.status is not None and run.status.threshold is not None for run in runs):
        yield _solved(runs)


def _solved(runs: Sequence[LearnerRun]) -> str:
    """Return how many are solved, and when, in the median of all: one that is not never is."""
    statuses = [run.status for run in runs if run.status is not None and run.status.threshold is not None]
    solved = sorted(math.inf if status.solved_at is None else status.solved_at for status in statuses)
    median = statistics.median_high(solved)
    when = "" if math.isinf(median) else f", median {median:,} env steps"
    number = sum(map(math.isfinite, solved))
    return f"solved ({statuses[0].threshold:g} or more, and no less later): {number} of {len(solved)}{when}"


def _pattern(plan: Plan) -> str:
    """Return a glob of the run directories, as a shell reads it, shorter than their names."""
    named = _near(plan.batch.runs_root / plan.batch.name)
    return shlex.quote(named) + ("-[a-z]*" if plan.grid.values else "-s*")  # not those of NAME-2


def _near(path: Path) -> str:
    """Return a path as it can be typed here, shorter where it lies below this folder."""
    here = Path.cwd()
    near = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return f"./{near}" if near.startswith("~") else near
