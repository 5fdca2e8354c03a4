"""Draw several runs at once: a line for each, and its letter.

The run in focus is drawn thicker and above the others, and it alone has a band and markers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.charts.picture import UNMARKED, Line, Picture, run_color
from workbench.charts.scene import Scene, on_axis, smoothed
from workbench.charts.x_axis import STEPS, XAxis
from workbench.messages import Points
from workbench.side_by_side import Compared, Comparison


@dataclass(frozen=True)
class Overlay:
    """Draw the runs of a comparison around the scene of the one in focus."""

    scene: Scene
    comparison: Comparison

    def lines(self, label: str, key: str, empty: str) -> Picture:
        """Show one metric of every run."""
        lines = [self.line(run, key) for run in self.comparison.by_letter]
        return self.picture(label, lines, empty)

    def picture(self, label: str, lines: list[Line], empty: str) -> Picture:
        """Show lines over all runs, with the changes of the one in focus."""
        markers = self.scene.markers
        return Picture(label, lines=tuple(lines), markers=markers, x_range=self.span, goes_on=True, empty=empty)

    @property
    def span(self) -> tuple[float, float]:
        """Return the axis from 0 to the end of all runs, the same on every chart."""
        ends = [_end(run, self.scene.axis) for run in self.comparison.runs]
        return 0.0, max([self.scene.span[1], *ends])

    def points(self, run: Compared, key: str) -> Points:
        """Return a metric of a run on the axis that is shown."""
        return self.scene.axis.placed(run.detail, run.points(key))

    def labelled(self, picture: Picture) -> Picture:
        """Return a picture of the runs with the name of its axis, where it is drawn over them."""
        return on_axis(picture, self.scene.axis)

    def line(self, run: Compared, key: str, weight: float | None = 0.0) -> Line:
        """Return a run's line from where it leaves those before it; smoothed from its beginning."""
        points = self.points(run, key)
        line = smoothed(mark_of(run), "", color_of(run), points, weight, band=run.focused)
        first = max(self.comparison.first_own(run, key) - 1, 0)
        return replace(line.since(first), bold=run.focused, lead=run.focused)


def _end(run: Compared, axis: XAxis) -> float:
    if axis is not STEPS:
        return axis.end(run.detail)
    return max((float(points.x[-1]) for points in run.detail.series.values() if len(points.x)), default=0.0)


def mark_of(run: Compared) -> str:
    """Return the letter that tells a run apart, or the sign of one that has none."""
    return run.letter or UNMARKED


def color_of(run: Compared) -> str:
    """Return the colour that goes with the run's letter."""
    return run_color(mark_of(run))
