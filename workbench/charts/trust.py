"""Chart what was measured of the model and the critics, and the theorem's k* beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mbpo.runs.metrics import WINDOWED
from mbpo.settings.language import tr
from mbpo.trust.bound import why_not_told
from mbpo.trust.verdict import BY_STEP
from workbench.charts.best_length import best_length_of
from workbench.charts.bound import WITHOUT_BOUND
from workbench.charts.model_error import WITHOUT_MODEL
from workbench.charts.picture import GREEN, ORANGE, SKY, VERMILLION, YELLOW, Line, Marker, Picture
from workbench.charts.scene import Scene
from workbench.format import number, whole
from workbench.messages import Points
from workbench.series import Floats, at_steps
from workbench.trust_words import is_older

SECOND_REFIT = tr("waiting for the second refit")
MOST_K_STAR = 60  # steps, up to which k* may stretch the axis: the horizon is measured up to 50
HORIZON, USED = "trust/horizon_steps", "rollout/length_mean"
K_STAR_ENDS = ("bound/k_star_low", "bound/k_star_high")

ESSAY = tr("""\
Each real row is scored by the model before a refit trains on it, and figures go over the newest
whole episodes: at least five, and 2,000 rows. So they tell the model of now on the states of now.

Left alone from a real state, with the actions that were really taken, the model errs more with
every step. The trusted steps are those for which it errs less than a guess that knows the mean
change only. Rollouts choose their own actions: they may err sooner. Of intervals, those of 90 %
should hold 90 % of what happens: fewer, and the model is surer than it should be. The critics are
held to what came after the first state of each episode of an evaluation, the entropy that they
count in taken off.

All of this is measured. The theorem's k* is not: it follows from a bound, a worst case.""")


@dataclass(frozen=True)
class TrustChart:
    """Describe a chart of the trust screen: a row in ``TRUST_CHARTS`` is a panel there, and lines in the help."""

    name: str
    title: str
    picture: Callable[[Scene], Picture]
    explained: tuple[str, ...]  # metrics that the help explains
    words: Callable[[Scene], str] = lambda scene: ""  # below it, as of now
    without: tuple[str, ...] = WITHOUT_MODEL  # algorithms that have nothing to show here


def _awaited(scene: Scene, waiting: str) -> str:
    return tr("not measured by the version that logged it") if is_older(scene.detail) else waiting


def lengths_picture(scene: Scene) -> Picture:
    """Show for how many steps the model is worth following, how many are in use, and what the theorem asks for."""
    detail = scene.detail
    lines = []
    if (points := detail.series.get(HORIZON)) is not None:
        more = "+" if points.last >= detail.last("trust/horizon_longest") else ""
        lines.append(Line("t", tr("trusted"), number(points.last) + more, SKY, points.x, points.y, glyph="•"))
    if (points := detail.series.get(USED)) is not None:
        low, high = _beside(scene, points, "rollout/length_p10"), _beside(scene, points, "rollout/length_p90")
        value = f"{number(points.last)}{_span(low, high)}"
        lines.append(Line("u", tr("in use"), value, YELLOW, points.x, points.y, low, high, band="–"))
    top = max((_top(line) for line in lines), default=0.0)
    if (points := detail.series.get("bound/k_star")) is not None:
        line = _k_star(scene, points)
        lines.append(line)
        top = max(top, min(_top(line), MOST_K_STAR))
    return Picture(
        tr("steps"),
        lines=tuple(lines),
        markers=scene.markers,
        x_range=scene.span,
        goes_on=True,
        y_range=(0.0, 1.15 * max(top, 1.0)),
        empty=_awaited(
            scene, SECOND_REFIT if detail.config.get("algo") in WITHOUT_BOUND else tr("waiting for the first refit")
        ),
    )


def _k_star(scene: Scene, points: Points) -> Line:
    """Return k* with its band, a gap where it could not be told."""
    low, high = (_beside(scene, points, key) for key in K_STAR_ENDS)
    error = _beside(scene, points, "bound/eps_m_new")
    told = np.array([_told(*values) for values in zip(error, low, high, strict=True)], dtype=bool)
    measured = scene.detail.series.get(WINDOWED)
    since = float(measured.x[0]) if measured is not None else math.inf  # before, an older version measured no band
    y = np.where(told | (points.x < since), points.y, np.nan)
    words = best_length_of(scene.detail).words
    band = np.where(told, low, np.nan), np.where(told, high, np.nan)
    return Line("s", "k*", words, GREEN, points.x, y, *band, band="–")


def _told(error: float, low: float, high: float) -> bool:
    return not math.isnan(error + low + high) and not why_not_told(error, low, high)


def _beside(scene: Scene, points: Points, key: str) -> Floats:
    """Return another metric at the env steps of ``points``."""
    other = scene.detail.series.get(key)
    return np.full(points.x.shape, np.nan) if other is None else at_steps(other.x, other.y, points.x)


def _span(low: Floats, high: Floats) -> str:
    if not len(low) or math.isnan(low[-1] + high[-1]) or low[-1] == high[-1]:
        return ""
    return f" ({number(float(low[-1]))}–{number(float(high[-1]))})"


def _top(line: Line) -> float:
    values = np.concatenate([part for part in (line.y, line.high) if part is not None])
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))


def _stopped(scene: Scene) -> str:
    share = scene.detail.last("rollout/stopped_share")
    return tr("its rule stopped {share:.0%}", share=share) if 0 < share <= 1 else ""


def coverage_picture(scene: Scene) -> Picture:
    """Show how many outcomes lie inside the model's intervals, beside how many should."""
    return Picture(
        tr("share inside"),
        lines=_lines(
            scene,
            ("5", "50 %", SKY, "trust/coverage_50"),
            ("9", "90 %", ORANGE, "trust/coverage_90"),
            ("w", tr("worst 90 %"), VERMILLION, "trust/coverage_90_worst"),
        ),
        markers=scene.markers,
        x_range=scene.span,
        goes_on=True,
        y_range=(0.0, 1.03),
        rules=(0.5, 0.9),
        empty=_awaited(scene, SECOND_REFIT),
    )


def promises_picture(scene: Scene) -> Picture:
    """Show what the critics promised at the starts of evaluations, and what came."""
    promised, came = ("p", tr("promised"), ORANGE, "trust/q_mean"), ("c", tr("came"), SKY, "trust/return_discounted")
    return Picture(
        tr("discounted"),
        lines=_lines(scene, promised, came, nearest=True),
        markers=scene.markers,
        x_range=scene.span,
        goes_on=True,
        empty=_awaited(scene, tr("waiting for the first evaluation")),
    )


def _lines(scene: Scene, *rows: tuple[str, str, str, str], nearest: bool = False) -> tuple[Line, ...]:
    return tuple(
        Line(letter, label, number(points.last), color, points.x, points.y, glyph="•", nearest=nearest)
        for letter, label, color, key in rows
        if (points := scene.detail.series.get(key)) is not None
    )


def _bias(scene: Scene) -> str:
    bias = scene.detail.last("trust/q_bias")
    return tr("bias {bias}", bias=f"{'+' if bias > 0 else ''}{number(bias)}") if math.isfinite(bias) else ""


def errors_picture(scene: Scene) -> Picture:
    """Show the newest refit's error after so many imagined steps."""
    detail = scene.detail
    steps = np.array(BY_STEP, dtype=np.float64)
    errors = np.array([detail.last(f"trust/error_{step}") for step in BY_STEP])
    used, horizon = detail.last(USED), detail.last(HORIZON)
    marks = (
        (used, tr("in use {k}", k=number(used)), YELLOW, "│"),
        (horizon, tr("trusted {k}", k=number(horizon)), SKY, "┊"),
    )
    known = np.flatnonzero(np.isfinite(errors))
    label, newest, top = "", "", 1.0
    if len(known):
        label, newest = tr("after {n} steps", n=BY_STEP[known[-1]]), number(float(errors[known[-1]]))
        top = float(errors[known].max()) or top
    return Picture(
        tr("in spreads of a state"),
        x_label=tr("imagined steps"),
        lines=(Line("e", label, newest, ORANGE, steps, errors, glyph="●", nearest=True),),
        markers=tuple(Marker(*mark) for mark in marks if 0 <= mark[0] <= steps[-1]),
        x_range=(0.0, float(steps[-1]) + 1),
        y_range=(0.0, 1.15 * top),
        empty=_awaited(scene, SECOND_REFIT),
    )


def _refit(scene: Scene) -> str:
    points = scene.detail.series.get("trust/error_1")
    return tr("refit @ {step}", step=whole(float(points.x[-1]))) if points is not None else ""


TRUST_CHARTS = (
    TrustChart("lengths", tr("steps trusted, and in use"), lengths_picture, (HORIZON, USED), _stopped),
    TrustChart("errors", tr("error by horizon"), errors_picture, ("trust/error_5",), _refit),
    TrustChart("coverage", tr("intervals"), coverage_picture, ("trust/coverage_50", "trust/coverage_90")),
    TrustChart(
        "promises", tr("critics"), promises_picture, ("trust/q_mean", "trust/return_discounted"), _bias, ("pets",)
    ),
)
