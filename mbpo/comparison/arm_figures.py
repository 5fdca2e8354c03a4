"""Measure the arms of a what-if against the first of them, by repeats that share their luck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mbpo.comparison.measure import bootstrap_rng
from mbpo.comparison.statistics import NO_INTERVAL, Interval, paired_t, probability_of_best

RESAMPLES = 10_000

Scores = Mapping[str, Mapping[int, float]]  # of each arm, the score in each repeat that has one


@dataclass(frozen=True)
class ArmFigure:
    """Hold how one arm did by one score; NaN where too few repeats are there."""

    arm: str
    repeats: int  # that have a score
    of: int
    mean: float
    std: float  # over repeats, n − 1 in the denominator
    differences: Mapping[int, float]  # its score − the first arm's, in each repeat that both have
    difference: float  # their mean
    interval: Interval
    best: float  # P(best), over the repeats that every arm with a score has


def figures(scores: Scores, repeats: int) -> tuple[ArmFigure, ...]:
    """Return the figures of every arm; the first is what the others are compared with."""
    first = next(iter(scores))
    there = [arm for arm, own in scores.items() if own]
    common = sorted(set.intersection(*(set(scores[arm]) for arm in there))) if there else []
    best = dict.fromkeys(scores, math.nan)
    if common and len(there) > 1:
        table = np.array([[scores[arm][repeat] for repeat in common] for arm in there])  # [A, N]
        best.update(zip(there, probability_of_best(table, bootstrap_rng(), RESAMPLES).tolist(), strict=True))
    beside = {arm: {} if arm == first else scores[first] for arm in scores}
    return tuple(_figure(arm, own, beside[arm], repeats, best[arm]) for arm, own in scores.items())


def _figure(arm: str, own: Mapping[int, float], first: Mapping[int, float], of: int, best: float) -> ArmFigure:
    values = np.array(list(own.values()))
    n = values.size
    mean = float(values.mean()) if n else math.nan
    std = float(values.std(ddof=1)) if n > 1 else math.nan
    pairs = [repeat for repeat in own if repeat in first]
    differences = {repeat: own[repeat] - first[repeat] for repeat in pairs}
    if not pairs:
        return ArmFigure(arm, n, of, mean, std, {}, math.nan, NO_INTERVAL, best)
    x, y = (np.array([scores[repeat] for repeat in pairs]) for scores in (own, first))
    return ArmFigure(arm, n, of, mean, std, differences, *paired_t(x, y), best)
