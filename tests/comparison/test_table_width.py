"""A table keeps every figure whole, whatever the width."""

from __future__ import annotations

import pytest
from rich.console import Console

from mbpo.comparison.table import FigureTable

TITLES = ["until", "X", "Y", "seeds", "P(X sooner) [95 %]", "steps saved by seed [95 %]"]
ROWS = [
    ["first ≥ -200", "real_ratio=0.5", "real_ratio=1", "5, 5", "1.00 [1.00, 1.00]", "520.0 [340.0, 720.0]"],
    ["solved: stays ≥ -200", "real_ratio=0.5", "real_ratio=1", "5, 5", "0.94 [0.76, 1.00]", "500.0 [300.0, 680.0]"],
]


@pytest.mark.parametrize("width", range(60, 140))
def test_no_figure_and_no_title_is_cut(width: int) -> None:
    console = Console(width=width, force_terminal=False)
    with console.capture() as seen:
        console.print(FigureTable(TITLES, ROWS, names=(0, 1, 2)))
    text = seen.get()
    assert all(len(line) <= width for line in text.splitlines())
    for figure in [*TITLES[3:], *(cell for row in ROWS for cell in row[1:])]:
        assert figure in text
