"""Describe a chart as data: lines, markers, ranges, words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workbench.series import Floats

SKY, ORANGE, GREEN, PURPLE = "#56B4E9", "#E69F00", "#009E73", "#CC79A7"
YELLOW, VERMILLION, GREY = "#F0E442", "#D55E00", "#7d8590"
"""The colours of Okabe and Ito, told apart by people with any colour vision."""
BLUE, PALE, WHITE = "#2F7FC1", "#9aa4af", "#d6dde5"  # their blue, lighter, and black turned over

UNMARKED = "◆"  # in place of a letter: the run in focus beside those that are marked
RUN_COLORS = {
    "A": SKY,
    "B": ORANGE,
    "C": GREEN,
    "D": YELLOW,
    "E": VERMILLION,
    "F": PURPLE,
    "G": BLUE,
    "H": PALE,
    UNMARKED: WHITE,
}


@dataclass(frozen=True)
class Line:
    """Draw one series; ``letter`` stands at its end and in the legend, if there is a value."""

    letter: str
    label: str
    value: str  # the newest, as text
    color: str
    x: Floats
    y: Floats
    low: Floats | None = None  # the band, where there is one
    high: Floats | None = None
    glyph: str = ""  # drawn at every point when there are few
    gap: int = 0  # cells at least from one glyph to the next, where there are many points
    joined: bool = True
    bold: bool = False  # twice as thick, and above the others

    def since(self, first: int) -> Line:
        """Return the line from its point ``first`` on."""
        low = None if self.low is None else self.low[first:]
        high = None if self.high is None else self.high[first:]
        return replace(self, x=self.x[first:], y=self.y[first:], low=low, high=high)


@dataclass(frozen=True)
class Marker:
    """Draw a vertical line at ``x``."""

    x: float
    label: str
    color: str = PURPLE
    char: str = "┊"


@dataclass(frozen=True)
class Picture:
    """Hold everything a chart shows."""

    y_label: str
    x_label: str = "env steps"
    lines: tuple[Line, ...] = ()
    markers: tuple[Marker, ...] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    log_y: bool = False
    rules: tuple[float, ...] = ()  # horizontal lines that mean something
    note: str = ""  # one sentence that says what the numbers mean, where there is room
    remark: str = ""  # a sentence that has lines of its own, above the plot
    empty: str = "no data yet"

    @property
    def drawn(self) -> bool:
        """Return whether there is a finite point to draw."""
        return any(bool(np.isfinite(line.y).any()) for line in self.lines)
