"""Measure groups of runs: scores at a point, pairs of groups, and the way to a threshold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mbpo.comparison.figures import Axis, Figures, Pair, Question, Reach, Score, Until
from mbpo.comparison.groups import Group
from mbpo.comparison.runs import Run
from mbpo.errors import ConfigError
from mbpo.statistics import (
    NO_INTERVAL,
    Array,
    carried_forward,
    first_reached,
    improvement_interval,
    iqm,
    iqm_interval,
    paired_difference,
    probability_of_improvement,
    solved_from,
)

BOOTSTRAP_SEED = 0
UNTIL: Mapping[Until, Callable[[Array, float], int | None]] = {
    "first": first_reached,
    "solved": solved_from,
}


def measure(groups: Sequence[Group], question: Question) -> Figures:
    """Return the figures of groups of one environment.

    Raises:
        ConfigError: no point is common to all runs, and the question names no other.
    """
    scores: list[Score] = []
    pairs: list[Pair] = []
    for by in question.axes:
        for at in _points(groups, by, question):
            scores += [_score(group, by, at, question) for group in groups]
            pairs += [_pair(x, y, by, at, question) for x, y in itertools.combinations(groups, 2)]
    reaches: list[Reach] = []
    if question.threshold is not None:
        for group in groups:
            reaches += _reaches(group, question.threshold, question)
    return Figures(groups[0].env_id, tuple(groups), tuple(scores), tuple(pairs), tuple(reaches))


def union_grid(runs: Sequence[Run], by: Axis) -> Array:  # [G], rising
    """Return every point of the axis at which one of the runs was measured."""
    return np.unique(np.concatenate([run.curve.along(by)[0] for run in runs]))


def aligned(
    runs: Sequence[Run],  # S of them
    by: Axis,
    grid: Array,  # [G]
) -> Array:  # [S, G]
    """Return each run's value carried forward to the grid, NaN outside the run."""
    rows = []
    for run in runs:
        at, end = run.curve.along(by)
        rows.append(carried_forward(at, run.curve.values, end, grid))
    return np.stack(rows)


def bootstrap_rng() -> np.random.Generator:
    """Return the generator of one figure: the figure repeats, whichever others are asked for."""
    return np.random.default_rng(BOOTSTRAP_SEED)


def _points(groups: Sequence[Group], by: Axis, question: Question) -> list[float]:
    runs = [run for group in groups for run in group.runs]
    grid = union_grid(runs, by)
    common = grid[np.isfinite(aligned(runs, by, grid)).all(axis=0)]
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
    values = aligned(group.runs, by, np.array([at]))[:, 0]
    return {
        run.seed: float(value)
        for run, value in zip(group.runs, values, strict=True)
        if math.isfinite(value)
    }


def _score(group: Group, by: Axis, at: float, question: Question) -> Score:
    values = np.array(list(_at_point(group, by, at).values()))
    n, of = values.size, len(group.runs)
    if not n:
        return Score(group.name, by, at, 0, of, math.nan, math.nan, math.nan, NO_INTERVAL)
    return Score(
        group.name, by, at, n, of,
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if n > 1 else math.nan,
        iqm=float(iqm(values)),
        iqm_interval=iqm_interval([values], bootstrap_rng(), question.resamples),
    )  # fmt: skip


def _pair(x: Group, y: Group, by: Axis, at: float, question: Question) -> Pair:
    of_x, of_y = _at_point(x, by, at), _at_point(y, by, at)
    scores_x = question.sign * np.array(list(of_x.values()))
    scores_y = question.sign * np.array(list(of_y.values()))
    improvement, interval = math.nan, NO_INTERVAL
    if of_x and of_y:
        improvement = probability_of_improvement([scores_x], [scores_y])
        interval = improvement_interval([scores_x], [scores_y], bootstrap_rng(), question.resamples)
    difference, difference_interval = math.nan, NO_INTERVAL
    if of_x and of_x.keys() == of_y.keys():
        difference, difference_interval = paired_difference(
            np.array(list(of_x.values())), np.array(list(of_y.values())),
            bootstrap_rng(), question.resamples,
        )  # fmt: skip
    return Pair(
        x.name, y.name, by, at, len(of_x), len(of_y),
        improvement, interval, difference, difference_interval,
    )  # fmt: skip


def _reaches(group: Group, threshold: float, question: Question) -> list[Reach]:
    curves = [run.curve for run in group.runs]
    reaches = []
    for until, find in UNTIL.items():
        found = [find(question.sign * c.values, question.sign * threshold) for c in curves]
        steps = [_position(c.env_steps, index) for c, index in zip(curves, found, strict=True)]
        times = [_position(c.time_s, index) for c, index in zip(curves, found, strict=True)]
        reached = sum(index is not None for index in found)
        medians = float(np.median(steps)), float(np.median(times))
        reaches.append(Reach(group.name, until, reached, len(curves), *medians))
    return reaches


def _position(along: Array, index: int | None) -> float:
    return math.inf if index is None else float(along[index])
