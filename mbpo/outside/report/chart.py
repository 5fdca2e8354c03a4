"""Describe a chart as data, which a page draws to be touched and a picture draws to be printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INKS = (
    ("#005293", "#56B4E9"),
    ("#bb6200", "#E69F00"),
    ("#1b8d4c", "#009E73"),
    ("#395502", "#F0E442"),
    ("#db2b3b", "#D55E00"),
    ("#da16cb", "#CC79A7"),
    ("#1b60ff", "#4477ff"),
    ("#843d59", "#8ddf6a"),
)
"""The colours of Okabe and Ito and three more, each as it is told from the others on a light ground and on a dark."""
GREY = ("#6a737d", "#8b949e")
GROUND = ("#fffffe", "#0d1117")  # pure white is what bokeh leaves out of its data, and could not be turned dark
EDGE, WORDS = ("#d8dee4", "#30363d"), ("#1f2328", "#d6dde5")
ON_DARK: Mapping[str, str] = dict([*INKS, GREY, GROUND, EDGE, WORDS])
DASHES = ("solid", "dashed", "dotted", "dotdash")
STEPS = "env steps"
PADDING, MARGIN = 0.05, 0.015  # of what is drawn: beyond its ends, and below 0 where the axis begins there
LETTER = 13.0  # pixels that a letter takes
ROOM = 220.0  # pixels of a chart's upright axis
CLOSE = 0.05  # of the axis along: so near each other letters at ends would cover each other


@dataclass(frozen=True)
class Line:
    """Draw one series."""

    key: str  # lines of one key, in whatever chart, are shown and hidden together
    name: str
    x: Array
    y: Array
    low: Array | None = None  # the band, where there is one
    high: Array | None = None
    ink: str = INKS[0][0]
    dash: str = DASHES[0]
    letter: str = ""  # stands at its end
    held: bool = False  # whether a value holds until the next
    dots: bool = False  # a dot for each point, and no line
    faint: bool = False  # behind the others, and not in the legend
    thin: bool = False  # whether it had more points than are drawn


@dataclass(frozen=True)
class Mark:
    """Mark an env step at which something was done."""

    x: float
    number: int  # by which a table names it; 0: it has none
    text: str


@dataclass(frozen=True)
class Chart:
    """Hold lines over one axis, and in words what they show."""

    slug: str  # of its file, and of its place in the page
    title: str
    says: str
    y_label: str
    lines: Sequence[Line]
    x_label: str = STEPS
    marks: Sequence[Mark] = ()
    levels: Mapping[str, float] = field(default_factory=dict)  # lines across, by what they stand for
    log: bool = False
    axis: str = ""  # charts of one axis are zoomed together
    from_zero: bool = False  # whether the upright axis has its 0
    whole: bool = False  # whether its ticks are whole numbers


def styled(index: int) -> tuple[str, str]:
    """Return ink and dash of one line among many: no two of the first 32 are alike."""
    return INKS[index % len(INKS)][0], DASHES[index // len(INKS) % len(DASHES)]


def letter(index: int) -> str:
    """Return A, B and so on; after Z comes AA."""
    name = ""
    while index >= 0:
        name = chr(ord("A") + index % 26) + name
        index = index // 26 - 1
    return name


def thinned(line: Line, most: int) -> Line:
    """Return the line at no more than ``most`` points: of each stretch the lowest and the highest."""
    kept = np.flatnonzero(np.isfinite(line.y))
    if kept.size > most:
        stretches = np.array_split(kept[1:-1], max(most // 2 - 1, 1))
        ends = [(part[np.argmin(line.y[part])], part[np.argmax(line.y[part])]) for part in stretches if part.size]
        kept = np.unique([kept[0], *np.ravel(ends).astype(int), kept[-1]])
    elif kept.size == line.y.size:
        return line
    bands = {n: values[kept] for n in ("low", "high") if (values := getattr(line, n)) is not None}
    return replace(line, x=line.x[kept], y=line.y[kept], thin=line.thin or most < line.y.size, **bands)


def drawable(chart: Chart, most: int) -> Chart:
    """Return the chart with what can be drawn of it: lines that have points, thinned, above 0 on a log axis."""
    lines = [thinned(_above_zero(line) if chart.log else line, most) for line in chart.lines]
    return replace(chart, lines=[line for line in lines if line.y.size])


def _above_zero(line: Line) -> Line:
    y = np.where(line.y > 0, line.y, np.nan)
    low = None if line.low is None else np.where(line.low > 0, line.low, y)
    return replace(line, y=y, low=low)


def x_limits(charts: Sequence[Chart]) -> tuple[float, float]:
    """Return where the axis along begins and ends of charts that are zoomed together; letters have room beyond ends."""
    steps = [line.x for chart in charts for line in chart.lines]
    marks = [mark.x for chart in charts for mark in chart.marks]
    x = np.concatenate([*steps, np.array(marks, float)])
    first, last = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    span = last - first or max(abs(last), 1.0)
    letters = any(line.letter for chart in charts for line in chart.lines)
    return first - PADDING / 2 * span, last + PADDING * (2 if letters else 1) * span


def y_limits(chart: Chart) -> tuple[float | None, float | None]:
    """Return where the upright axis begins and ends, None where what is drawn says it: 0 is passed by values only."""
    values = _values(chart)
    if chart.log or not values.size:
        return None, None
    low, high = float(values.min()), float(values.max())
    begin, end = low - PADDING * (high - low), None
    if constant := math.isclose(low, high, abs_tol=1e-12):
        room = abs(high) / 2 or 1.0
        begin, end = low - room, high + room
    if low >= 0 and (chart.from_zero or begin < 0):
        return -MARGIN * (high if end is None else end), end
    return begin if constant else None, end


def letters_apart(chart: Chart) -> list[float]:
    """Return how many pixels above the end of its line each letter stands, so that none covers another."""
    heights, found = _heights(chart), [0.0] * len(chart.lines)
    for column in _columns(chart):
        column.sort(key=lambda index: heights[index])
        for index, height in zip(column, _spread([heights[index] for index in column]), strict=True):
            found[index] = height - heights[index]
    return found


def _values(chart: Chart) -> Array:
    """Return every number that stands at the upright axis."""
    lines = [values for line in chart.lines for values in (line.y, line.low, line.high) if values is not None]
    found: Array = np.concatenate([*lines, np.array(list(chart.levels.values()), float)])
    return np.asarray(found[np.isfinite(found)])


def _heights(chart: Chart) -> list[float]:
    """Return how many pixels above the foot of the chart each line ends."""
    values, (begin, end) = _values(chart), y_limits(chart)
    scale = np.log10 if chart.log else np.asarray
    if not values.size or (chart.log and values.min() <= 0):
        return [0.0] * len(chart.lines)
    low = scale(values.min() if begin is None else begin)
    high = scale(values.max() if end is None else end)
    return [float(ROOM * (scale(line.y[-1]) - low) / (high - low or 1.0)) for line in chart.lines]


def _columns(chart: Chart) -> list[list[int]]:
    """Return the lines with a letter, those together that end side by side."""
    named = sorted((line.x[-1], index) for index, line in enumerate(chart.lines) if line.letter)
    close = CLOSE * (named[-1][0] - min(line.x[0] for line in chart.lines)) if named else 0.0
    found: list[list[int]] = []
    for number, (end, index) in enumerate(named):
        if number and end - named[number - 1][0] <= close:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def _spread(heights: Sequence[float]) -> list[float]:
    """Return rising heights moved as little as leaves room for a letter between two of them."""
    each = min(LETTER, ROOM / len(heights))
    pools: list[list[float]] = []  # sum and number of neighbours that are pushed together
    for number, height in enumerate(heights):
        pools.append([height - number * each, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    feet = np.repeat([total / count for total, count in pools], [int(count) for _, count in pools])
    return list(np.clip(feet, 0, ROOM - each * (len(heights) - 1)) + each * np.arange(len(heights)))
