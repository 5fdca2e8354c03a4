"""Turn lines into braille cells with numpy: 2 × 4 dots in a character."""

from __future__ import annotations

import math
import sys

import numpy as np
from numpy.typing import NDArray

from workbench.series import Floats

DOTS_X, DOTS_Y = 2, 4
BRAILLE = 0x2800
_WEIGHTS = np.array([[1, 8], [2, 16], [4, 32], [64, 128]], dtype=np.uint8)
MAX_DOTS = 400_000
SHARES = 16  # of a range, to a multiple of which its ends are moved


def scale(values: Floats, low: float, high: float, dots: int) -> Floats:
    """Return dot coordinates in [0, dots − 1] for ``values`` in [low, high]."""
    return (values - low) / ((high - low) or 1.0) * (dots - 1)


def polyline(
    x: Floats, y: Floats, width: int, height: int, *, joined: bool = True, bold: bool = False
) -> NDArray[np.uint8]:
    """Return braille bits [height, width] of the line through dot coordinates, y from the top.

    NaN is a gap; a point between two gaps, or any that is not ``joined``, is one dot. ``bold`` is twice as thick.
    """
    dots = np.zeros((height * DOTS_Y, width * DOTS_X), dtype=bool)
    x, y = np.clip(x, -MAX_DOTS, MAX_DOTS), np.clip(y, -MAX_DOTS, MAX_DOTS)
    finite = np.isfinite(x) & np.isfinite(y)
    _mark(dots, x[finite], y[finite])
    both = finite[1:] & finite[:-1]
    if joined and both.any():
        x0, y0, x1, y1 = x[:-1][both], y[:-1][both], x[1:][both], y[1:][both]
        _mark(dots, *_between(x0, y0, x1, y1))
    if bold:
        dots[:-1] |= dots[1:].copy()
    return _cells(dots)


def _between(x0: Floats, y0: Floats, x1: Floats, y1: Floats) -> tuple[Floats, Floats]:
    """Return points at most one dot apart on every segment."""
    counts = np.ceil(np.maximum(np.abs(x1 - x0), np.abs(y1 - y0))).astype(np.intp) + 1
    counts = np.minimum(counts, max(MAX_DOTS // len(counts), 2))
    segment = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = place / np.maximum(counts - 1, 1)[segment]
    x = x0[segment] + (x1 - x0)[segment] * share
    return x, y0[segment] + (y1 - y0)[segment] * share


def _mark(dots: NDArray[np.bool_], x: Floats, y: Floats) -> None:
    columns, rows = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    inside = (columns >= 0) & (columns < dots.shape[1]) & (rows >= 0) & (rows < dots.shape[0])
    dots[rows[inside], columns[inside]] = True


def _cells(dots: NDArray[np.bool_]) -> NDArray[np.uint8]:
    height, width = dots.shape[0] // DOTS_Y, dots.shape[1] // DOTS_X
    grid = dots.reshape(height, DOTS_Y, width, DOTS_X)
    bits = (grid * _WEIGHTS[None, :, None, :]).sum(axis=(1, 3))
    return np.asarray(bits, dtype=np.uint8)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` round numbers in [low, high]."""
    extent = high - low
    if most < 1 or not math.isfinite(extent) or extent / most <= sys.float_info.min:
        return [low] if math.isfinite(low) else []
    step = 10.0 ** math.floor(math.log10(extent / most))
    while extent / step > most:
        step *= 2.5 if f"{step:e}".startswith("2") else 2  # 1, 2, 5, 10
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)][: most + 1]


def up_to_round(low: float, high: float) -> float:
    """Return the end of a range moved up to a multiple of a round number, by at most a sixth of the range."""
    step = round_step((high - low) / SHARES)
    return math.ceil(high / step - 1e-9) * step if step else high


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10 … that is no smaller than ``least``, 0 where it is none."""
    if not sys.float_info.min < least < sys.float_info.max / 10:
        return 0.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= least)


def padded(low: float, high: float, share: float = 0.03) -> tuple[float, float]:
    """Return the range with room around it, its ends round; a single value gets a range of its own size."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0.0, 1.0
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        room = max(abs(low) * 0.1, 1e-6) if low else 1.0
    else:
        room = (high - low) * share
    low, high = low - room, high + room
    return -up_to_round(-high, -low), up_to_round(low, high)
