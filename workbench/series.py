"""Prepare measured series for a chart: smooth, find the spread, thin out. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Points:
    """Hold one metric over env steps; NaN is a gap."""

    x: Floats
    y: Floats

    @property
    def last(self) -> float:
        """Return the newest value, NaN when there is none."""
        return float(self.y[-1]) if len(self.y) else float("nan")


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
    window = max(points / 20.0, 1.0)
    return (window - 1.0) / (window + 1.0)


def thin(x: Floats, y: Floats, bins: int) -> tuple[Floats, Floats]:
    """Return at most four points a bin that draw the same line: first, lowest, highest, last.

    A bin of NaN only stays NaN, so that gaps stay gaps. ``x`` must not fall.
    """
    if len(x) <= 4 * bins or bins < 1:
        return x, y
    width = (x[-1] - x[0]) / bins or 1.0
    bin_of = np.minimum(((x - x[0]) / width).astype(np.intp), bins - 1)
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
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


def in_order(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the points sorted by ``x``: what a file holds may be in any order."""
    if len(x) < 2 or bool(np.all(x[1:] >= x[:-1])):
        return x, y
    order = np.argsort(x, kind="stable")
    return x[order], y[order]
