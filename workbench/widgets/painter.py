"""Paint a picture into lines of cells: legend, curves in braille, axes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from workbench.charts.picture import Line, Picture
from workbench.raster import BRAILLE, DOTS_X, padded, polyline
from workbench.series import Floats, thin
from workbench.theme import NIGHT_INKS
from workbench.widgets.axes import x_axis, y_labels
from workbench.widgets.canvas import Canvas, Frame
from workbench.widgets.legend import legend, remark, without_plot

ALONG = 18  # cells from a letter on a line to the next
LEAST_ROWS = 2  # of a plot below a remark
LABEL = 6  # cells of a label at least, as −1,500 has: axes of charts above each other begin in one column
Range = tuple[float, float]


@dataclass(frozen=True)
class Painting:
    """Hold the lines of a picture in a theme's colours, and where its plot is in them; without a frame is none."""

    strips: list[Strip]
    picture: Picture = Picture("")
    frame: Frame | None = None
    left: int = 0
    top: int = 0


def paint(
    picture: Picture, width: int, height: int, ground: str, inks: Mapping[str, str] = NIGHT_INKS, no_color: bool = False
) -> list[Strip]:
    """Return ``height`` lines of ``width`` cells: legend, plot, x axis."""
    return painted(picture, width, height, ground, None, inks, no_color).strips


@np.errstate(over="ignore", invalid="ignore")  # what a file holds may be as large as it likes
def painted(
    picture: Picture,
    width: int,
    height: int,
    ground: str,
    shown: Range | None = None,
    inks: Mapping[str, str] = NIGHT_INKS,
    no_color: bool = False,
) -> Painting:
    """Paint all of a picture, or the part of its x axis that is ``shown``; its y axis follows what is in view."""
    whole = picture = picture.inked(inks)
    if width < 12 or height < 4:
        return Painting([Strip.blank(width)] * height, whole)
    if picture.log_y:
        picture = _logarithmic(picture)
    if not picture.drawn:
        return Painting(without_plot(picture, width, height), whole)
    if shown is not None:
        picture = in_view(picture, shown)
    x_range, y_range = shown or picture.with_room, picture.y_range or _y_range(picture.lines)
    words = remark(picture, width, height - 2 - LEAST_ROWS)
    rows = height - 2 - len(words)
    at, labels = y_labels(*y_range, rows, picture.log_y)
    gutter = max(max(map(len, labels), default=1), LABEL) + 1
    canvas = Canvas(width - gutter, rows, picture.axes)
    frame = Frame(x_range, y_range, canvas.width, canvas.height)
    _paint_plot(picture, canvas, frame, no_color)
    axis = {frame.row(tick): label for tick, label in zip(at, labels, strict=True)}
    strips = [
        legend(picture, width),
        *words,
        *(_plot_strip(canvas, row, gutter, axis.get(row), ground) for row in range(canvas.height)),
        x_axis(picture, frame, gutter, width),
    ]
    return Painting(strips, whole, frame, gutter, 1 + len(words))


def _logarithmic(picture: Picture) -> Picture:
    def log(values: Floats) -> Floats:
        result = np.full(values.shape, np.nan)
        return np.log10(values, out=result, where=values > 0)

    lines = tuple(replace(line, y=log(line.y), low=None, high=None) for line in picture.lines)
    rules = tuple(log(np.array(picture.rules)).tolist())
    return replace(picture, lines=lines, rules=tuple(rule for rule in rules if np.isfinite(rule)))


def in_view(picture: Picture, shown: Range) -> Picture:
    """Return the part of a picture that is in view, with the y range of that part, inside the one it has."""
    lines = tuple(to_edges(line, shown) for line in picture.lines)
    y_range = _y_range(lines) if any(bool(np.isfinite(line.y).any()) for line in lines) else picture.y_range
    if y_range is not None and picture.y_range is not None:
        low, high = max(y_range[0], picture.y_range[0]), min(y_range[1], picture.y_range[1])
        y_range = (low, high) if low < high else picture.y_range
    return replace(picture, lines=lines, x_range=shown, y_range=y_range)


def to_edges(line: Line, shown: Range) -> Line:
    """Return the points of a line that are in view, and where it crosses the edges."""
    first = int(np.searchsorted(line.x, shown[0], side="left"))
    end = int(np.searchsorted(line.x, shown[1], side="right"))
    before, after = line.joined and 0 < first < len(line.x), line.joined and 0 < end < len(line.x)
    part = line.between(first, end)
    if not (before or after):
        return part

    def along(values: Floats) -> Floats:
        ends = np.interp(shown, line.x, values)
        return np.concatenate([ends[:1] if before else [], values[first:end], ends[1:] if after else []])

    low, high = (None if band is None else along(band) for band in (line.low, line.high))
    return replace(part, x=along(line.x), y=along(line.y), low=low, high=high, cut=(int(before), int(after)))


def _y_range(lines: tuple[Line, ...]) -> Range:
    """Return the range that shows lines and their bands; a band without a line is in the background."""
    lows, highs = [], []
    for line in lines:
        if not np.isfinite(line.y).any():
            continue
        for part in (line.y, line.low, line.high):
            if part is not None and (finite := np.isfinite(part)).any():
                known = part if finite.all() else part[finite]
                lows.append(float(known.min()))
                highs.append(float(known.max()))
    return padded(min(lows), max(highs)) if lows else (0.0, 1.0)


def _paint_plot(picture: Picture, canvas: Canvas, frame: Frame, no_color: bool) -> None:
    for rule in picture.rules:
        canvas.put(0, frame.row(rule), "╌" * canvas.width, picture.axes)
    for line in picture.lines:
        _paint_band(line, canvas, frame)
    for marker in picture.markers:
        for row in range(canvas.height):
            canvas.put(frame.column(marker.x), row, marker.char, marker.color)
    lines = sorted(picture.lines, key=lambda line: line.bold)
    for line in lines:
        _paint_line(line, canvas, frame)
    if no_color or _share_a_color(lines):
        _paint_letters_along(lines, canvas, frame)
    _paint_letters(lines, canvas, frame)
    _paint_marker_labels(picture, canvas, frame)


def _paint_band(line: Line, canvas: Canvas, frame: Frame) -> None:
    if line.low is None or line.high is None or not len(line.x):
        return
    known = np.isfinite(line.low) & np.isfinite(line.high)
    if not known.any():
        return
    across = np.linspace(*frame.x, canvas.width)
    inside = (across >= line.x[known][0]) & (across <= line.x[known][-1])
    low = np.interp(across, line.x[known], line.low[known])
    high = np.interp(across, line.x[known], line.high[known])
    ink = canvas.ink(line.color)
    rows = np.arange(canvas.height)[:, None]
    top, bottom = frame.rows(high), frame.rows(low)
    canvas.grounds[(rows >= top) & (rows <= bottom) & inside] = ink


def _paint_line(line: Line, canvas: Canvas, frame: Frame) -> None:
    if not len(line.x):
        return
    x, y = thin(line.x, line.y, canvas.width * DOTS_X, frame.x)
    own_x, own_y = thin(line.own.x, line.own.y, canvas.width * DOTS_X, frame.x) if any(line.cut) else (x, y)
    known = np.flatnonzero(np.isfinite(own_y))
    few = len(known) <= max(canvas.width // 2, 8)
    glyphs = bool(line.glyph) and (few or line.gap > 0)
    if line.joined or not glyphs:
        across, down = frame.dots(x, y)
        bits = polyline(across, down, canvas.width, canvas.height, joined=line.joined, bold=line.bold)
        drawn = bits > 0
        canvas.bits |= bits  # a cell shared by two lines keeps the dots of both
        canvas.chars[drawn] = (canvas.bits[drawn].astype(np.uint32) + BRAILLE).view("<U1")
        canvas.inks[drawn] = canvas.ink(line.color)
    if glyphs:
        _paint_glyphs(line, own_x[known], own_y[known], canvas, frame)


def _paint_glyphs(line: Line, x: Floats, y: Floats, canvas: Canvas, frame: Frame) -> None:
    free = 0
    for column, row in zip(frame.columns(x).tolist(), frame.rows(y).tolist(), strict=True):
        if column >= free:
            canvas.put(int(column), int(row), line.glyph, line.color)
            free = column + line.gap


def _share_a_color(lines: list[Line]) -> bool:
    colors = [line.color for line in lines if line.letter and line.joined]
    return len(set(colors)) < len(colors)


def _paint_letters_along(lines: list[Line], canvas: Canvas, frame: Frame) -> None:
    """Write each line's letter on it now and then, where no colour tells lines apart; no two begin in one column."""
    for index, line in enumerate(lines):
        known = np.isfinite(line.y)
        if not line.letter or not line.joined or known.sum() < 2:
            continue
        x, y = line.x[known], line.y[known]
        first = frame.column(x[0]) + 2 + index * ALONG // len(lines)
        for column in range(first, frame.column(x[-1]) - 1, ALONG):
            share = (column + 0.5) / canvas.width
            at = np.interp(frame.x[0] + share * (frame.x[1] - frame.x[0]), x, y)
            canvas.put(column, frame.row(at), line.letter, line.color)


def _paint_letters(lines: list[Line], canvas: Canvas, frame: Frame) -> None:
    """Write each line's letter at its end, to the left of those that stand there already."""
    taken = set()
    for line in reversed(lines):
        finite = np.flatnonzero(np.isfinite(line.y))
        if line.letter and len(finite):
            x, y = float(line.x[finite[-1]]), float(line.y[finite[-1]])
            column, row = min(frame.column(x), canvas.width - 1), frame.row(y)
            while (column, row) in taken:
                column -= 1
            taken.add((column, row))
            canvas.put(column, row, line.letter, line.color)


def _paint_marker_labels(picture: Picture, canvas: Canvas, frame: Frame) -> None:
    free = [0] * 2  # the first free column of the two top rows
    for marker in sorted(picture.markers, key=lambda m: m.x):
        column = frame.column(marker.x)
        if not 0 <= column < canvas.width:
            continue
        width = cell_len(marker.label)
        start = column + 1 if column + 1 + width <= canvas.width else column - width
        for row in range(min(2, canvas.height)):
            if start >= free[row]:
                canvas.put(start, row, marker.label, marker.color)
                free[row] = start + width + 1
                break


def _plot_strip(canvas: Canvas, row: int, gutter: int, label: str | None, ground: str) -> Strip:
    axis = Style(color=canvas.colors[0])
    text = f"{label or '':>{gutter - 1}}" + ("┤" if label else "│")
    segments = [Segment(text, axis)]
    grounds, chars = canvas.grounds[row], canvas.chars[row]
    last = np.maximum.accumulate(np.where(chars == " ", 0, np.arange(canvas.width)))
    inks = canvas.inks[row][last]  # a blank joins what stands before it: fewer segments
    key = inks * 64 + grounds
    edges = [0, *(np.flatnonzero(key[1:] != key[:-1]) + 1).tolist(), canvas.width]
    written = "".join(chars.tolist())
    for start, end in itertools.pairwise(edges):
        band = canvas.colors[grounds[start]] if grounds[start] else ""
        segments.append(Segment(written[start:end], _style(canvas.colors[inks[start]], band, ground)))
    return Strip(segments, gutter + canvas.width)


@functools.cache
def _style(color: str, band: str, ground: str) -> Style:
    """Return the style of ``color`` on a band, if it is named, or on nothing."""
    return Style(color=color, bgcolor=_tint(band, ground) if band else None)


def _tint(color: str, ground: str, share: float = 0.22) -> str:
    """Return ``color`` mixed into the background ``ground``."""
    parts = [round(int(color[i : i + 2], 16) * share + int(ground[i : i + 2], 16) * (1 - share)) for i in (1, 3, 5)]
    return "#{:02x}{:02x}{:02x}".format(*parts)
