"""Label the axes of a chart."""

from __future__ import annotations

import math

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from workbench.charts.picture import Picture
from workbench.format import number
from workbench.raster import ticks
from workbench.widgets.canvas import Frame

ROOMY = 44  # cells of a plot, from which on the axis of time is named in full
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ROUND_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)


def distinct(values: list[float]) -> list[str]:
    """Write numbers with as few digits as tell them apart."""
    for digits in range(3, 8):
        labels = [number(value, digits) for value in values]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{value:.12g}" for value in values]


def y_labels(low: float, high: float, rows: int, log: bool) -> tuple[list[float], list[str]]:
    """Return where the labels of the y axis stand, and what they say."""
    at = ticks(low, high, max(rows // 3, 2))
    return at, distinct([_power(tick) if log else tick for tick in at])


def _power(exponent: float) -> float:
    return 10.0**exponent if exponent < 308 else math.inf


def x_axis(picture: Picture, frame: Frame, gutter: int, width: int) -> Strip:
    """Return the line below the plot: labels, and what is counted there."""
    name = axis_name(picture, frame)
    end = width - cell_len(name) - 2
    usual = max((end - gutter) // 8, 2)
    for most in (usual, 2 * usual):  # finer, where but one label stands beside the name
        placed = _placed(x_labels(picture, frame.x, most), frame, gutter, end)
        if len(placed) > 1:
            break
    cells = [" "] * width
    for start, label in placed:
        cells[start : start + len(label)] = label
    text = "".join(cells)[: width - cell_len(name) - 1]
    return Strip([Segment(f"{text} {name}", Style(color=picture.axes))], width)


def _placed(labels: list[tuple[float, str]], frame: Frame, gutter: int, end: int) -> list[tuple[int, str]]:
    """Return the labels that stand before the cell ``end`` and apart, each with its first cell."""
    placed, free = [], 0
    for tick, label in labels:
        start = max(gutter + frame.column(tick) - len(label) // 2, 0)
        if start >= free and start + len(label) <= end:
            placed.append((start, label))
            free = start + len(label) + 2
    return placed


def axis_name(picture: Picture, frame: Frame) -> str:
    """Return what is counted along the x axis; for a time how it is written, and alone that where room is short."""
    if not picture.seconds:
        return picture.x_label
    unit = _unit(frame.x[1])
    return f"{picture.x_label} ({unit})" if frame.width >= ROOMY else unit


def x_labels(picture: Picture, shown: tuple[float, float], most: int) -> list[tuple[float, str]]:
    """Return at most so many labels, each with its place."""
    if not picture.seconds:
        at = ticks(*shown, most)
        labels = [number(tick, 5) for tick in at]
        return list(zip(at, labels if len(set(labels)) == len(labels) else distinct(at), strict=True))
    step = _round_step((shown[1] - shown[0]) / most)
    if step < 1:
        at = ticks(*shown, most)
        return [(tick, clock(tick, shown[1], 1 - math.floor(math.log10(step)))) for tick in at]
    first, last = math.ceil(shown[0] / step), math.floor(shown[1] / step)
    return [(index * step, clock(index * step, shown[1])) for index in range(first, last + 1)][: most + 1]


def _round_step(least: float) -> float:
    if least < 0.5:
        return max(least, 1e-9)
    days = DAY * 2.0 ** max(math.ceil(math.log2(max(least, DAY) / DAY)), 0)
    return next((float(step) for step in ROUND_S if step >= least), days)


def _unit(most: float) -> str:
    """Return how times up to ``most`` seconds are written."""
    return "s" if most < 2 * MINUTE else "m:ss" if most < HOUR else "h:mm:ss" if most < 2 * DAY else "d h:mm"


def clock(seconds: float, most: float, digits: int = 0) -> str:
    """Write a time as a clock shows it, the same way all along an axis up to ``most`` seconds."""
    unit = _unit(most)
    if unit == "s":
        return f"{seconds:.{min(digits, 9)}f}"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    part = f"{seconds - 60 * (seconds // 60):0{3 + digits}.{digits}f}" if 0 < digits <= 9 else f"{rest:02}"
    if unit == "m:ss":
        return f"{minutes}:{part}"
    hours, minutes = divmod(minutes, 60)
    if unit == "h:mm:ss":
        return f"{hours}:{minutes:02}:{part}"
    return f"{hours // 24}d {hours % 24}:{minutes:02}"
