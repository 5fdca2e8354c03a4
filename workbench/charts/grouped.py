"""Draw groups of seeds: the IQM of each with its 95 % band; of the one in focus its seeds too, thin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mbpo.settings.language import tr
from workbench.charts.picture import GREY, LOG, UNMARKED, Line, Picture, run_color
from workbench.format import number
from workbench.groups_side_by_side import GroupCompared, GroupComparison
from workbench.series import Floats

FEW = 1  # groups, up to which the seeds of the one in focus are drawn beside its band


def mark_of(group: GroupCompared) -> str:
    """Return the letter that tells a group apart, or the sign of one that has none."""
    return group.letter or UNMARKED


def color_of(group: GroupCompared) -> str:
    """Return the colour that goes with its letter."""
    return run_color(mark_of(group))


def bands(label: str, key: str, empty: str) -> Callable[[GroupComparison, bool], Picture]:
    """Return what draws one metric of all groups."""

    def draw(comparison: GroupComparison, on: bool) -> Picture:
        return banded(comparison, label, key, empty)

    return draw


def banded(comparison: GroupComparison, label: str, key: str, empty: str) -> Picture:
    """Show the IQM of one metric of every group, with its band."""
    lines = [line for group in comparison.groups if (line := band_line(group, key)) is not None]
    return Picture(
        label, lines=tuple(lines), x_range=_span(comparison, lines), goes_on=True, empty=_awaited(comparison, empty)
    )


def returns_of_groups(comparison: GroupComparison, smooth: bool) -> Picture:
    """Show the evaluations of every group, those of training episodes before there are any."""
    key = "eval/return_mean"
    if not any(key in group.detail.bands for group in comparison.groups):
        key = "episode/return"
    label = tr("evaluation") if key.startswith("eval") else tr("return")
    picture = banded(comparison, label, key, tr("waiting for an evaluation"))
    seeds = [line for group in comparison.groups for line in _seed_lines(group, len(comparison.groups))]
    lines = (*seeds, *picture.lines)
    return replace(picture, lines=lines, x_range=_span(comparison, list(lines)), goes_on=True)


def errors_of_groups(comparison: GroupComparison, squared: bool) -> Picture:
    """Show the model error of every group on new data."""
    key = "model/new_data_mse" if squared else "bound/eps_m_new"
    picture = banded(comparison, f"MSE{LOG}" if squared else "ε_m′", key, tr("waiting for new data"))
    return replace(picture, log_y=squared)


def band_line(group: GroupCompared, key: str) -> Line | None:
    """Return the IQM of a metric and its band, None where no seed has it."""
    band = group.detail.bands.get(key)
    if band is None or not len(band.x):
        return None
    last = float(band.middle[-1])
    low, high = float(band.low[-1]), float(band.high[-1])
    value = number(last) + (f" [{number(low)}…{number(high)}]" if number(low) != number(high) else "")
    few = len(band.x) <= 40
    return Line(
        mark_of(group),
        "IQM" if group.folded else "",
        value,
        color_of(group),
        band.x,
        band.middle,
        band.low,
        band.high,
        glyph="●" if few and not group.letter else "",
        bold=True,
        lead=group.focused,
    )


def _seed_lines(group: GroupCompared, groups: int) -> list[Line]:
    if not group.focused or not group.folded or groups > FEW:
        return []
    return [Line("", "", "", GREY, points.x, points.y) for points in group.detail.returns if len(points.x)]


def _span(comparison: GroupComparison, lines: list[Line]) -> tuple[float, float]:
    ends = [float(line.x[-1]) for line in lines if len(line.x)]
    steps = [float(row.env_steps) for group in comparison.groups for row in group.seeds]
    return 0.0, max([*ends, *steps, 1.0])


def _awaited(comparison: GroupComparison, empty: str) -> str:
    read, of = (sum(getattr(group.detail, name) for group in comparison.groups) for name in ("read", "of"))
    return tr("reading: {n} of {of} runs", n=read, of=of) if read < of else empty


def last_of(group: GroupCompared, key: str) -> tuple[float, float, float]:
    """Return the newest IQM of a metric and its band; NaN where there is none."""
    band = group.detail.bands.get(key)
    if band is None or not len(band.x):
        return math.nan, math.nan, math.nan
    return float(band.middle[-1]), float(band.low[-1]), float(band.high[-1])


def ends_of(curves: list[Floats]) -> Floats:
    """Return all values of some curves."""
    return np.concatenate(curves or [np.ones(1)])
