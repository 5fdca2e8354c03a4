"""Describe a chart as data: lines, markers, ranges, words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from workbench.series import Floats

SKY, ORANGE, GREEN, PURPLE = "$ink-sky", "$ink-orange", "$ink-green", "$ink-purple"
YELLOW, VERMILLION, GREY = "$ink-yellow", "$ink-vermillion", "$ink-grey"
BLUE, LIME, WHITE = "$ink-blue", "$ink-lime", "$ink-white"
"""Inks: what each looks like in the theme in force is in workbench/theme.py."""

VARIABLE = re.compile(r"\$([\w-]+)")
UNMARKED = "◆"  # in place of a letter: the run in focus beside those that are marked
RUN_COLORS = {
    "A": SKY,
    "B": ORANGE,
    "C": GREEN,
    "D": YELLOW,
    "E": VERMILLION,
    "F": PURPLE,
    "G": BLUE,
    "H": LIME,
    UNMARKED: WHITE,
}


def filled(style: str, inks: Mapping[str, str]) -> str:
    """Return a style with its inks as they are in a theme."""
    return VARIABLE.sub(lambda found: inks[found[1]], style)


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
    axes: str = GREY  # colour of the axes and of words
    remark: str = ""  # a sentence that has lines of its own, above the plot
    empty: str = "no data yet"

    def inked(self, inks: Mapping[str, str]) -> Picture:
        """Return the picture in the colours of a theme."""
        lines = tuple(replace(line, color=filled(line.color, inks)) for line in self.lines)
        markers = tuple(replace(marker, color=filled(marker.color, inks)) for marker in self.markers)
        return replace(self, lines=lines, markers=markers, axes=filled(self.axes, inks))

    @property
    def drawn(self) -> bool:
        """Return whether there is a finite point to draw."""
        return any(bool(np.isfinite(line.y).any()) for line in self.lines)
