"""Print figures as tables, 120 columns wide at most on a terminal; plain text of 100 where there is none."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from mbpo.comparison.figures import Axis, Figures, Question, Until
from mbpo.comparison.statistics import Interval
from mbpo.settings.numbers import short
from mbpo.settings.stdout import stdout

MAX_WIDTH = 120
PIPE_WIDTH = 100
LONGEST_WORD = 30  # that makes its column wider
BESIDE = 3  # cells between two columns


def print_figures(figures: Figures, question: Question) -> None:
    """Print one environment's tables on stdout."""
    console = figures_console()
    presets = dict.fromkeys(group.preset for group in figures.groups)
    title = f"{figures.env_id}, preset {', '.join(presets)}: {question.metric}"
    console.print(Text(title, style="bold"))
    for table in tables_of(figures, question):
        console.print(table)


def tables_of(figures: Figures, question: Question) -> Iterator[FigureTable]:
    """Yield one environment's tables: scores, pairs, and the way to the threshold where there is one."""
    yield _scores(figures)
    if figures.pairs:
        yield _pairs(figures, question)
    if question.threshold is not None:
        yield _reaches(figures, question, question.threshold)
        if figures.leads:
            yield _leads(figures, question, question.threshold)


def figures_console() -> Console:
    """Return what prints tables on stdout: as wide as COLUMNS says, else no wider than they are made for."""
    console = Console(file=stdout().file, highlight=False, markup=False, emoji=False)
    if not os.environ.get("COLUMNS", "").isdigit():
        console.width = min(console.width, MAX_WIDTH) if console.is_terminal else PIPE_WIDTH
    return console


def shown_number(value: float) -> str:
    """Return three significant digits or one decimal, whichever is more; a dash for NaN."""
    if math.isnan(value):
        return "—"
    return f"{value:,.1f}" if abs(value) >= 100 else short(value)


def shown_point(by: Axis, at: float) -> str:
    """Return a point of an axis with its unit."""
    if math.isinf(at):
        return "never"
    return f"{at:,.0f} steps" if by == "env_steps" else f"{shown_number(at)} s"


def shown_share(value: float) -> str:
    """Return a probability with two decimals; a dash for NaN."""
    return "—" if math.isnan(value) else f"{value:.2f}"


def with_interval(figure: str, interval: Interval, write: Callable[[float], str] = shown_number) -> str:
    """Return a figure with its interval, where there is one."""
    if math.isnan(interval.low):
        return figure
    return f"{figure} [{write(interval.low)}, {write(interval.high)}]"


@dataclass(frozen=True)
class FigureTable:
    """Be a table whose columns in ``names`` wrap and whose figures never do; where it has no room, a list."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: Sequence[int]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width there is."""
        widths = [self._least_width(index) for index in range(len(self.titles))]
        spare = options.max_width - sum(width + BESIDE for width in widths)
        if spare < 0:
            yield from map(Text, self._lines())
            return
        for index in self.names:  # rich would take from columns that have nothing to give
            wider = min(max(map(cell_len, self._texts(index))) - widths[index], spare)
            widths[index] += wider
            spare -= wider
        yield self._table(widths)

    def _least_width(self, index: int) -> int:
        """Return the cells that a column needs: for its longest word, or a figure as a whole."""
        texts = self._texts(index)
        if index not in self.names:
            return max(map(cell_len, texts))
        return min(max(cell_len(word) for text in texts for word in [*text.split(), ""]), LONGEST_WORD)

    def _texts(self, index: int) -> list[str]:
        return [self.titles[index], *(row[index] for row in self.rows)]

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, (title, width) in enumerate(zip(self.titles, widths, strict=True)):
            if index in self.names:
                table.add_column(title, overflow="fold", width=width)
            else:
                table.add_column(title, justify="right", no_wrap=True, width=width)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def _lines(self) -> Iterator[str]:
        yield ""
        for row in self.rows:
            yield ", ".join(f"{self.titles[index]} {row[index]}" for index in self.names)
            yield from (
                f"    {title}: {cell}"
                for n, (title, cell) in enumerate(zip(self.titles, row, strict=True))
                if n not in self.names
            )


def _scores(figures: Figures) -> FigureTable:
    rows = [
        [
            shown_point(score.by, score.at),
            score.group,
            str(score.seeds) if score.seeds == score.of else f"{score.seeds} of {score.of}",
            f"{shown_number(score.mean)} ± {shown_number(score.std)}",
            with_interval(shown_number(score.iqm), score.iqm_interval),
        ]
        for score in figures.scores
    ]
    return FigureTable(["at", "group", "seeds", "mean ± std", "IQM [95 %]"], rows, names=(1,))


def _pairs(figures: Figures, question: Question) -> FigureTable:
    rows = [
        [
            shown_point(pair.by, pair.at),
            pair.x,
            pair.y,
            f"{pair.seeds_x}, {pair.seeds_y}",
            with_interval(shown_share(pair.improvement), pair.improvement_interval, shown_share),
            with_interval(shown_number(pair.difference), pair.difference_interval),
        ]
        for pair in figures.pairs
    ]
    better = "P(X > Y)" if question.sign > 0 else "P(X < Y)"
    titles = ["at", "X", "Y", "seeds", f"{better} [95 %]", "X − Y by seed [95 %]"]
    return FigureTable(titles, rows, names=(1, 2))


def _reaches(figures: Figures, question: Question, threshold: float) -> FigureTable:
    until = _until(question, threshold)
    rows = [
        [
            reach.group,
            until[reach.until],
            f"{reach.reached} of {reach.of}",
            shown_point("env_steps", reach.env_steps),
            shown_point("time_s", reach.time_s),
        ]
        for reach in figures.reaches
    ]
    titles = ["group", "until", "seeds", "median env steps", "median wall time"]
    return FigureTable(titles, rows, names=(0, 1))


def _leads(figures: Figures, question: Question, threshold: float) -> FigureTable:
    until = _until(question, threshold)
    rows = [
        [
            until[lead.until],
            lead.x,
            lead.y,
            f"{lead.seeds_x}, {lead.seeds_y}",
            with_interval(shown_share(lead.sooner), lead.sooner_interval, shown_share),
            with_interval(shown_number(lead.saved), lead.saved_interval),
        ]
        for lead in figures.leads
    ]
    titles = ["until", "X", "Y", "seeds", "P(X sooner) [95 %]", "steps saved by seed [95 %]"]
    return FigureTable(titles, rows, names=(0, 1, 2))


def _until(question: Question, threshold: float) -> dict[Until, str]:
    bound = f"{'≥' if question.sign > 0 else '≤'} {threshold:g}"
    return {"first": f"first {bound}", "solved": f"solved: stays {bound}"}
