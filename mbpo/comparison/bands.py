"""Follow a group over its axis: the interquartile mean of its seeds, and the band around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.comparison.figures import Axis
from mbpo.comparison.groups import Group
from mbpo.comparison.measure import aligned, bootstrap_rng, union_grid
from mbpo.comparison.runs import Curve
from mbpo.comparison.statistics import Array, iqm, iqm_interval

MAX_POINTS = 200  # of a line; each one of a band costs a bootstrap


@dataclass(frozen=True)
class GroupCurve:
    """Hold a group's curve where any of its runs has a value."""

    x: Array  # [G], rising
    iqm: Array  # [G]
    low: Array  # [G], NaN where one seed gives no interval
    high: Array  # [G]
    whole: NDArray[np.bool_]  # [G], whether every seed of the group is there


def group_curve(group: Group, by: Axis, resamples: int, most: int = MAX_POINTS) -> GroupCurve:
    """Return the curve at no more than ``most`` points."""
    return curve_of([run.curve for run in group.runs], by, resamples, most)


def curve_of(curves: Sequence[Curve], by: Axis, resamples: int, most: int = MAX_POINTS) -> GroupCurve:
    """Return what curves, one per seed, make together, at no more than ``most`` points."""
    grid = union_grid(curves, by)
    if grid.size > most:
        grid = grid[np.linspace(0, grid.size - 1, most).round().astype(int)]
    values = aligned(curves, by, grid)
    there = np.isfinite(values)
    known = [column[here] for column, here in zip(values.T, there.T, strict=True)]
    middle = np.array([iqm(scores) if scores.size else np.nan for scores in known])
    band = np.array([iqm_interval([s], bootstrap_rng(), resamples) if s.size else (np.nan, np.nan) for s in known])
    band = band.reshape(-1, 2)
    return GroupCurve(grid, middle, band[:, 0], band[:, 1], np.asarray(there.all(axis=0)))
