"""Measure groups of runs by the statistics of ``mbpo.compare``, so that both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mbpo.comparison.figures import Figures, Question, Score
from mbpo.comparison.groups import Group
from mbpo.comparison.measure import bootstrap_rng, measure
from mbpo.comparison.runs import Curve, Run
from mbpo.comparison.statistics import carried_forward, iqm, iqm_band, iqm_interval
from mbpo.errors import ConfigError
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Manifest
from mbpo.runs.status import RunStatus
from workbench.group_figures import Band, GroupAsked, GroupScore, Versus
from workbench.series import Floats, Points

EVALUATION = Question.metric
BAND_RESAMPLES = 300  # of a curve's band; a figure has as many as those of mbpo.compare
MOST_GRID = 80  # points of a band, each of which costs a bootstrap

Compared = tuple[dict[Path, GroupScore], dict[tuple[Path, Path], Versus]]


class Seed(NamedTuple):
    """Hold the evaluations of one run of a group."""

    seed: int
    path: Path
    evaluations: Points
    end: float  # env step that it has come to


def score_of(env_id: str, seeds: Sequence[Seed]) -> GroupScore:
    """Return the score of one group at the last env step that all its evaluated seeds share."""
    figures = _figures(env_id, {Path(): seeds})
    return _score(figures.scores[-1], len(seeds)) if figures and figures.scores else GroupScore(of=len(seeds))


def compared(groups: Sequence[tuple[GroupAsked, Sequence[Seed]]]) -> Compared:
    """Return the scores of several groups at the last env step that those of one environment share, and the pairs."""
    against = next((str(asked.path) for asked, _ in groups if asked.against), "")
    common: dict[Path, GroupScore] = {}
    versus: dict[tuple[Path, Path], Versus] = {}
    names = {str(asked.path): asked.path for asked, _ in groups}
    for env_id in dict.fromkeys(asked.env_id for asked, _ in groups):
        alike = {asked.path: seeds for asked, seeds in groups if asked.env_id == env_id}
        figures = _figures(env_id, alike, against)
        if figures is None:
            continue
        for score in figures.scores:
            common[names[score.group]] = _score(score, len(alike[names[score.group]]))
        for pair in figures.pairs:
            x, y, (low, high) = names[pair.x], names[pair.y], pair.improvement_interval
            versus[x, y] = Versus(pair.improvement, (low, high))
            versus[y, x] = Versus(1 - pair.improvement, (1 - high, 1 - low))
    return common, versus


def band_of(seeds: Sequence[tuple[Points, float]]) -> Band | None:
    """Return the IQM over the seeds that have a metric, as far as all of these have it; None where none has.

    Of each seed its points and the env step that it has come to.
    """
    there = [(points, end) for points, end in seeds if len(points.x)]
    if not there:
        return None
    grid = _grid([points.x for points, _ in there])
    values = np.stack([carried_forward(points.x, points.y, end, grid) for points, end in there], axis=1)  # [G, S]
    shared = np.isfinite(values).all(axis=1)
    grid, values = grid[shared], values[shared]
    if not len(grid):
        return Band(grid, grid, grid, grid)
    low, high = iqm_band(values, bootstrap_rng(), BAND_RESAMPLES)
    low[-1], high[-1] = iqm_interval([values[-1]], bootstrap_rng(), Question.resamples)  # as a table says it
    return Band(grid, iqm(values), low, high)


def _grid(steps: Sequence[Floats]) -> Floats:
    """Return the env steps at which one of the seeds was measured; of many some, the last too."""
    grid = np.unique(np.concatenate(steps))
    if len(grid) > MOST_GRID:
        grid = grid[np.linspace(0, len(grid) - 1, MOST_GRID).round().astype(np.intp)]
    return grid


def _figures(env_id: str, groups: dict[Path, Sequence[Seed]], against: str = "") -> Figures | None:
    measured = [
        Group(str(path), env_id, "", {}, tuple(_run(seed) for seed in seeds if len(seed.evaluations.x)))
        for path, seeds in groups.items()
    ]
    try:
        there = [group for group in measured if group.runs]
        return measure(there, Question(), against) if there else None
    except ConfigError:  # there is no env step that all share
        return None


def _run(seed: Seed) -> Run:
    x, y = seed.evaluations.x, seed.evaluations.y
    curve = Curve(x, np.zeros(len(x)), y, max(seed.end, float(x[-1])), 0.0, 0)
    return Run(RunPaths(seed.path), {"seed": seed.seed}, Manifest(), RunStatus(), curve)


def _score(score: Score, of: int) -> GroupScore:
    low, high = score.iqm_interval
    return GroupScore(score.at, score.seeds, of, score.iqm, (low, high), score.mean, score.std)
