"""Declare what is asked of groups of runs, and the figures that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mbpo.comparison.groups import Group
from mbpo.comparison.statistics import Interval
from mbpo.runs.metrics import METRICS

Axis = Literal["env_steps", "time_s"]
Until = Literal["first", "solved"]


@dataclass(frozen=True)
class Question:
    """Hold what is asked of the runs."""

    metric: str = "eval/return_mean"
    at: tuple[float, ...] = ()  # env steps, besides the last common one
    axes: tuple[Axis, ...] = ("env_steps",)
    threshold: float | None = None
    resamples: int = 2000

    @property
    def sign(self) -> float:
        """Return −1 where smaller values of the metric are better, else 1."""
        return -1.0 if METRICS[self.metric].better == "down" else 1.0


@dataclass(frozen=True)
class Score:
    """Hold a group's scores at one point of one axis; NaN where too few seeds are there."""

    group: str
    by: Axis
    at: float
    seeds: int  # that have a value there
    of: int  # seeds in the group
    mean: float
    std: float  # over seeds, n − 1 in the denominator
    iqm: float
    iqm_interval: Interval


@dataclass(frozen=True)
class Pair:
    """Hold how the seeds of group X do against those of Y at one point of one axis."""

    x: str
    y: str
    by: Axis
    at: float
    seeds_x: int
    seeds_y: int
    improvement: float  # P(X better than Y)
    improvement_interval: Interval
    difference: float  # mean of x − y where both have the same seeds, else NaN
    difference_interval: Interval


@dataclass(frozen=True)
class Reach:
    """Hold how many seeds of a group got to the threshold; a median is infinite for "never"."""

    group: str
    until: Until
    reached: int
    of: int
    env_steps: float  # median over seeds
    time_s: float  # median over seeds, wall seconds


@dataclass(frozen=True)
class Lead:
    """Hold how much sooner the seeds of group X get to the threshold than those of Y, in env steps.

    What cannot be told, as of two seeds that never do, is a tie; in the difference "never" counts as the run's end.
    """

    x: str
    y: str
    until: Until
    seeds_x: int
    seeds_y: int
    sooner: float  # P(X sooner)
    sooner_interval: Interval
    saved: float  # mean of Y's steps − X's where both have the same seeds, else NaN
    saved_interval: Interval


@dataclass(frozen=True)
class Figures:
    """Hold all that is said of one environment."""

    env_id: str
    groups: tuple[Group, ...]
    scores: tuple[Score, ...]
    pairs: tuple[Pair, ...]
    reaches: tuple[Reach, ...]
    leads: tuple[Lead, ...]
