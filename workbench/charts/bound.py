"""Chart the bound C(k)/C(0) over k, and say what it promises."""

from __future__ import annotations

import functools
import math

import numpy as np

from mbpo.settings.language import tr
from mbpo.trust.bound import gap_ratio
from workbench.charts import grouped
from workbench.charts.best_length import BestLength, best_length_of
from workbench.charts.grouped import ends_of, last_of
from workbench.charts.overlay import Overlay, color_of, mark_of
from workbench.charts.picture import SKY, YELLOW, Line, Marker, Picture
from workbench.charts.plain_comparison import least_and_most
from workbench.charts.plain_words import said_of_bound
from workbench.charts.scene import Scene, k_in_force
from workbench.charts.spec import ChartSpec, Plot
from workbench.format import number
from workbench.groups_side_by_side import GroupCompared, GroupComparison
from workbench.messages import RunDetail
from workbench.series import Floats
from workbench.side_by_side import Compared
from workbench.what_if_words import beside_the_bound

ESSAY = tr("""\
C(k) is the most return that k-step imagined rollouts can overestimate, by Theorem 4.3 of MBPO:

    C(k) = 2 r_max [γ^(k+1) ε_π/(1−γ)² + γ^k ε_π/(1−γ) + k ε_m′/(1−γ)]
    C(k)/C(0) = γ^k + k (1−γ) ρ        with ρ = ε_m′/ε_π
    k* = ⌈ln ρ / ln γ⌉, and 0 when ρ ≥ 1

Read its shape, not its height. The values are vacuous, no smaller than the largest gap two returns
can have, as soon as ε_π ≥ 1 − γ, which is most of the time. k* depends on ρ and γ only, and the
curve is flat near it: a k beside k* costs little. A larger ε_π asks for a longer k, because data of
an old policy mislead more than the model does. ε_m is a stand-in, measured at resolution σ₀.
real_ratio is not in the bound at all.

k* is shown as a band: k* over episodes drawn anew from those that ε_m′ was measured on, without the
lowest and the highest 5 %. It cannot be told where the band is wider than 20 steps, where too few
episodes are whole, or where ε_m′ is all there can be at the resolution σ₀.""")
K_STEPS = tr("k (steps)")
WITHOUT_BOUND = ("sac", "pets")  # no model, or no policy
K_STAR = ("bound/k_star", "bound/k_star_low", "bound/k_star_high")
MAX_K = 200
DEFAULT_GAMMA = 0.99


def _gamma_of(detail: RunDetail) -> float:
    """Return the discount of the run's configuration."""
    gamma = detail.config.get("gamma", DEFAULT_GAMMA)
    valid = isinstance(gamma, (int, float)) and 0 <= gamma < 1
    return float(gamma) if valid else DEFAULT_GAMMA


def bound_picture(scene: Scene, on: bool) -> Picture:
    """Show C(k)/C(0) over k with the k in force and the best k."""
    detail, k = scene.detail, scene.k_shown
    rho, gamma = detail.last("bound/rho"), _gamma_of(detail)
    if not math.isfinite(rho) or rho < 0:
        refit = "bound/eps_m" in detail.series
        waiting = tr("waiting for the new on-policy data") if refit else tr("waiting for the first refit")
        return Picture("C(k)/C(0)", x_label=K_STEPS, empty=scene.awaited(waiting, WITHOUT_BOUND))
    best = best_length_of(detail)
    most = _reach(k, *best.ends)
    lengths, curve = _curve_to(most, gamma, rho)
    y_range = _range(curve)
    now = gap_ratio(k, gamma, rho)
    here = Line("●", tr("now"), number(now), YELLOW, np.array([k]), np.array([now]), nearest=True)
    facts = f"ρ={number(rho)} γ={number(gamma, 4)}"
    line = Line("C", tr("over k"), facts, SKY, lengths, curve)
    return Picture(
        "C(k)/C(0)",
        x_label=K_STEPS,
        lines=(line, here, best.area(y_range)),
        markers=(_in_use(k), *best.markers(most)),
        x_range=(0.0, most),
        y_range=y_range,
        rules=(1.0,),
        remark=_remark(detail, best),
    )


def _remark(detail: RunDetail, best: BestLength) -> str:
    """Say why k* cannot be told, and what a what-if found."""
    return " ".join(filter(None, (best.remark, beside_the_bound(detail.what_ifs))))


def _reach(*interest: float) -> float:
    """Return the longest rollout to show, beyond what is of interest."""
    longest = max([length for length in interest if math.isfinite(length)], default=0.0)
    return float(int(min(max(10.0, 1.6 * longest), MAX_K)))


@functools.lru_cache(maxsize=256)
def _curve_to(most: float, gamma: float, rho: float) -> tuple[Floats, Floats]:
    """Return many k up to ``most`` and C(k)/C(0) at each."""
    lengths = np.linspace(0.0, most, int(min(most * 4, 400)) + 1)
    return lengths, np.array([gap_ratio(float(length), gamma, rho) for length in lengths])


def _range(curve: Floats) -> tuple[float, float]:
    """Return the range that shows a curve, and 1."""
    low, high = min(float(curve.min()), 1.0), max(float(curve.max()), 1.0)
    room = max((high - low) * 0.08, 0.01)
    return low - room, high + room


def bounds_together(overlay: Overlay, on: bool) -> Picture:
    """Show every run's C(k)/C(0) over k, with its letter at the k in force."""
    shown = [run for run in overlay.comparison.by_letter if run.detail.last("bound/rho") >= 0]
    ks = {run: k_in_force(run.row, run.detail) for run in shown}
    best = best_length_of(overlay.scene.detail)
    most = _reach(*ks.values(), *best.ends)
    lines = [line for run in shown for line in _bound_lines(run, ks[run], most)]
    curves = np.concatenate([line.y for line in lines] or [np.ones(1)])
    return Picture(
        "C(k)/C(0)",
        x_label=K_STEPS,
        lines=tuple(lines),
        markers=_lengths(overlay.scene, best, most),
        x_range=(0.0, most),
        y_range=_range(curves[np.isfinite(curves)]),
        rules=(1.0,),
        remark=_remark(overlay.scene.detail, best),
        empty=tr("waiting for a bound"),
    )


def _bound_lines(run: Compared, k: float, most: float) -> list[Line]:
    rho, gamma = run.detail.last("bound/rho"), _gamma_of(run.detail)
    mark, color = mark_of(run), color_of(run)
    lengths, curve = _curve_to(most, gamma, rho)
    lines = [Line(mark, "ρ", number(rho), color, lengths, curve, bold=run.focused, lead=run.focused)]
    if math.isfinite(k):
        here, now = np.array([k]), np.array([gap_ratio(k, gamma, rho)])
        lines.append(Line("", "", "", color, here, now, glyph=mark, bold=run.focused))
    return lines


def bounds_of_groups(comparison: GroupComparison, on: bool) -> Picture:
    """Show C(k)/C(0) over k at each group's IQM of ρ, with the curves at both ends of its band."""
    rhos = {group: last_of(group, "bound/rho") for group in comparison.groups}
    shown = [group for group, (rho, _, _) in rhos.items() if rho >= 0]
    most = _reach(*(last_of(group, "rollout/length_measured")[0] for group in shown))
    lines = [_group_line(group, *rhos[group], most) for group in shown]
    curves = ends_of([part for line in lines for part in (line.y, line.low, line.high) if part is not None])
    return Picture(
        "C(k)/C(0)",
        x_label=K_STEPS,
        lines=tuple(lines),
        x_range=(0.0, most),
        y_range=_range(curves[np.isfinite(curves)]),
        rules=(1.0,),
        empty=tr("waiting for a bound"),
    )


def _group_line(group: GroupCompared, rho: float, low: float, high: float, most: float) -> Line:
    gamma = group.seeds[0].settings.get("gamma", DEFAULT_GAMMA)
    gamma = float(gamma) if isinstance(gamma, (int, float)) and 0 <= gamma < 1 else DEFAULT_GAMMA
    lengths, curve = _curve_to(most, gamma, rho)
    bottom, top = (_curve_to(most, gamma, max(end, 0.0))[1] if math.isfinite(end) else None for end in (low, high))
    mark, color = grouped.mark_of(group), grouped.color_of(group)
    return Line(mark, "ρ", number(rho), color, lengths, curve, bottom, top, bold=True, lead=group.focused)


def _in_use(k: float) -> Marker:
    return Marker(k, f"k={number(k)}", YELLOW, "│")


def _lengths(scene: Scene, best: BestLength, most: float) -> tuple[Marker, ...]:
    """Return the k in force and the best k of the run in focus."""
    in_use = (_in_use(scene.k),) if 0 <= scene.k <= most else ()
    return (*in_use, *best.markers(most))


def _words(scene: Scene, on: bool, several: bool) -> str:
    """Say what the bound promises at the k in force."""
    detail, k = scene.detail, scene.k_shown
    rho, over = detail.last("bound/rho"), detail.last("bound/c_over_gap")
    if not math.isfinite(rho):
        return ""
    best = best_length_of(detail)
    words = [] if best.remark else [f"k* = {best.words}"]  # the remark says that it cannot be told
    times = number(over, 2)
    if math.isfinite(over):
        words.append(tr("vacuous: {n}× the gap", n=times) if over >= 1 else tr("{n}× the gap", n=times))
    if rho >= 0:  # last: the legend has it too
        words.append(f"C({number(k)})/C(0) = {number(gap_ratio(k, _gamma_of(detail), rho))}")
    return " · ".join(words)


BOUND = ChartSpec(
    name="bound",
    title=tr("bound C(k)/C(0)"),
    help=tr("chart of the bound"),
    plots=(Plot("bound", bound_picture, bounds_together, bounds_of_groups),),
    compared=("bound/rho", "bound/k_star", "rollout/length"),
    explained=("bound/eps_m", "bound/eps_m_new", "bound/eps_pi", "bound/rho", *K_STAR, "bound/c_over_gap"),
    essay=(tr("What the bound says, and what not"), ESSAY),
    words=_words,
    said=lambda scene, on: said_of_bound(scene, _gamma_of(scene.detail)),
    said_together=lambda overlay, on: least_and_most(
        overlay, "bound/rho", tr("{low} has the least ρ: its rollouts may be longest, {high} the most.")
    ),
)
