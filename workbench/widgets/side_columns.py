"""Be a column of what is set side by side, and choose the lines that fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from workbench.format import MUTED

LEAST_NAME, MOST_NAME = 9, 32
MOST_VALUE = 16  # characters of a setting
GAP = "  "


@dataclass(frozen=True)
class Column:
    """Hold a heading and a cell for each line, in the order of their letters."""

    head: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        """Return how many cells it takes with the gap before it."""
        return max(map(cell_len, (self.head, *self.cells))) + len(GAP)

    def text(self, index: int) -> str:
        """Return one cell, flush right."""
        return right(self.cells[index], self.width)


def right(text: str, width: int) -> str:
    """Return a text flush right in so many cells."""
    return " " * (width - cell_len(text)) + text


def heading(first: str, width: int, columns: Sequence[Column]) -> Content:
    """Return the line above the columns: ``first`` above the names, of so many cells."""
    heads = "".join(right(column.head, column.width) for column in columns)
    return Content.styled(f"   {set_cell_size(first, width)}{heads}", MUTED)


def that_fit(focused: Sequence[bool], most: int) -> list[int]:
    """Return the indices of at most so many lines, the one in focus among them."""
    by_need = sorted(range(len(focused)), key=lambda index: not focused[index])
    return sorted(by_need[: max(most, 1)])
