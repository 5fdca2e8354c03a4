"""Write what stands above the plot of a chart: legend and remark, or why there is no plot."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mbpo.settings.language import tr
from workbench.charts.picture import Picture
from workbench.charts.readout import value_at
from workbench.widgets.flowing import lines_of
from workbench.widgets.side_columns import that_fit

EVALUATED = "●"  # before an evaluation
BETWEEN = 2  # cells after the text of a line, which the last needs not


def legend(picture: Picture, width: int, at: float | None = None) -> Strip:
    """Return the legend, with the newest values or those ``at`` an x.

    Where room is short, the note goes, then axis name and words; then lines, whose number is told. Beside another plot
    the name outlasts words, and letters alone stay.
    """
    note = Segment(picture.note, _style(picture.axes, italic=True))
    axis = Segment(f"{picture.y_label}  ", _style(picture.axes))
    full = _flat(_keys(picture, at, words=True))
    brief = _flat(_keys(picture, at, words=False))
    letters = _flat(_keys(picture, at, words=False, values=False))
    beside = [[axis, *brief], brief, letters] if picture.beside else [full, brief]
    for segments in ([axis, *full, note], [axis, *full], *beside):
        if _length(segments) <= width + BETWEEN:
            break
    else:
        segments = _that_fit(picture, at, width)
    return Strip(segments).adjust_cell_length(width)


def _that_fit(picture: Picture, at: float | None, width: int) -> list[Segment]:
    """Return the values of as many lines as fit, that of the run in focus among them, and how many more there are."""
    keys = _keys(picture, at, words=False)
    leads = [key.lead for key in keys]
    segments: list[Segment] = []
    for count in range(len(keys), 0, -1):
        more = tr("+{n} more", n=len(keys) - count) if count < len(keys) else ""
        segments = _flat(keys[index] for index in that_fit(leads, count))
        segments.append(Segment(more, _style(picture.axes, italic=True)))
        if _length(segments) <= width:
            break
    return segments


def _flat(keys: Iterable[_Key]) -> list[Segment]:
    return [segment for key in keys for segment in key.segments]


def _length(segments: Iterable[Segment]) -> int:
    return sum(segment.cell_length for segment in segments)


def remark(picture: Picture, width: int, most: int) -> list[Strip]:
    """Return the remark on as many lines as it takes, at most ``most``."""
    lines = lines_of(picture.remark, width)[: max(most, 0)]
    return [Strip([Segment(line, _style(picture.axes, italic=True))]).adjust_cell_length(width) for line in lines]


@dataclass
class _Key:
    """Hold a letter of the legend, and what is said of it."""

    letter: str
    color: str
    lead: bool
    said: str

    @property
    def segments(self) -> tuple[Segment, Segment]:
        letter = Segment(f"{self.letter} ", _style(self.color, bold=True))
        return letter, Segment(f"{self.said} ", _style(self.color))


def _keys(picture: Picture, at: float | None, words: bool, values: bool = True) -> list[_Key]:
    """Return what is said of each line; the evaluations of a run stand with its line, at a cursor only."""
    keys: list[_Key] = []
    for line in picture.lines:
        if not (len(line.x) and line.value) or (line.at_cursor and at is None):
            continue
        value = line.value if at is None else value_at(line, at)
        parts = (line.label if words else "", value if values else "")
        said = "".join(f"{part} " for part in parts if part)
        if not line.at_cursor:
            keys.append(_Key(line.letter, line.color, line.lead, said))
        elif keys and keys[-1].letter == line.glyph:
            keys[-1].said += f"{EVALUATED} {said}"
        else:
            keys.append(_Key(line.glyph, line.color, line.lead, f"{EVALUATED} {said}"))
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
