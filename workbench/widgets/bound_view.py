"""Say what the chart of the bound shows of a run, and what the bound promises."""

from __future__ import annotations

import functools
import math

import numpy as np

from mbpo.trust.bound import gap_ratio
from workbench.format import number
from workbench.messages import RunDetail
from workbench.series import Floats
from workbench.widgets.picture import GREEN, SKY, YELLOW, Line, Marker, Picture
from workbench.widgets.views import Scene

MAX_K = 200
DEFAULT_GAMMA = 0.99


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
    most = reach(k, k_star)
    lengths, curve = curve_to(most, gamma, rho)
    markers = [Marker(k, f"k={number(k)}", YELLOW, "│")]
    if math.isfinite(k_star) and k_star <= most:
        markers.append(Marker(k_star, f"k*={number(k_star)}", GREEN, "┊"))
    now = gap_ratio(k, gamma, rho)
    here = Line("●", "now", number(now), YELLOW, np.array([k]), np.array([now]))
    facts = f"ρ={number(rho)} γ={number(gamma, 4)}"
    line = Line("C", "over k", facts, SKY, lengths, curve)
    return Picture(
        "C(k)/C(0)",
        x_label="k (steps)",
        lines=(line, here),
        markers=tuple(markers),
        x_range=(0.0, most),
        y_range=bound_range(curve),
        rule=1.0,
    )


def reach(*interest: float) -> float:
    """Return the longest rollout to show, beyond what is of interest."""
    longest = max([length for length in interest if math.isfinite(length)], default=0.0)
    return float(int(min(max(10.0, 1.6 * longest), MAX_K)))


@functools.lru_cache(maxsize=64)
def curve_to(most: float, gamma: float, rho: float) -> tuple[Floats, Floats]:
    """Return many k up to ``most`` and C(k)/C(0) at each."""
    lengths = np.linspace(0.0, most, int(min(most * 4, 400)) + 1)
    return lengths, np.array([gap_ratio(float(length), gamma, rho) for length in lengths])


def bound_range(curve: Floats) -> tuple[float, float]:
    """Return the range that shows a curve, and 1."""
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
