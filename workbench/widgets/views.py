"""Say what each chart shows of a run. Pure functions from a snapshot to a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mbpo.bound import gap_ratio
from workbench.format import number, whole
from workbench.messages import Points, RunDetail
from workbench.series import Floats, ema, smoothing_weight, spread
from workbench.steering import Change
from workbench.widgets.picture import (
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    YELLOW,
    Line,
    Marker,
    Picture,
)

MAX_K = 200
DEFAULT_GAMMA = 0.99
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
        "return", lines=tuple(lines), markers=scene.markers, x_range=scene.span,
        empty="waiting for the first episode to end",
    )  # fmt: skip


def _band(mean: Points, std: Points | None) -> tuple[Floats | None, Floats | None]:
    if std is None or len(std.y) != len(mean.y):
        return None, None
    return mean.y - std.y, mean.y + std.y


def smoothed(letter: str, label: str, color: str, points: Points, smooth: bool) -> Line:
    """Return the moving average with a band of one standard deviation, or the raw points."""
    weight = smoothing_weight(len(points.y))
    if not smooth or weight == 0:
        return Line(letter, label, number(points.last), color, points.x, points.y)
    mean, width = ema(points.y, weight), spread(points.y, weight)
    last = number(float(mean[-1]))
    return Line(letter, label, last, color, points.x, mean, mean - width, mean + width)


def gamma_of(detail: RunDetail) -> float:
    """Return the discount of the run's configuration."""
    gamma = detail.config.get("gamma", DEFAULT_GAMMA)
    valid = isinstance(gamma, (int, float)) and 0 <= gamma < 1
    return float(gamma) if valid else DEFAULT_GAMMA


def bound_picture(scene: Scene) -> Picture:
    """Show C(k)/C(0) over k with the k in force and the best k."""
    detail, k = scene.detail, scene.k_shown
    rho, gamma = detail.last("bound/rho"), gamma_of(detail)
    if not math.isfinite(rho) or rho < 0:
        waiting = "first refit" if "bound/eps_m" not in detail.series else "new on-policy data"
        return Picture("C(k)/C(0)", x_label="k (steps)", empty=f"waiting for the {waiting}")
    k_star = detail.last("bound/k_star")
    reach = max(k, k_star if math.isfinite(k_star) else 0.0)
    most = int(min(max(10.0, 1.6 * reach), MAX_K))
    lengths = np.linspace(0.0, most, min(most * 4, 400) + 1)
    curve = np.array([gap_ratio(float(length), gamma, rho) for length in lengths])
    markers = [Marker(k, f"k={number(k)}", YELLOW, "│")]
    if math.isfinite(k_star) and k_star <= most:
        markers.append(Marker(k_star, f"k*={number(k_star)}", GREEN, "┊"))
    now = gap_ratio(k, gamma, rho)
    here = Line("●", "now", number(now), YELLOW, np.array([k]), np.array([now]))
    facts = f"ρ={number(rho)} γ={number(gamma, 4)}"
    line = Line("C", "over k", facts, SKY, lengths, curve)
    return Picture(
        "C(k)/C(0)", x_label="k (steps)", lines=(line, here), markers=tuple(markers),
        x_range=(0.0, float(most)), y_range=_bound_range(curve), rule=1.0,
    )  # fmt: skip


def _bound_range(curve: Floats) -> tuple[float, float]:
    low, high = min(float(curve.min()), 1.0), max(float(curve.max()), 1.0)
    room = max((high - low) * 0.08, 0.01)
    return low - room, high + room


def bound_words(scene: Scene) -> str:
    """Say what the bound promises at the k in force."""
    detail, k = scene.detail, scene.k_shown
    rho, over = detail.last("bound/rho"), detail.last("bound/c_over_gap")
    if not math.isfinite(rho):
        return ""
    words = [f"k* = {number(detail.last('bound/k_star'))}"]
    if rho >= 0:
        words.append(f"C({number(k)})/C(0) = {number(gap_ratio(k, gamma_of(detail), rho))}")
    if math.isfinite(over):
        words.append(f"{'vacuous: ' if over >= 1 else ''}{number(over, 2)}× the gap")
    return " · ".join(words)


ERRORS = (
    ("m", "ε_m", SKY, "bound/eps_m"),
    ("n", "ε_m′ new", ORANGE, "bound/eps_m_new"),
    ("p", "ε_π", GREEN, "bound/eps_pi"),
)
SQUARED = (
    ("h", "holdout", SKY, "model/holdout_mse"),
    ("n", "new data", VERMILLION, "model/new_data_mse"),
)


def error_picture(scene: Scene, squared: bool) -> Picture:
    """Show the model's error: total variation, or mean squared on a log axis."""
    known = [
        Line(letter, name, number(points.last), color, points.x, points.y, glyph="•")
        for letter, name, color, key in (SQUARED if squared else ERRORS)
        if (points := scene.detail.series.get(key)) is not None
    ]
    return Picture(
        "MSE (log)" if squared else "total variation", lines=tuple(known), markers=scene.markers,
        x_range=scene.span, log_y=squared, empty="waiting for the first refit",
    )  # fmt: skip


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
        lines.append(
            Line("m", "measured", last, YELLOW, points.x, points.y, glyph="•", joined=False)
        )
    unlabelled = tuple(replace(m, label="") for m in scene.markers)
    return Picture(
        label, lines=tuple(lines), markers=unlabelled, x_range=scene.span, note=note,
        y_range=_from_zero(lines), empty="waiting for the first rollouts",
    )  # fmt: skip


def _from_zero(lines: list[Line]) -> tuple[float, float] | None:
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
