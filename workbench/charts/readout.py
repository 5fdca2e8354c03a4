"""Say what the lines of a chart are at an x: from the data, not from what is drawn."""

from __future__ import annotations

import math

import numpy as np

from workbench.charts.picture import Line
from workbench.format import duration, number, whole

UNTOLD = "–"
COUNTED = 1_000_000  # whole numbers below are written in full


def value_at(line: Line, x: float) -> str:
    """Return a line's value at ``x`` as text: of its last point at or before it, or of the nearest."""
    index = index_at(line, x)
    if index < 0 or not math.isfinite(value := float(line.y[index])):
        return UNTOLD
    return number(value) + _band(line, index, value)


def index_at(line: Line, x: float) -> int:
    """Return which point of a line tells its value at ``x``; -1 where none does. Of several at one x it is the last."""
    after = int(np.searchsorted(line.x, x, side="right"))
    before = after - 1
    if line.nearest and after < len(line.x) and (before < 0 or line.x[after] - x < x - line.x[before]):
        return int(np.searchsorted(line.x, line.x[after], side="right")) - 1
    return before


def _band(line: Line, index: int, value: float) -> str:
    if line.band not in BANDS or line.low is None or line.high is None:
        return ""
    low, high = float(line.low[index]), float(line.high[index])
    return BANDS[line.band](value, low, high) if math.isfinite(low + high) else ""


BANDS = {
    "±": lambda value, low, high: f" ± {number(high - value, 2)}",
    "–": lambda value, low, high: f" ({number(low)}–{number(high)})" if low != high else "",
}


def place_words(x: float, seconds: bool, dot: float) -> str:
    """Return where a cursor stands, as finely as one dot column tells: counts whole, seconds as a clock shows them."""
    if seconds:
        return f"{x:.{2 if dot < 0.1 else 1}f} s" if x < 60 and dot < 1 else duration(x)
    if dot >= 0.5 or x == round(x):
        return whole(x) if abs(x) < COUNTED else number(x, 5)
    return number(x, 4)
