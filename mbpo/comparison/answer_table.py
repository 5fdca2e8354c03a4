"""Print the answer to a what-if as tables, and its verdict below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from mbpo.comparison.answer import Answer, over
from mbpo.comparison.arm_figures import ArmFigure
from mbpo.comparison.table import FigureTable, figures_console, shown_number, shown_share

NO_TIMES: Mapping[str, float] = {}


def print_answer(found: Answer, title: str, end: int, evaluations: int) -> None:
    """Print on stdout a table for each score, and by each which arm was best."""
    console = figures_console()
    console.print(Text(title, style="bold"))
    console.print(_table(f"at env step {end:,}", found.final, found.wall_s))
    if evaluations > 1:
        console.print(_table(f"mean of {evaluations} evaluations", found.on_the_way, NO_TIMES))
    console.print(Text(found.verdict), soft_wrap=True)
    if evaluations > 1:
        console.print(Text(f"on the way: {found.verdict_on_the_way}"), soft_wrap=True)


def _table(score: str, figures: Sequence[ArmFigure], wall_s: Mapping[str, float]) -> FigureTable:
    first = figures[0].arm
    rows = [
        [
            figure.arm,
            str(figure.repeats) if figure.repeats == figure.of else f"{figure.repeats} of {figure.of}",
            shown_number(figure.mean) + (f" ± {shown_number(figure.std)}" if figure.repeats > 1 else ""),
            over(figure),
            shown_share(figure.best),
            *([shown_number(wall_s[figure.arm])] if wall_s else []),
        ]
        for figure in figures
    ]
    titles = ["arm", "repeats", score, f"over {first} [95 %]", "P(best)", *(["wall s"] if wall_s else [])]
    return FigureTable(titles, rows, names=(0,))
