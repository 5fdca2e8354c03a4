"""Define what is known of groups of runs over their seeds: frozen, handed from the reader thread to the screens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench.series import Floats, Points

Interval = tuple[float, float]
NO_INTERVAL = (math.nan, math.nan)


@dataclass(frozen=True)
class GroupAsked:
    """Ask for the figures of runs that differ in their seed only; of one run, where it is compared with groups."""

    path: Path  # stands for the group: that of its line
    env_id: str
    seeds: tuple[tuple[int, Path, bool], ...]  # seed, run directory, and whether a learner is at work there
    drawn: bool = False  # whether curves are wanted, not only the figures of its line
    against: bool = False  # whether the others are set against this one alone


@dataclass(frozen=True)
class GroupScore:
    """Hold the evaluations of a group at the last env step that all its seeds share; NaN where they share none."""

    at: float = math.nan
    seeds: int = 0  # that were evaluated
    of: int = 0
    iqm: float = math.nan
    band: Interval = NO_INTERVAL  # 95 %
    mean: float = math.nan
    std: float = math.nan  # over seeds
    read: bool = False  # whether every seed was read as far as it is


@dataclass(frozen=True, eq=False)
class Band:
    """Hold the IQM of a metric over seeds along the env steps that all of them reached, and its 95 % band."""

    x: Floats
    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class GroupDetail:
    """Hold the curves of a group."""

    version: int  # differs whenever the rest does
    bands: Mapping[str, Band] = field(default_factory=dict)
    returns: tuple[Points, ...] = ()  # evaluations of each seed, of many seeds some
    read: int = 0  # seeds read as far as they are
    of: int = 0


@dataclass(frozen=True)
class Versus:
    """Hold how often a seed of one group does better than one of another, at the step that all share."""

    better: float
    interval: Interval


@dataclass(frozen=True)
class GroupsRead:
    """Hold all that was read of the groups asked for."""

    scores: Mapping[Path, GroupScore] = field(default_factory=dict)
    details: Mapping[Path, GroupDetail] = field(default_factory=dict)
    common: Mapping[Path, GroupScore] = field(default_factory=dict)
    """Those compared, at the last env step that all of one environment share."""
    versus: Mapping[tuple[Path, Path], Versus] = field(default_factory=dict)
    version: int = 0
