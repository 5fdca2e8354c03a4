"""Describe a chart as data: lines, markers, ranges, words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from mbpo.settings.language import tr
from workbench.marked_runs import LETTERS
from workbench.raster import up_to_round
from workbench.series import Floats

SKY, ORANGE, GREEN, PURPLE = "$ink-sky", "$ink-orange", "$ink-green", "$ink-purple"
YELLOW, VERMILLION, GREY = "$ink-yellow", "$ink-vermillion", "$ink-grey"
BLUE, LIME, WHITE = "$ink-blue", "$ink-lime", "$ink-white"
"""Inks: what each looks like in the theme in force is in workbench/theme.py."""

VARIABLE = re.compile(r"\$([\w-]+)")
LOG = f" {tr('(log)')}"  # on a y axis
UNMARKED = "◆"  # in place of a letter: the run in focus beside those that are marked
RUN_COLORS = (SKY, ORANGE, GREEN, YELLOW, VERMILLION, PURPLE, BLUE, LIME)  # of letters; then they begin again


def run_color(mark: str) -> str:
    """Return the colour of a run by its letter, or by the sign of one that has none."""
    return WHITE if mark == UNMARKED else RUN_COLORS[LETTERS.index(mark) % len(RUN_COLORS)]


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
    lead: bool = False  # of the run in focus: the legend has its value also where not all fit
    cut: tuple[int, int] = (0, 0)  # points at its ends that are where it leaves what is in view, and none of the data
    at_cursor: bool = False  # whether the legend has its value at a cursor only, behind the line before it
    nearest: bool = False  # whether its value at an x is that of the nearest point, not of the last before
    band: str = ""  # the sign with which a value is followed by its band: ± or –

    def since(self, first: int) -> Line:
        """Return the line from its point ``first`` on."""
        return self.between(first, len(self.x))

    @property
    def own(self) -> Line:
        """Return the line without the points at which it was cut."""
        return self.between(self.cut[0], len(self.x) - self.cut[1])

    def between(self, first: int, end: int) -> Line:
        """Return the line from its point ``first`` on, as far as ``end``."""
        if first <= 0 and end >= len(self.x):
            return self
        part = slice(max(first, 0), end)
        low = None if self.low is None else self.low[part]
        high = None if self.high is None else self.high[part]
        return replace(self, x=self.x[part], y=self.y[part], low=low, high=high)


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
    x_label: str = tr("env steps")
    seconds: bool = False  # whether x is a time
    lines: tuple[Line, ...] = ()
    markers: tuple[Marker, ...] = ()
    x_range: tuple[float, float] | None = None
    goes_on: bool = False  # whether more comes at its right end: it is drawn as far as a round number
    y_range: tuple[float, float] | None = None
    log_y: bool = False
    rules: tuple[float, ...] = ()  # horizontal lines that mean something
    note: str = ""  # one sentence that says what the numbers mean, where there is room
    axes: str = GREY  # colour of the axes and of words
    remark: str = ""  # a sentence that has lines of its own, above the plot
    beside: bool = False  # whether another plot stands in the same panel: only the axis's name tells them apart
    empty: str = tr("no data yet")

    def inked(self, inks: Mapping[str, str]) -> Picture:
        """Return the picture in the colours of a theme."""
        lines = tuple(replace(line, color=filled(line.color, inks)) for line in self.lines)
        markers = tuple(replace(marker, color=filled(marker.color, inks)) for marker in self.markers)
        return replace(self, lines=lines, markers=markers, axes=filled(self.axes, inks))

    @property
    def whole(self) -> tuple[float, float]:
        """Return all of the x axis."""
        if self.x_range is not None:
            return self.x_range
        ends = [end for line in self.lines if len(line.x) for end in (float(line.x[0]), float(line.x[-1]))]
        low, high = min(ends, default=0.0), max(ends, default=0.0)
        return (low, high) if high > low else (low - 1.0, high + 1.0)

    @property
    def with_room(self) -> tuple[float, float]:
        """Return the x axis as it is drawn: what is there keeps its place until the room at the end is used up."""
        low, high = self.whole
        return (low, up_to_round(low, high)) if self.goes_on else (low, high)

    @property
    def drawn(self) -> bool:
        """Return whether there is a finite point to draw."""
        return any(bool(np.isfinite(line.y).any()) for line in self.lines)

    def turned(self) -> Picture:
        """Return the picture with a log y axis, or with none again; as it is where a value is not above 0."""
        if self.log_y:
            return replace(self, log_y=False, y_label=self.y_label.removesuffix(LOG), y_range=None)
        values = [line.y[np.isfinite(line.y)] for line in self.lines]
        if not self.drawn or any(bool((part <= 0).any()) for part in values):
            return self
        return replace(self, log_y=True, y_label=self.y_label + LOG, y_range=None)

    def same_as(self, other: Picture) -> bool:
        """Return whether both show the same; lines are the same where their points are, not only alike."""
        if len(self.lines) != len(other.lines) or replace(self, lines=()) != replace(other, lines=()):
            return False
        return all(map(_same, self.lines, other.lines))


def _same(one: Line, other: Line) -> bool:
    return all(
        a is b or (a == b if not isinstance(a, np.ndarray) else isinstance(b, np.ndarray) and _equal(a, b))
        for a, b in ((getattr(one, part.name), getattr(other, part.name)) for part in fields(Line))
    )


def _equal(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))
