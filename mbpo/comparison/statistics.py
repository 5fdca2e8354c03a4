"""Summarise scores of few seeds with honest intervals: pure functions of numpy arrays.

A score is one seed's value of one metric. N, M count seeds, G grid points, R resamples.
Source: Agarwal et al. 2021, Deep RL at the Edge of the Statistical Precipice, arXiv:2108.13264.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Hold both ends of a confidence interval; NaN where too few seeds give none."""

    low: float
    high: float


NO_INTERVAL = Interval(math.nan, math.nan)


def iqm(
    scores: Array,  # [..., N]
) -> Array:  # [...]
    """Return the interquartile mean over the last axis: the mean of the middle half.

        IQM = Σᵢ wᵢ x₍ᵢ₎ / Σᵢ wᵢ,  wᵢ = |[i−1, i] ∩ [N/4, 3N/4]|

    x₍₁₎ ≤ … ≤ x₍N₎ are the sorted scores; those on a quartile count in part, so that exactly half
    of the weight is kept at every N.
    Source: arXiv:2108.13264, section 4.2.
    Departs: scipy's ``trim_mean``, which its code calls, drops whole scores, ⌊N/4⌋ at each end; it
    is the plain mean for three seeds. The two agree where 4 divides N.
    """
    n = scores.shape[-1]
    kept = np.diff(np.clip(np.arange(n + 1), n / 4, 3 * n / 4))  # wᵢ
    return np.asarray(np.sort(scores, axis=-1) @ kept / kept.sum())


def iqm_interval(
    strata: Sequence[Array],  # one [N] per task
    rng: np.random.Generator,
    resamples: int,
) -> Interval:
    """Return the 95 % percentile bootstrap interval of the IQM of all scores together.

    Seeds are drawn with replacement within each task, as many as there are. One seed per task
    gives no interval. Few seeds give one that is too narrow: of normal scores it covers the true
    value in 75 % of experiments of 3 seeds, 91 % of 5, 93 % of 10 and 94 % of 20 (4,000 each).
    Source: arXiv:2108.13264, section 4.1, stratified bootstrap.
    """
    if max(scores.size for scores in strata) < 2:
        return NO_INTERVAL
    drawn = [scores[_drawn(scores.size, rng, resamples)] for scores in strata]
    return _percentiles(iqm(np.concatenate(drawn, axis=1)))


def iqm_band(
    scores: Array,  # [G, N]: of the same N seeds at G points
    rng: np.random.Generator,
    resamples: int,
) -> tuple[Array, Array]:  # [G], [G]
    """Return both ends of :func:`iqm_interval` of one task at each point, the same seeds drawn for all of them."""
    points, n = scores.shape
    low, high = np.full(points, np.nan), np.full(points, np.nan)
    if n < 2:
        return low, high
    drawn = _drawn(n, rng, resamples)
    for point in range(points):  # one after the other: all at once would take R times the memory
        low[point], high[point] = _percentiles(iqm(scores[point][drawn]))
    return low, high


def probability_of_improvement(
    x: Sequence[Array],  # one [N] per task
    y: Sequence[Array],  # one [M] per task
) -> float:
    """Return the probability that a seed of X scores above a seed of Y; a tie counts half.

        P(X > Y) = mean over tasks of  1/(NM) Σᵢ Σⱼ (1[xᵢ > yⱼ] + ½ 1[xᵢ = yⱼ])

    Source: arXiv:2108.13264, section 4.3 (the Mann-Whitney statistic, per pair).
    """
    return float(np.mean([_wins(a, b).mean() for a, b in zip(x, y, strict=True)]))


def improvement_interval(
    x: Sequence[Array],  # one [N] per task
    y: Sequence[Array],  # one [M] per task
    rng: np.random.Generator,
    resamples: int,
) -> Interval:
    """Return the 95 % percentile bootstrap interval of :func:`probability_of_improvement`.

    Seeds of X and of Y are drawn apart, within each task; a group of one seed gives no interval.
    """
    return wins_interval([_wins(a, b) for a, b in zip(x, y, strict=True)], rng, resamples)


def wins_interval(
    wins: Sequence[Array],  # one [N, M] per task: 1 where a seed of X beats one of Y, 0 where it is beaten, else ½
    rng: np.random.Generator,
    resamples: int,
) -> Interval:
    """Return the interval of :func:`improvement_interval`, of pairs that were judged already."""
    if min(size for task in wins for size in task.shape) < 2:
        return NO_INTERVAL
    total = np.zeros(resamples)
    for task in wins:
        times_x, times_y = (_times_drawn(size, rng, resamples) for size in task.shape)
        total += np.sum(times_x @ task * times_y, axis=1) / task.size
    return _percentiles(total / len(wins))


def paired_t(
    x: Array,  # [N]
    y: Array,  # [N], of the same seeds, or the same repeats of a what-if
) -> tuple[float, Interval]:
    """Return the mean of x − y, and its 95 % interval by Student's t.

        d̄ ± t₀.₉₇₅(N−1) s / √N

    Of three pairs the bootstrap's interval covers the true value in 73 % of experiments, of four in 80 %, of ten in
    89 %; this one in 95 % of each (normal differences, 1,500 and more): a verdict on few seeds needs it. Pairs that
    all differ alike have an interval of no width.
    """
    difference = x - y
    n, mean = difference.size, float(difference.mean())
    if n < 2:
        return mean, NO_INTERVAL
    half = student_t(n - 1) * float(difference.std(ddof=1)) / math.sqrt(n)
    return mean, Interval(mean - half, mean + half)


def student_t(freedom: int) -> float:
    """Return the t beyond which Student's distribution has 2.5 % on each side.

    Source: Abramowitz and Stegun, 26.7.3 and 26.7.4, inverted by halving.
    """
    low, high = 0.0, 1000.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _within_t(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def probability_of_best(
    scores: Array,  # [A, N]: of A arms in the same N repeats
    rng: np.random.Generator,
    resamples: int,
) -> Array:  # [A], sums to 1
    """Return how often each arm has the highest mean when repeats are drawn with replacement, the same for all arms.

    Arms that share the highest mean share the draw. One repeat tells nothing: NaN.
    """
    arms, n = scores.shape
    if n < 2:
        return np.full(arms, math.nan)
    means = scores[:, _drawn(n, rng, resamples)].mean(axis=2)  # [A, R]
    best = means == means.max(axis=0)
    return np.asarray((best / best.sum(axis=0)).mean(axis=1))


def sooner(
    x: Array,  # [N]: when each seed of X got there, infinity for "not by its end"
    x_end: Array,  # [N]
    y: Array,  # [M], and so for Y
    y_end: Array,  # [M]
) -> tuple[Array, Array]:  # [N, M] each
    """Return for each pair 1 where X was sooner, 0 where Y was, else ½; and by how much Y was later.

    A seed that did not get there is followed to its end only: it was later than one that did so before, by the time
    from there to that end at least. All else cannot be told, and is a tie.
    """
    x, x_end, y, y_end = x[:, None], x_end[:, None], y[None, :], y_end[None, :]
    latest_x, latest_y = np.minimum(x, x_end), np.minimum(y, y_end)
    told = (np.isfinite(x) & (x <= latest_y)) | (np.isfinite(y) & (y <= latest_x))
    wins = np.where(told, 0.5 + 0.5 * (x < y) - 0.5 * (x > y), 0.5)
    return wins, np.where(told, latest_y - latest_x, 0.0)


def carried_forward(
    at: Array,  # [N], rising: where the values were measured
    values: Array,  # [N]
    end: float,  # where the run ends
    grid: Array,  # [G]
) -> Array:  # [G]
    """Return the newest value at each grid point, NaN before the first value and past ``end``."""
    newest = np.searchsorted(at, grid, side="right") - 1
    known = (newest >= 0) & (grid <= end)
    return np.where(known, values[np.maximum(newest, 0)], np.nan)


def first_reached(
    values: Array,  # [N], in order
    threshold: float,
) -> int | None:
    """Return the index of the first value at or above ``threshold``, None where none is."""
    reached = np.flatnonzero(values >= threshold)
    return int(reached[0]) if reached.size else None


def solved_from(
    values: Array,  # [N], in order
    threshold: float,
) -> int | None:
    """Return the first index from which every value is at or above ``threshold``, or None."""
    below = np.flatnonzero(~(values >= threshold))
    start = int(below[-1]) + 1 if below.size else 0
    return start if start < values.size else None


def _within_t(t: float, freedom: int) -> float:
    """Return the probability that |T| is below ``t``."""
    angle = math.atan(t / math.sqrt(freedom))
    even = freedom % 2 == 0
    term = math.sin(angle) * (1.0 if even else math.cos(angle))
    total = term if even or freedom > 1 else 0.0
    for k in range(2 if even else 3, freedom - 1, 2):
        term *= (k - 1) / k * math.cos(angle) ** 2
        total += term
    return total if even else 2 / math.pi * (angle + total)


def _wins(x: Array, y: Array) -> Array:
    above, below = x[:, None] > y[None, :], x[:, None] < y[None, :]
    return np.asarray(0.5 + 0.5 * above - 0.5 * below)  # [N, M]; two infinities are a tie


def _drawn(n: int, rng: np.random.Generator, resamples: int) -> NDArray[np.int64]:
    return rng.integers(n, size=(resamples, n))  # [R, N]


def _times_drawn(n: int, rng: np.random.Generator, resamples: int) -> NDArray[np.int64]:
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)  # [R, N]


def _percentiles(estimates: Array) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(low), float(high))
