"""Say what each chart shows of several runs at once: a line for each, and its letter.

The run in focus is drawn thicker and above the others, and it alone has a band and markers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mbpo.trust.bound import gap_ratio
from workbench.comparison import Compared, Comparison
from workbench.format import number
from workbench.widgets.bound_view import bound_range, curve_to, gamma_of, reach
from workbench.widgets.picture import GREEN, RUN_COLORS, UNMARKED, YELLOW, Line, Marker, Picture
from workbench.widgets.views import Scene, from_zero, k_in_force, smoothed

GAP = 4  # cells at least between two evaluations of one run


@dataclass(frozen=True)
class Overlay:
    """Draw the runs of a comparison around the scene of the one in focus."""

    scene: Scene
    comparison: Comparison

    def returns(self, smooth: bool) -> Picture:
        """Show every run's training returns, and its evaluations as letters."""
        lines = []
        for run in self.comparison.by_letter:
            line = self._line(run, "episode/return", smooth)
            lines += [line, self._evaluations(run)]
        return self._picture("return", lines, "waiting for the first episode to end")

    def bound(self) -> Picture:
        """Show every run's C(k)/C(0) over k, with its letter at the k in force."""
        shown = [run for run in self.comparison.by_letter if run.detail.last("bound/rho") >= 0]
        ks = {run: k_in_force(run.row, run.detail) for run in shown}
        most = reach(*ks.values(), self.scene.detail.last("bound/k_star"))
        lines = [line for run in shown for line in _bound_lines(run, ks[run], most)]
        curves = np.concatenate([line.y for line in lines] or [np.ones(1)])
        return Picture(
            "C(k)/C(0)",
            x_label="k (steps)",
            lines=tuple(lines),
            markers=self._lengths(most),
            x_range=(0.0, most),
            y_range=bound_range(curves[np.isfinite(curves)]),
            rule=1.0,
            empty="waiting for a bound",
        )

    def error(self, squared: bool) -> Picture:
        """Show every run's model error on new data, the one that the bound asks for."""
        key = "model/new_data_mse" if squared else "bound/eps_m_new"
        picture = self._lines("MSE (log)" if squared else "ε_m′", key, "waiting for new data")
        return replace(picture, log_y=squared)

    def length(self) -> Picture:
        """Show every run's measured k."""
        return self._from_zero("k (steps)", "rollout/length_measured")

    def ratio(self) -> Picture:
        """Show every run's measured real_ratio."""
        return self._from_zero("real_ratio", "mix/real_ratio_measured")

    def _from_zero(self, label: str, key: str) -> Picture:
        picture = self._lines(label, key, "waiting for the first rollouts")
        unlabelled = tuple(replace(marker, label="") for marker in picture.markers)
        return replace(picture, markers=unlabelled, y_range=from_zero(list(picture.lines)))

    def _lines(self, label: str, key: str, empty: str) -> Picture:
        lines = [self._line(run, key) for run in self.comparison.by_letter]
        return self._picture(label, lines, empty)

    def _picture(self, label: str, lines: list[Line], empty: str) -> Picture:
        ends = [float(line.x[-1]) for line in lines if len(line.x)]
        span = (0.0, max([self.scene.span[1], *ends]))
        markers = self.scene.markers
        return Picture(label, lines=tuple(lines), markers=markers, x_range=span, empty=empty)

    def _line(self, run: Compared, key: str, smooth: bool = False) -> Line:
        """Return a run's line from where it leaves those before it; smoothed from its beginning."""
        points = run.points(key)
        line = smoothed(mark_of(run), "", color_of(run), points, smooth, band=run.focused)
        first = max(self.comparison.first_own(run, key) - 1, 0)
        return replace(line.since(first), bold=run.focused)

    def _evaluations(self, run: Compared) -> Line:
        key = "eval/return_mean"
        points = run.points(key)
        line = Line(
            "", "", "", color_of(run), points.x, points.y, glyph=mark_of(run), gap=GAP, joined=False, bold=run.focused
        )
        return line.since(self.comparison.first_own(run, key))

    def _lengths(self, most: float) -> tuple[Marker, ...]:
        """Return the k in force and the best k of the run in focus."""
        k, k_star = self.scene.k, self.scene.detail.last("bound/k_star")
        markers = (Marker(k, f"k={number(k)}", YELLOW, "│"), Marker(k_star, f"k*={number(k_star)}", GREEN, "┊"))
        return tuple(marker for marker in markers if 0 <= marker.x <= most)


def mark_of(run: Compared) -> str:
    """Return the letter that tells a run apart, or the sign of one that has none."""
    return run.letter or UNMARKED


def color_of(run: Compared) -> str:
    """Return the colour that goes with the run's letter."""
    return RUN_COLORS[mark_of(run)]


def _bound_lines(run: Compared, k: float, most: float) -> list[Line]:
    rho, gamma = run.detail.last("bound/rho"), gamma_of(run.detail)
    mark, color = mark_of(run), color_of(run)
    lengths, curve = curve_to(most, gamma, rho)
    lines = [Line(mark, "ρ", number(rho), color, lengths, curve, bold=run.focused)]
    if math.isfinite(k):
        here, now = np.array([k]), np.array([gap_ratio(k, gamma, rho)])
        lines.append(Line("", "", "", color, here, now, glyph=mark, bold=run.focused))
    return lines
