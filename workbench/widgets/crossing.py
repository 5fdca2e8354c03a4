"""Lay a cursor over the painted lines of a chart, and tell which cells of two versions differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from workbench.charts.readout import place_words
from workbench.widgets.axes import axis_name
from workbench.widgets.legend import legend
from workbench.widgets.painter import Painting

BAR = "│"
GAP = 4  # cells alike between two that differ, up to which both are drawn in one go
OVER = Style(reverse=True)  # in any theme, and without colours


def crossed(painting: Painting, width: int, at: float) -> list[Strip]:
    """Return a chart's lines with a cursor at an x: a vertical line, the x below it, and the values in the legend."""
    picture, frame, strips = painting.picture, painting.frame, list(painting.strips)
    column = frame.column(at) if frame is not None and frame.x[0] <= at <= frame.x[1] else -1
    if frame is None or not 0 <= column < frame.width:
        return strips
    strips[0] = legend(picture, width, at)
    for row in range(painting.top, painting.top + frame.height):
        strips[row] = _barred(strips[row], painting.left + column, picture.axes)
    dot = (frame.x[1] - frame.x[0]) / max(2 * frame.width - 1, 1)
    strips[-1] = _labelled(
        strips[-1],
        painting.left + column,
        place_words(at, picture.seconds, dot),
        width - cell_len(axis_name(picture, frame)),
    )
    return strips


def _barred(strip: Strip, column: int, color: str) -> Strip:
    cell = strip.crop(column, column + 1)
    text, style = cell.text, next(iter(cell)).style or Style()
    over = Segment(BAR, Style(color=color, bgcolor=style.bgcolor)) if text == " " else Segment(text, style + OVER)
    return Strip.join([strip.crop(0, column), Strip([over], 1), strip.crop(column + 1, strip.cell_length)])


def _labelled(strip: Strip, column: int, words: str, room: int) -> Strip:
    """Write where the cursor is, before the name of the axis."""
    label, text, width = f" {words} ", strip.text, strip.cell_length
    start = max(min(column - len(label) // 2, room - len(label)), 0)
    end = start + len(label)
    first = text.rfind(" ", 0, start + 1) + 1 if start < len(text) and text[start] != " " else start
    last = text.find(" ", end) if end < room and text[end - 1 : end] != " " else end  # no label stays in part
    blanks = " " * (start - first), " " * (last - end)
    over = Strip([Segment(blanks[0] + label + blanks[1], Style(bold=True))])
    return Strip.join([strip.crop(0, first), over, strip.crop(max(last, end), width)]).crop(0, width)


def differing(before: Sequence[Strip], after: Sequence[Strip]) -> list[Region]:
    """Return the cells in which two versions of the same lines differ."""
    return [
        Region(start, y, end - start, 1)
        for y, (was, now) in enumerate(zip(before, after, strict=True))
        if was is not now and was != now
        for start, end in _spans(was, now)
    ]


def _spans(was: Strip, now: Strip) -> Iterator[tuple[int, int]]:
    old, new = _cells(was), _cells(now)
    if len(old) != was.cell_length or len(new) != now.cell_length:  # characters that are wider than a cell
        yield 0, max(was.cell_length, now.cell_length)
        return
    start = end = -1
    for column, (one, other) in enumerate(zip_longest(old, new)):
        if one == other:
            continue
        if start >= 0 and column - end > GAP:
            yield start, end
            start = column
        start, end = (column if start < 0 else start), column + 1
    if start >= 0:
        yield start, end


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    return [
        (character, segment.style)
        for segment in strip
        for character in (segment.text if segment.text.isascii() or cell_len(segment.text) == len(segment.text) else "")
    ]
