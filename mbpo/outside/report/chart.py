"""Describe a chart as data, which a page draws to be touched and a picture draws to be printed."""

from __future__ import annotations

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
    return replace(line, x=line.x[kept], y=line.y[kept], **bands)


def drawable(chart: Chart, most: int) -> Chart:
    """Return the chart with what can be drawn of it: lines that have points, thinned, above 0 on a log axis."""
    lines = [thinned(_above_zero(line) if chart.log else line, most) for line in chart.lines]
    return replace(chart, lines=[line for line in lines if line.y.size])


def _above_zero(line: Line) -> Line:
    y = np.where(line.y > 0, line.y, np.nan)
    low = None if line.low is None else np.where(line.low > 0, line.low, y)
    return replace(line, y=y, low=low)
