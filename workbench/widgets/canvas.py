"""Hold the cells of a plot while it is painted, and map data to their dots."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size

from workbench.raster import DOTS_X, DOTS_Y, scale
from workbench.series import Floats


@dataclass
class Canvas:
    """Hold the cells of the plot area while it is painted."""

    width: int
    height: int
    axes: str  # the colour of what has no other
    chars: NDArray[np.str_] = field(init=False)
    inks: NDArray[np.intp] = field(init=False)
    grounds: NDArray[np.intp] = field(init=False)
    bits: NDArray[np.uint8] = field(init=False)
    colors: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.colors = [self.axes]
        shape = (self.height, self.width)
        self.chars = np.full(shape, " ", dtype="<U1")
        self.inks = np.zeros(shape, dtype=np.intp)
        self.grounds = np.zeros(shape, dtype=np.intp)
        self.bits = np.zeros(shape, dtype=np.uint8)

    def ink(self, color: str) -> int:
        """Return the number of a colour."""
        if color not in self.colors:
            self.colors.append(color)
        return self.colors.index(color)

    def put(self, column: int, row: int, text: str, color: str) -> None:
        """Write ``text`` where it fits; the second cell of a character that has two holds nothing."""
        cells = [cell for character in text for cell in (character, "")[: get_character_cell_size(character)]]
        for at, cell in enumerate(cells, column):
            if 0 <= row < self.height and 0 <= at < self.width:
                self.chars[row, at] = cell
                self.inks[row, at] = self.ink(color)
        if 0 <= row < self.height and "" in self.chars[row]:
            self._blank_halves(row)

    def _blank_halves(self, row: int) -> None:
        """Leave no half of a character of which the other half is written over, or outside."""
        cells = self.chars[row].tolist()
        wide = [bool(cell) and get_character_cell_size(cell) > 1 for cell in cells]
        for at, cell in enumerate(cells):
            whole = cells[at + 1 : at + 2] == [""] if wide[at] else bool(cell) or (at > 0 and wide[at - 1])
            if not whole:
                self.chars[row, at] = " "


@dataclass(frozen=True)
class Frame:
    """Map data to dots of the plot area."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int
    height: int

    def dots(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return dot coordinates, y from the top."""
        across = scale(x, *self.x, self.width * DOTS_X)
        up = scale(y, *self.y, self.height * DOTS_Y)
        return across, self.height * DOTS_Y - 1 - up

    def x_at(self, column: int) -> float:
        """Return the x of a cell column, that of its right dot."""
        dots = self.width * DOTS_X
        return self.x[0] + (column * DOTS_X + 1) / (dots - 1) * (self.x[1] - self.x[0])

    def column(self, x: float) -> int:
        """Return the cell column that holds the dot of ``x``."""
        return int(self.columns(np.float64(x)))

    def columns(self, x: Floats) -> Floats:
        """Return the cell columns of many values."""
        return np.asarray(np.rint(scale(x, *self.x, self.width * DOTS_X)) // DOTS_X)

    def row(self, y: float) -> int:
        """Return the cell row that holds the dot of ``y``, from the top."""
        return int(self.rows(np.float64(y)))

    def rows(self, y: Floats) -> Floats:
        """Return the cell rows of many values."""
        dots = self.height * DOTS_Y
        return np.asarray((dots - 1 - np.rint(scale(y, *self.y, dots))) // DOTS_Y)
