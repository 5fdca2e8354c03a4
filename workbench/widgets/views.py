"""Say what each chart shows of a run. Pure functions from a snapshot to a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from workbench.format import number, whole
from workbench.messages import Points, RunDetail, RunRow
from workbench.series import Floats, ema, smoothing_weight, spread
from workbench.steering import Change
from workbench.widgets.picture import GREEN, GREY, ORANGE, SKY, VERMILLION, YELLOW, Line, Marker, Picture

MOST_STEPS = 1000  # that k can be
NONE = np.zeros(0)


@dataclass(frozen=True)
class Scene:
    """Hold what all charts of a run share."""

    detail: RunDetail
    changes: tuple[Change, ...] = ()
    env_steps: int = 0  # as of now, beyond the newest row of metrics
    k: float = math.nan  # in force
    forked_at: float = math.nan  # env steps; what is before it is the parent's

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Return a vertical line for each applied change of a setting, and where a fork begins."""
        if math.isnan(self.forked_at):
            return markers_of(self.changes)
        return Marker(self.forked_at, "⑂ fork", GREY), *markers_of(self.changes)

    @property
    def k_shown(self) -> float:
        """Return the k in force, 0 before it is known."""
        return self.k if math.isfinite(self.k) else 0.0

    @property
    def span(self) -> tuple[float, float]:
        """Return the env steps from 0 to now, the same on every chart."""
        ends = [float(p.x[-1]) for p in self.detail.series.values() if len(p.x)]
        return 0.0, max([*ends, *(m.x for m in self.markers), float(self.env_steps), 1.0])


def k_in_force(row: RunRow | None, detail: RunDetail) -> float:
    """Return k as configured by number, else as logged last; NaN where it is neither."""
    configured = row.controls.get("rollout_length") if row is not None else None
    k = configured if type(configured) is int else detail.last("rollout/length")
    return float(k) if 0 <= k <= MOST_STEPS else math.nan


def markers_of(changes: Iterable[Change]) -> tuple[Marker, ...]:
    """Return a vertical line for each applied change of a setting."""
    return tuple(
        Marker(change.at, short_label(change.what))
        for change in changes
        if change.status == "applied" and change.settings and math.isfinite(change.at)
    )


def short_label(what: str) -> str:
    """Shorten ``k 1 → 3, real_ratio 0.05 → 0.1`` to what fits beside a line."""
    return what.replace("real_ratio", "rr").replace(" → ", "→")[:24]


def return_picture(scene: Scene, smooth: bool) -> Picture:
    """Show returns of training episodes and of evaluations."""
    lines = []
    detail = scene.detail
    episodes = detail.series.get("episode/return")
    if episodes is not None:
        lines.append(smoothed("e", "episodes", SKY, episodes, smooth))
    mean, std = detail.series.get("eval/return_mean"), detail.series.get("eval/return_std")
    if mean is not None:
        low, high = _band(mean, std)
        value = number(mean.last) + (f" ± {number(std.last, 2)}" if std is not None else "")
        lines.append(Line("E", "evaluation", value, ORANGE, mean.x, mean.y, low, high, glyph="●"))
    return Picture(
        "return",
        lines=tuple(lines),
        markers=scene.markers,
        x_range=scene.span,
        empty="waiting for the first episode to end",
    )


def _band(mean: Points, std: Points | None) -> tuple[Floats | None, Floats | None]:
    if std is None or len(std.y) != len(mean.y):
        return None, None
    return mean.y - std.y, mean.y + std.y


def smoothed(letter: str, label: str, color: str, points: Points, smooth: bool, band: bool = True) -> Line:
    """Return the moving average with a band of one standard deviation, or the raw points."""
    weight = smoothing_weight(len(points.y))
    if not smooth or weight == 0:
        return Line(letter, label, number(points.last), color, points.x, points.y)
    mean = ema(points.y, weight)
    line = Line(letter, label, number(float(mean[-1])), color, points.x, mean)
    if not band:
        return line
    width = spread(points.y, weight)
    return replace(line, low=mean - width, high=mean + width)


ERRORS = (
    ("m", "ε_m", SKY, "bound/eps_m"),
    ("n", "ε_m′ new", ORANGE, "bound/eps_m_new"),
    ("p", "ε_π", GREEN, "bound/eps_pi"),
)
SQUARED = (("h", "holdout", SKY, "model/holdout_mse"), ("n", "new data", VERMILLION, "model/new_data_mse"))


def error_picture(scene: Scene, squared: bool) -> Picture:
    """Show the model's error: total variation, or mean squared on a log axis."""
    known = [
        Line(letter, name, number(points.last), color, points.x, points.y, glyph="•")
        for letter, name, color, key in (SQUARED if squared else ERRORS)
        if (points := scene.detail.series.get(key)) is not None
    ]
    return Picture(
        "MSE (log)" if squared else "total variation",
        lines=tuple(known),
        markers=scene.markers,
        x_range=scene.span,
        log_y=squared,
        empty="waiting for the first refit",
    )


def length_picture(scene: Scene) -> Picture:
    """Show k as configured and as measured."""
    rows = scene.detail.last("rollout/rows")
    note = f"{whole(rows)} rows a refit" if math.isfinite(rows) else ""
    return _mix(scene, "k (steps)", "rollout/length", "rollout_length", note)


def ratio_picture(scene: Scene) -> Picture:
    """Show real_ratio as configured and as measured from the batches."""
    return _mix(scene, "real_ratio", "mix/real_ratio", "real_ratio")


def _mix(scene: Scene, label: str, key: str, setting: str, note: str = "") -> Picture:
    lines = []
    if (points := scene.detail.series.get(key)) is not None:
        x, y = in_force(points, scene, setting)
        lines.append(Line("c", "configured", number(float(y[-1])), SKY, x, y))
    if (points := scene.detail.series.get(f"{key}_measured")) is not None:
        last = number(points.last)
        lines.append(Line("m", "measured", last, YELLOW, points.x, points.y, glyph="•", joined=False))
    unlabelled = tuple(replace(m, label="") for m in scene.markers)
    return Picture(
        label,
        lines=tuple(lines),
        markers=unlabelled,
        x_range=scene.span,
        note=note,
        y_range=from_zero(lines),
        empty="waiting for the first rollouts",
    )


def from_zero(lines: list[Line]) -> tuple[float, float] | None:
    """Return a range from 0 that shows all lines, if there is anything above it."""
    tops = [float(np.nanmax(line.y)) for line in lines if np.isfinite(line.y).any()]
    return (0.0, max(tops) * 1.15) if tops and max(tops) > 0 else None


def in_force(points: Points, scene: Scene, setting: str) -> tuple[Floats, Floats]:
    """Return the value in force as steps: logged values, and changes from the step they hold."""
    changed = [
        (change.at, float(value))
        for change in scene.changes
        if isinstance(value := change.new.get(setting), (int, float)) and change.status == "applied"
    ]
    x = np.concatenate([points.x, [at for at, _ in changed]])
    y = np.concatenate([points.y, [value for _, value in changed]])
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    return np.append(np.repeat(x, 2)[1:], scene.span[1]), np.repeat(y, 2)
