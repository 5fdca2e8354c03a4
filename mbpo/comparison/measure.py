"""Measure groups of runs: scores at a point, pairs of groups, and the way to a threshold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from mbpo.comparison.figures import Axis, Figures, Lead, Pair, Question, Reach, Score, Until
from mbpo.comparison.groups import Group
from mbpo.comparison.runs import Curve, Run
from mbpo.comparison.statistics import (
    NO_INTERVAL,
    Array,
    Interval,
    carried_forward,
    first_reached,
    improvement_interval,
    iqm,
    iqm_interval,
    paired_t,
    probability_of_improvement,
    solved_from,
    sooner,
    wins_interval,
)
from mbpo.errors import ConfigError

BOOTSTRAP_SEED = 0
AXES: tuple[Axis, Axis] = ("env_steps", "time_s")
UNTIL: Mapping[Until, Callable[[Array, float], int | None]] = {"first": first_reached, "solved": solved_from}


def measure(groups: Sequence[Group], question: Question, against: str = "") -> Figures:
    """Return the figures of groups of one environment; of pairs all, or those with the group named ``against``.

    Raises:
        ConfigError: no point is common to all runs, and the question names no other.
    """
    scores: list[Score] = []
    pairs: list[Pair] = []
    for by in question.axes:
        for at in _points(groups, by, question):
            scores += [_score(group, by, at, question) for group in groups]
            pairs += [_pair(x, y, by, at, question) for x, y in _pairs(groups, against)]
    reaches: list[Reach] = []
    leads: list[Lead] = []
    if question.threshold is not None:
        for group in groups:
            reaches += [_reach(group, until, question.threshold, question) for until in UNTIL]
        for x, y in _pairs(groups, against):
            leads += [_lead(x, y, until, question.threshold, question) for until in UNTIL]
    return Figures(groups[0].env_id, tuple(groups), tuple(scores), tuple(pairs), tuple(reaches), tuple(leads))


def _pairs(groups: Sequence[Group], against: str) -> Iterator[tuple[Group, Group]]:
    found = itertools.combinations(groups, 2)
    return (pair for pair in found if not against or against in [group.name for group in pair])


def union_grid(curves: Sequence[Curve], by: Axis) -> Array:  # [G], rising
    """Return every point of the axis at which one of the curves was measured."""
    return np.unique(np.concatenate([curve.along(by)[0] for curve in curves]))


def aligned(
    curves: Sequence[Curve],  # S of them
    by: Axis,
    grid: Array,  # [G]
) -> Array:  # [S, G]
    """Return each curve's value carried forward to the grid, NaN outside its run."""
    rows = []
    for curve in curves:
        at, end = curve.along(by)
        rows.append(carried_forward(at, curve.values, end, grid))
    return np.stack(rows)


def bootstrap_rng() -> np.random.Generator:
    """Return the generator of one figure: the figure repeats, whichever others are asked for."""
    return np.random.default_rng(BOOTSTRAP_SEED)


def _points(groups: Sequence[Group], by: Axis, question: Question) -> list[float]:
    runs = [run for group in groups for run in group.runs]
    curves = [run.curve for run in runs]
    grid = union_grid(curves, by)
    common = grid[np.isfinite(aligned(curves, by, grid)).all(axis=0)]
    points = set(question.at if by == "env_steps" else ())
    if common.size:
        points.add(float(common[-1]))
    if not points:
        shortest = min(runs, key=lambda run: run.curve.along(by)[1])
        raise ConfigError(
            f"no point of {by} is common to all {len(runs)} runs of {groups[0].env_id}: "
            f"{shortest.name} ends at {shortest.curve.along(by)[1]:g}; leave it out or give --at"
        )
    return sorted(points)


def _at_point(group: Group, by: Axis, at: float) -> dict[int, float]:
    """Return the value of each seed that has one there."""
    values = aligned([run.curve for run in group.runs], by, np.array([at]))[:, 0]
    return {run.seed: float(value) for run, value in zip(group.runs, values, strict=True) if math.isfinite(value)}


def _score(group: Group, by: Axis, at: float, question: Question) -> Score:
    values = np.array(list(_at_point(group, by, at).values()))
    n, of = values.size, len(group.runs)
    if not n:
        return Score(group.name, by, at, 0, of, math.nan, math.nan, math.nan, NO_INTERVAL)
    return Score(
        group.name,
        by,
        at,
        n,
        of,
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if n > 1 else math.nan,
        iqm=float(iqm(values)),
        iqm_interval=iqm_interval([values], bootstrap_rng(), question.resamples),
    )


def _pair(x: Group, y: Group, by: Axis, at: float, question: Question) -> Pair:
    of_x, of_y = _at_point(x, by, at), _at_point(y, by, at)
    better_x = {seed: question.sign * value for seed, value in of_x.items()}
    better_y = {seed: question.sign * value for seed, value in of_y.items()}
    return Pair(
        x.name,
        y.name,
        by,
        at,
        len(of_x),
        len(of_y),
        *_improvement(better_x, better_y, question),
        *_difference(of_x, of_y),
    )


def _reach(group: Group, until: Until, threshold: float, question: Question) -> Reach:
    steps, times = (_reached(group, by, until, threshold, question) for by in AXES)
    return Reach(
        group.name,
        until,
        sum(map(math.isfinite, steps.values())),
        len(steps),
        float(np.median(list(steps.values()))),
        float(np.median(list(times.values()))),
    )


def _lead(x: Group, y: Group, until: Until, threshold: float, question: Question) -> Lead:
    wins, saved = sooner(*_race(x, until, threshold, question), *_race(y, until, threshold, question))
    enough = min(wins.shape) > 1  # of one seed it is no share of anything
    same = [run.seed for run in x.runs] == [run.seed for run in y.runs]
    by_seed, interval = paired_t(np.diag(saved), np.zeros(len(x.runs))) if same else (math.nan, NO_INTERVAL)
    return Lead(
        x.name,
        y.name,
        until,
        len(x.runs),
        len(y.runs),
        sooner=float(wins.mean()) if enough else math.nan,
        sooner_interval=wins_interval([wins], bootstrap_rng(), question.resamples),
        saved=by_seed,
        saved_interval=interval,
    )


def _race(group: Group, until: Until, threshold: float, question: Question) -> tuple[Array, Array]:  # [N], [N]
    """Return the env steps after which each seed got to the threshold, and those up to which it was followed."""
    reached = _reached(group, "env_steps", until, threshold, question)
    return np.array([reached[run.seed] for run in group.runs]), np.array([_followed(run) for run in group.runs])


def _followed(run: Run) -> float:
    """Return the env step up to which it is known whether a run got there; one that diverged never will."""
    return float(run.settings["total_steps"]) if run.status.state == "diverged" else run.curve.end_env_steps


def _reached(group: Group, by: Axis, until: Until, threshold: float, question: Question) -> dict[int, float]:
    """Return where each seed gets to the threshold, infinity for "never"."""
    reached = {}
    for run in group.runs:
        index = UNTIL[until](question.sign * run.curve.values, question.sign * threshold)
        reached[run.seed] = math.inf if index is None else float(run.curve.along(by)[0][index])
    return reached


def _improvement(x: Mapping[int, float], y: Mapping[int, float], question: Question) -> tuple[float, Interval]:
    """Return P(X > Y) over seeds and its interval, NaN where a group has one seed: that is no share of anything."""
    if min(len(x), len(y)) < 2:
        return math.nan, NO_INTERVAL
    strata = [np.array(list(x.values()))], [np.array(list(y.values()))]
    interval = improvement_interval(*strata, bootstrap_rng(), question.resamples)
    return probability_of_improvement(*strata), interval


def _difference(x: Mapping[int, float], y: Mapping[int, float]) -> tuple[float, Interval]:
    """Return the mean of x − y by seed and its interval, NaN where the seeds differ."""
    if not x or x.keys() != y.keys():
        return math.nan, NO_INTERVAL
    values = np.array([x[seed] for seed in x]), np.array([y[seed] for seed in x])
    return paired_t(*values)
