"""Draw several runs at once: a line for each, and its letter.

The run in focus is drawn thicker and above the others, and it alone has a band and markers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.charts.picture import RUN_COLORS, UNMARKED, Line, Picture
from workbench.charts.scene import Scene, smoothed
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
        """Show lines over the env steps of all runs, with the changes of the one in focus."""
        ends = [float(line.x[-1]) for line in lines if len(line.x)]
        span = (0.0, max([self.scene.span[1], *ends]))
        markers = self.scene.markers
        return Picture(label, lines=tuple(lines), markers=markers, x_range=span, empty=empty)

    def line(self, run: Compared, key: str, smooth: bool = False) -> Line:
        """Return a run's line from where it leaves those before it; smoothed from its beginning."""
        points = run.points(key)
        line = smoothed(mark_of(run), "", color_of(run), points, smooth, band=run.focused)
        first = max(self.comparison.first_own(run, key) - 1, 0)
        return replace(line.since(first), bold=run.focused)


def mark_of(run: Compared) -> str:
    """Return the letter that tells a run apart, or the sign of one that has none."""
    return run.letter or UNMARKED


def color_of(run: Compared) -> str:
    """Return the colour that goes with the run's letter."""
    return RUN_COLORS[mark_of(run)]
