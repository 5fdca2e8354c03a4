"""Write what stands above the plot of a chart: legend and remark, or why there is no plot."""

from __future__ import annotations

import functools

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from workbench.charts.picture import Picture
from workbench.charts.readout import value_at
from workbench.widgets.flowing import lines_of


def legend(picture: Picture, width: int, at: float | None = None) -> Strip:
    """Return the legend, with the newest values or those ``at`` an x.

    Where room is short, the note goes, then axis name, words and values. Beside another plot the name outlasts words.
    """
    note = Segment(picture.note, _style(picture.axes, italic=True))
    axis = Segment(f"{picture.y_label}  ", _style(picture.axes))
    full = [axis, *_keys(picture, at, words=True)]
    brief = _keys(picture, at, words=False)
    letters = _keys(picture, at, words=False, values=False)
    for segments in ([*full, note], full, [axis, *brief] if picture.beside else full[1:], brief, letters):
        if sum(segment.cell_length for segment in segments) <= width + 2:
            break
    return Strip(segments).adjust_cell_length(width)


def remark(picture: Picture, width: int, most: int) -> list[Strip]:
    """Return the remark on as many lines as it takes, at most ``most``."""
    lines = lines_of(picture.remark, width)[: max(most, 0)]
    return [Strip([Segment(line, _style(picture.axes, italic=True))]).adjust_cell_length(width) for line in lines]


def _keys(picture: Picture, at: float | None, words: bool, values: bool = True) -> list[Segment]:
    keys = []
    for line in picture.lines:
        if len(line.x) and line.value:
            value = line.value if at is None else value_at(line, at)
            parts = (line.label if words else "", value if values else "")
            text = "".join(f"{part} " for part in parts if part)
            keys.append(Segment(f"{line.letter} ", _style(line.color, bold=True)))
            keys.append(Segment(f"{text} ", _style(line.color)))
    return keys


def without_plot(picture: Picture, width: int, height: int) -> list[Strip]:
    """Return lines that say why there is nothing to draw."""
    text = next(iter(chop_cells(picture.empty, width - 2)), "")
    left = " " * ((width - cell_len(text)) // 2)
    words = Strip([Segment(left + text, _style(picture.axes, italic=True))]).adjust_cell_length(width)
    blank = Strip.blank(width)
    return [words if row == height // 2 else blank for row in range(height)]


@functools.cache
def _style(color: str, bold: bool = False, italic: bool = False) -> Style:
    return Style(color=color, bold=bold, italic=italic)
