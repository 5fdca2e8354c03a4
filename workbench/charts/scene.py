"""Hold what the charts of a run share: its numbers, its changes, the env steps they span. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mbpo.settings.language import tr
from workbench.changes import Change
from workbench.charts.picture import GREY, Line, Marker, Picture
from workbench.charts.x_axis import STEPS, Placed, XAxis
from workbench.dials import shortened
from workbench.fork_tree import origin
from workbench.format import number
from workbench.messages import Points, RunDetail, RunRow
from workbench.series import Floats, ema, smoothing_weight, spread

MOST_STEPS = 1000  # that k can be
MOST_LABEL = 24  # characters beside a line


@dataclass(frozen=True)
class Scene:
    """Hold what all charts of a run share."""

    detail: RunDetail
    changes: tuple[Change, ...] = ()
    env_steps: int = 0  # as of now, beyond the newest row of metrics
    k: float = math.nan  # in force
    forked_at: float = math.nan  # env steps; what is before it is the parent's
    threshold: float | None = None  # the return from which on the task counts as solved
    solved_at: int | None = None  # env step
    axis: XAxis = STEPS

    def over(self, axis: XAxis) -> Scene:
        """Return the same scene on another x axis: everything that stands at an env step here is put there."""
        if axis is STEPS or not axis.is_known(self.detail):
            return replace(self, axis=axis)
        steps = np.array([self.forked_at, *(change.at for change in self.changes)])
        forked_at, *ats = axis.places(self.detail, steps).tolist()
        changes = tuple(replace(change, at=at) for change, at in zip(self.changes, ats, strict=True))
        detail = replace(self.detail, series=Placed(self.detail, axis))
        return replace(self, detail=detail, changes=changes, forked_at=forked_at, axis=axis)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Return a vertical line for each applied change of a setting, and where a fork begins."""
        if math.isnan(self.forked_at):
            return markers_of(self.changes)
        return Marker(self.forked_at, tr("⑂ fork"), GREY), *markers_of(self.changes)

    def labelled(self, picture: Picture) -> Picture:
        """Return a picture of this scene with the name of its axis, where it is drawn over the run."""
        if self.axis is STEPS or picture.x_label != STEPS.label:
            return picture
        if not self.axis.is_known(self.detail):
            picture = replace(picture, lines=(), empty=tr("no row of this run tells {axis}", axis=self.axis.label))
        return on_axis(picture, self.axis)

    @property
    def k_shown(self) -> float:
        """Return the k in force, 0 before it is known."""
        return self.k if math.isfinite(self.k) else 0.0

    def awaited(self, waiting: str, without: Collection[str]) -> str:
        """Say what an empty chart is ``waiting`` for, or that a run of an algorithm ``without`` it never shows any."""
        algo = self.detail.config.get("algo")
        return tr("algo {algo} has none", algo=algo) if algo in without else waiting

    @property
    def span(self) -> tuple[float, float]:
        """Return the axis from 0 to now, the same on every chart."""
        if self.axis is not STEPS and self.axis.is_known(self.detail):
            return 0.0, self.axis.end(self.detail) or 1.0
        ends = [float(p.x[-1]) for p in self.detail.series.values() if len(p.x)]
        return 0.0, max([*ends, *(m.x for m in self.markers), float(self.env_steps), 1.0])


def scene_of(row: RunRow | None, detail: RunDetail | None, changes: Iterable[Change]) -> Scene:
    """Return the scene of a run as it is listed and as it was read; before that, an empty one."""
    known = detail if detail is not None else RunDetail(Path(), 0)
    if row is None:
        return Scene(known, tuple(changes), k=k_in_force(row, known))
    solved = row.threshold, row.solved_at
    return Scene(known, tuple(changes), row.env_steps, k_in_force(row, known), _forked_at(row), *solved)


def _forked_at(row: RunRow | None) -> float:
    _, at = origin(row.parent) if row is not None else ("", -1)
    return float(at) if row is not None and 0 <= at <= row.env_steps else math.nan


def k_in_force(row: RunRow | None, detail: RunDetail) -> float:
    """Return k as configured by number, else as logged last; NaN where it is neither."""
    configured = row.controls.get("rollout_length") if row is not None else None
    k = configured if type(configured) is int else detail.last("rollout/length")
    return float(k) if 0 <= k <= MOST_STEPS else math.nan


def markers_of(changes: Iterable[Change]) -> tuple[Marker, ...]:
    """Return a vertical line for each applied change of a setting."""
    return tuple(
        Marker(change.at, shortened(change.what).replace(" → ", "→")[:MOST_LABEL])
        for change in changes
        if change.status == "applied" and change.settings and math.isfinite(change.at)
    )


def smoothed(
    letter: str,
    label: str,
    color: str,
    points: Points,
    weight: float | None = None,  # of the moving average, 0: none; None: a twentieth of the points are in its window
    band: bool = True,
) -> Line:
    """Return the moving average with a band of one standard deviation, or the raw points."""
    weight = smoothing_weight(len(points.y)) if weight is None else weight
    if weight == 0:
        return Line(letter, label, number(points.last), color, points.x, points.y)
    mean = points.once(("mean", weight), lambda: ema(points.y, weight))
    line = Line(letter, label, number(float(mean[-1]) if len(mean) else math.nan), color, points.x, mean)
    if not band:
        return line
    low, high = points.once(("band", weight), lambda: _band(points, mean, weight))
    return replace(line, low=low, high=high)


def _band(points: Points, mean: Floats, weight: float) -> tuple[Floats, Floats]:
    width = spread(points.y, weight)
    return mean - width, mean + width


def on_axis(picture: Picture, axis: XAxis) -> Picture:
    """Return a picture over the run with the name of the axis that it is drawn on."""
    run = picture.x_label == STEPS.label
    return replace(picture, x_label=axis.label, seconds=axis.seconds) if run else picture


def from_zero(lines: list[Line]) -> tuple[float, float] | None:
    """Return a range from 0 that shows all lines, if there is anything above it."""
    tops = [float(np.nanmax(line.y)) for line in lines if np.isfinite(line.y).any()]
    return (0.0, max(tops) * 1.15) if tops and max(tops) > 0 else None
