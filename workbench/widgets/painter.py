"""Paint a picture into lines of cells: legend, curves in braille, axes."""

from __future__ import annotations

import functools
import itertools
import textwrap
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from workbench.charts.picture import Line, Picture
from workbench.format import number
from workbench.raster import BRAILLE, DOTS_X, padded, polyline, ticks
from workbench.series import Floats, thin
from workbench.theme import NIGHT_INKS
from workbench.widgets.canvas import Canvas, Frame

ALONG = 18  # cells from a letter on a line to the next
LEAST_ROWS = 2  # of a plot below a remark
LABEL = 6  # cells of a label at least, as −1,500 has: axes of charts above each other begin in one column


def paint(
    picture: Picture, width: int, height: int, ground: str, inks: Mapping[str, str] = NIGHT_INKS, no_color: bool = False
) -> list[Strip]:
    """Return ``height`` lines of ``width`` cells: legend, plot, x axis."""
    picture = picture.inked(inks)
    if width < 12 or height < 4:
        return [Strip.blank(width)] * height
    if picture.log_y:
        picture = _logarithmic(picture)
    if not picture.drawn:
        return _empty(picture, width, height)
    x_range, y_range = _ranges(picture)
    remark = _remark(picture, width, height - 2 - LEAST_ROWS)
    rows = height - 2 - len(remark)
    y_ticks = ticks(*y_range, max(rows // 3, 2))
    labels = _distinct([10**t if picture.log_y else t for t in y_ticks])
    gutter = max(max(map(len, labels), default=1), LABEL) + 1
    canvas = Canvas(width - gutter, rows, picture.axes)
    frame = Frame(x_range, y_range, canvas.width, canvas.height)
    _paint_plot(picture, canvas, frame, no_color)
    axis = {frame.row(t): label for t, label in zip(y_ticks, labels, strict=True)}
    return [
        _legend(picture, width),
        *remark,
        *(_plot_strip(canvas, row, gutter, axis.get(row), ground) for row in range(canvas.height)),
        _x_axis(picture, frame, gutter, width),
    ]


def _distinct(values: list[float]) -> list[str]:
    """Write numbers with as few digits as tell them apart."""
    for digits in range(3, 8):
        labels = [number(value, digits) for value in values]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{value:.12g}" for value in values]


def _logarithmic(picture: Picture) -> Picture:
    def log(values: Floats) -> Floats:
        result = np.full(values.shape, np.nan)
        return np.log10(values, out=result, where=values > 0)

    lines = tuple(replace(line, y=log(line.y), low=None, high=None) for line in picture.lines)
    return replace(picture, lines=lines)


def _ranges(picture: Picture) -> tuple[tuple[float, float], tuple[float, float]]:
    x_range, y_range = picture.x_range, picture.y_range
    if x_range is None:
        xs = [line.x for line in picture.lines if len(line.x)]
        low, high = min(float(x[0]) for x in xs), max(float(x[-1]) for x in xs)
        x_range = (low, high) if high > low else (low - 1.0, high + 1.0)
    if y_range is None:
        parts = [part for line in picture.lines for part in (line.y, line.low, line.high) if part is not None]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        y_range = padded(float(values.min()), float(values.max()))
    return x_range, y_range


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
    if no_color:
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
    x, y = thin(line.x, line.y, canvas.width * DOTS_X)
    finite = np.flatnonzero(np.isfinite(y))
    few = len(finite) <= max(canvas.width // 2, 8)
    glyphs = bool(line.glyph) and (few or line.gap > 0)
    if line.joined or not glyphs:
        across, down = frame.dots(x, y)
        bits = polyline(across, down, canvas.width, canvas.height, joined=line.joined)
        if line.bold:
            bits |= polyline(across, down - 1, canvas.width, canvas.height, joined=line.joined)
        drawn = bits > 0
        canvas.bits |= bits  # a cell shared by two lines keeps the dots of both
        canvas.chars[drawn] = (canvas.bits[drawn].astype(np.uint32) + BRAILLE).view("<U1")
        canvas.inks[drawn] = canvas.ink(line.color)
    if glyphs:
        _paint_glyphs(line, x[finite], y[finite], canvas, frame)


def _paint_glyphs(line: Line, x: Floats, y: Floats, canvas: Canvas, frame: Frame) -> None:
    free = 0
    for column, row in zip(frame.columns(x).tolist(), frame.rows(y).tolist(), strict=True):
        if column >= free:
            canvas.put(int(column), int(row), line.glyph, line.color)
            free = column + line.gap


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
        start = column + 1 if column + 1 + len(marker.label) <= canvas.width else (column - len(marker.label))
        for row in range(min(2, canvas.height)):
            if start >= free[row]:
                canvas.put(start, row, marker.label, marker.color)
                free[row] = start + len(marker.label) + 1
                break


def _plot_strip(canvas: Canvas, row: int, gutter: int, label: str | None, ground: str) -> Strip:
    axis = Style(color=canvas.colors[0])
    text = f"{label or '':>{gutter - 1}}" + ("┤" if label else "│")
    segments = [Segment(text, axis)]
    grounds, chars = canvas.grounds[row], canvas.chars[row]
    last = np.maximum.accumulate(np.where(chars == " ", 0, np.arange(canvas.width)))
    inks = canvas.inks[row][last]  # a blank joins what stands before it: fewer segments
    key = inks * 64 + grounds
    edges = [0, *(np.flatnonzero(np.diff(key)) + 1), canvas.width]
    for start, end in itertools.pairwise(edges):
        band = canvas.colors[grounds[start]] if grounds[start] else ""
        style = _style(canvas.colors[inks[start]], band, ground)
        segments.append(Segment("".join(chars[start:end]), style))
    return Strip(segments, gutter + canvas.width)


@functools.cache
def _style(color: str, band: str, ground: str) -> Style:
    """Return the style of ``color`` on a band, if it is named, or on nothing."""
    return Style(color=color, bgcolor=_tint(band, ground) if band else None)


def _tint(color: str, ground: str, share: float = 0.22) -> str:
    """Return ``color`` mixed into the background ``ground``."""
    parts = [round(int(color[i : i + 2], 16) * share + int(ground[i : i + 2], 16) * (1 - share)) for i in (1, 3, 5)]
    return "#{:02x}{:02x}{:02x}".format(*parts)


def _x_axis(picture: Picture, frame: Frame, gutter: int, width: int) -> Strip:
    room = width - gutter - len(picture.x_label) - 2
    cells = [" "] * width
    free = 0
    for tick in ticks(*frame.x, max(room // 8, 2)):
        label = number(tick, 5)
        start = max(gutter + frame.column(tick) - len(label) // 2, 0)
        if start >= free and start + len(label) <= gutter + room:
            cells[start : start + len(label)] = label
            free = start + len(label) + 2
    text = "".join(cells)[: width - len(picture.x_label) - 1]
    return Strip([Segment(f"{text} {picture.x_label}", Style(color=picture.axes))], width)


def _legend(picture: Picture, width: int) -> Strip:
    """Return the legend; where room is short, the note goes, then axis name, words and values."""
    note = Segment(picture.note, Style(color=picture.axes, italic=True))
    axis = Segment(f"{picture.y_label}  ", Style(color=picture.axes))
    full = [axis, *_keys(picture, words=True)]
    letters = _keys(picture, words=False, values=False)
    for segments in ([*full, note], full, full[1:], _keys(picture, words=False), letters):
        if sum(segment.cell_length for segment in segments) <= width + 2:
            break
    return Strip(segments).adjust_cell_length(width)


def _remark(picture: Picture, width: int, most: int) -> list[Strip]:
    """Return the remark on as many lines as it takes, at most ``most``."""
    lines = textwrap.wrap(picture.remark, width)[: max(most, 0)]
    return [Strip([Segment(line, Style(color=picture.axes, italic=True))]).adjust_cell_length(width) for line in lines]


def _keys(picture: Picture, words: bool, values: bool = True) -> list[Segment]:
    keys = []
    for line in picture.lines:
        if len(line.x) and line.value:
            parts = (line.label if words else "", line.value if values else "")
            text = "".join(f"{part} " for part in parts if part)
            keys.append(Segment(f"{line.letter} ", Style(color=line.color, bold=True)))
            keys.append(Segment(f"{text} ", Style(color=line.color)))
    return keys


def _empty(picture: Picture, width: int, height: int) -> list[Strip]:
    text = picture.empty[: width - 2]
    left = " " * ((width - cell_len(text)) // 2)
    words = Strip([Segment(left + text, Style(color=picture.axes, italic=True))]).adjust_cell_length(width)
    blank = Strip.blank(width)
    return [words if row == height // 2 else blank for row in range(height)]
