"""Prepare measured series for a chart: smooth, find the spread, thin out. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Made = TypeVar("Made")

NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class Points:
    """Hold one metric over env steps, or over another count; NaN is a gap."""

    x: Floats
    y: Floats
    seqs: Floats = field(default_factory=lambda: np.zeros(0))  # of the rows that they are from
    _made: dict[object, tuple[object, Any]] = field(default_factory=dict, init=False, repr=False)

    def once(self, name: object, make: Callable[[], Made], of: object = None) -> Made:
        """Return what ``make`` makes of these points and of another thing: made once, as long as both are the same."""
        if name not in self._made or self._made[name][0] is not of:
            self._made[name] = of, make()
        return cast("Made", self._made[name][1])

    @property
    def last(self) -> float:
        """Return the newest value, NaN when there is none."""
        return float(self.y[-1]) if len(self.y) else float("nan")


NO_POINTS = Points(np.zeros(0), np.zeros(0))


def ema(values: Floats, weight: float) -> Floats:
    """Return the debiased exponential moving average; NaN stays a gap.

        y_t = Σ_i w^(t−i) x_i / Σ_i w^(t−i), over the finite x_i with i ≤ t

    Raises:
        ValueError: ``weight`` is not in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight must lie in [0, 1), got {weight}")
    known = np.isfinite(values)
    sums = _decayed_sum(np.where(known, values, 0.0), weight)
    counts = _decayed_sum(known.astype(np.float64), weight)
    smooth = np.full(values.shape, np.nan)
    np.divide(sums, counts, out=smooth, where=known)
    return smooth


def spread(values: Floats, weight: float) -> Floats:
    """Return the moving standard deviation that belongs to :func:`ema`."""
    mean = ema(values, weight)
    return np.sqrt(np.maximum(ema(np.square(values - mean), weight), 0.0))


def _decayed_sum(values: Floats, weight: float) -> Floats:
    """Return Σ_i w^(t−i) x_i by doubling: S_2m(t) = S_m(t) + w^m S_m(t−m)."""
    sums: Floats = values.copy()
    span = 1
    while span < len(sums) and weight**span > NEGLIGIBLE:
        sums[span:] += weight**span * sums[:-span].copy()
        span *= 2
    return sums


def smoothing_weight(points: int) -> float:
    """Return the weight that averages over about a twentieth of the points."""
    window = math.pow(
        2, math.floor(2 * math.log2(max(points / 20.0, 1.0))) / 2
    )  # in steps: a new point moves no old one
    return (window - 1.0) / (window + 1.0)


def thin(x: Floats, y: Floats, bins: int, over: tuple[float, float] | None = None) -> tuple[Floats, Floats]:
    """Return at most four points a bin that draw the same line: first, lowest, highest, last.

    The bins lie ``over`` a range, or over that of the points.

    A bin of NaN only stays NaN, so that gaps stay gaps. ``x`` must not fall.
    """
    if len(x) <= 4 * bins or bins < 1:
        return x, y
    low, high = over or (float(x[0]), float(x[-1]))
    edges = low + (high - low) / bins * np.arange(bins)
    edges[0] = min(low, x[0])
    starts = np.searchsorted(x, edges)  # of each bin: its first point, or that of the next which has any
    starts = starts[(np.diff(starts, prepend=-1) > 0) & (starts < len(x))]
    ends = np.append(starts[1:], len(x)) - 1
    middle = (x[starts] + x[ends]) / 2
    lowest, highest = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    across = np.stack([x[starts], middle, middle, x[ends]], axis=1)
    up = np.stack([y[starts], lowest, highest, y[ends]], axis=1)
    return across.reshape(-1), up.reshape(-1)


def at_steps(x: Floats, y: Floats, steps: Floats) -> Floats:
    """Return the values at ``steps``, NaN where there is none; of several the last. ``x`` must not fall."""
    if not len(x):
        return np.full(steps.shape, np.nan)
    index = np.maximum(np.searchsorted(x, steps, side="right") - 1, 0)
    return np.where(x[index] == steps, y[index], np.nan)


def in_order(x: Floats, *others: Floats) -> tuple[Floats, ...]:
    """Return the points sorted by ``x``, with what belongs to them: what a file holds may be in any order."""
    if len(x) < 2 or bool(np.all(x[1:] >= x[:-1])):
        return x, *others
    order = np.argsort(x, kind="stable")
    return tuple(part[order] for part in (x, *others))
