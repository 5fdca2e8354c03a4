"""Say what each chart shows of a run. Pure functions from a snapshot to a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from mbpo.bound import gap_ratio
from workbench.format import number, whole
from workbench.messages import Points, RunDetail
from workbench.series import Floats, ema, smoothing_weight, spread
from workbench.steering import Change
from workbench.widgets.picture import (
    GREEN,
    ORANGE,
    PURPLE,
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


def return_picture(detail: RunDetail, markers: tuple[Marker, ...], smooth: bool) -> Picture:
    """Show returns of training episodes and of evaluations."""
    lines = []
    episodes = detail.series.get("episode/return")
    if episodes is not None:
        lines.append(smoothed("e", "episodes", SKY, episodes, smooth))
    mean, std = detail.series.get("eval/return_mean"), detail.series.get("eval/return_std")
    if mean is not None:
        low, high = _band(mean, std)
        value = number(mean.last) + (f" ± {number(std.last, 2)}" if std is not None else "")
        lines.append(Line("E", "evaluation", value, ORANGE, mean.x, mean.y, low, high, glyph="●"))
    return Picture(
        "return", lines=tuple(lines), markers=markers, x_range=steps_range(detail),
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


def steps_range(detail: RunDetail) -> tuple[float, float] | None:
    """Return the env steps from 0 to the newest row, the same on every chart."""
    ends = [float(points.x[-1]) for points in detail.series.values() if len(points.x)]
    return (0.0, max(ends)) if ends and max(ends) > 0 else None


def gamma_of(detail: RunDetail) -> float:
    """Return the discount of the run's configuration."""
    gamma = detail.config.get("gamma", DEFAULT_GAMMA)
    valid = isinstance(gamma, (int, float)) and 0 <= gamma < 1
    return float(gamma) if valid else DEFAULT_GAMMA


def bound_picture(detail: RunDetail, k_in_force: float) -> Picture:
    """Show C(k)/C(0) over k with the k in force and the best k."""
    rho, gamma = detail.last("bound/rho"), gamma_of(detail)
    picture = Picture("C(k)/C(0)", x_label="k (steps)", empty="waiting for the first refit")
    if not math.isfinite(rho) or rho < 0:
        return picture
    k_star = detail.last("bound/k_star")
    k = k_in_force if math.isfinite(k_in_force) else 0.0
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


def bound_words(detail: RunDetail, k_in_force: float) -> str:
    """Say what the bound promises at the k in force."""
    k_star, over = detail.last("bound/k_star"), detail.last("bound/c_over_gap")
    if not math.isfinite(detail.last("bound/rho")):
        return ""
    ratio, gamma = detail.last("bound/rho"), gamma_of(detail)
    k = k_in_force if math.isfinite(k_in_force) else 0.0
    words = [f"k* = {number(k_star)}"]
    if ratio >= 0:
        words.append(f"C({number(k)})/C(0) = {number(gap_ratio(k, gamma, ratio))}")
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


def error_picture(detail: RunDetail, markers: tuple[Marker, ...], squared: bool) -> Picture:
    """Show the model's error: total variation, or mean squared on a log axis."""
    known = [
        Line(letter, name, number(points.last), color, points.x, points.y, glyph="•")
        for letter, name, color, key in (SQUARED if squared else ERRORS)
        if (points := detail.series.get(key)) is not None
    ]
    return Picture(
        "MSE (log)" if squared else "total variation", lines=tuple(known), markers=markers,
        x_range=steps_range(detail), log_y=squared, empty="waiting for the first refit",
    )  # fmt: skip


def length_picture(detail: RunDetail, markers: tuple[Marker, ...]) -> Picture:
    """Show k as configured and as measured."""
    rows = detail.last("rollout/rows")
    return _mix(
        detail, markers, "k (steps)", "rollout/length", "rollout/length_measured",
        note=f"{whole(rows)} rows a refit" if math.isfinite(rows) else "",
    )  # fmt: skip


def ratio_picture(detail: RunDetail, markers: tuple[Marker, ...]) -> Picture:
    """Show real_ratio as configured and as measured from the batches."""
    return _mix(detail, markers, "real_ratio", "mix/real_ratio", "mix/real_ratio_measured")


def _mix(
    detail: RunDetail, markers: tuple[Marker, ...], label: str, configured: str, measured: str,
    note: str = "",
) -> Picture:  # fmt: skip
    lines = []
    if (points := detail.series.get(configured)) is not None:
        x, y = held(points, detail)
        lines.append(Line("c", "configured", number(points.last), SKY, x, y))
    if (points := detail.series.get(measured)) is not None:
        lines.append(
            Line("m", "measured", number(points.last), YELLOW, points.x, points.y, glyph="•")
        )
    unlabelled = tuple(Marker(m.x, "", PURPLE) for m in markers)
    return Picture(
        label, lines=tuple(lines), markers=unlabelled, x_range=steps_range(detail), note=note,
        y_range=_from_zero(lines), empty="waiting for the first rollouts",
    )  # fmt: skip


def _from_zero(lines: list[Line]) -> tuple[float, float] | None:
    tops = [float(np.nanmax(line.y)) for line in lines if np.isfinite(line.y).any()]
    return (0.0, max(tops) * 1.15) if tops and max(tops) > 0 else None


def held(points: Points, detail: RunDetail) -> tuple[Floats, Floats]:
    """Return the points as steps: a value holds until the next one, and until now."""
    reach = steps_range(detail)
    end = reach[1] if reach else float(points.x[-1])
    x = np.append(np.repeat(points.x, 2)[1:], end)
    return x, np.repeat(points.y, 2)
