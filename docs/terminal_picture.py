"""Draw a terminal's cells as a PNG: letters in DejaVu Sans Mono, which comes with matplotlib, braille as dots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import MONOKAI

POINTS = 15
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FOREGROUND, BACKGROUND = "#e6edf3", "#0d1117"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column, row of each bit of a braille cell
MOST_COLORS = 128
RGB = tuple[int, int, int]


class Canvas:
    """Draw cell by cell."""

    def __init__(self, columns: int, lines: int) -> None:
        self._fonts = {bold: ImageFont.truetype(FONTS / name, POINTS) for bold, name in NAMES.items()}
        up, down = self._fonts[False].getmetrics()
        self._cell = (round(self._fonts[False].getlength("m")), up + down)
        width, height = self._cell
        self.image = Image.new("RGB", (columns * width, lines * height), BACKGROUND)
        self._draw = ImageDraw.Draw(self.image)

    def put(self, x: int, y: int, character: str, style: Style) -> None:
        """Draw one character."""
        width, height = self._cell
        left, top, cells = x * width, y * height, cell_len(character)
        front, back = _colors(style)
        self._draw.rectangle((left, top, left + cells * width - 1, top + height - 1), fill=back)
        if "\u2800" <= character <= "\u28ff":
            self._dots(left, top, ord(character) - 0x2800, front)
        elif "\u2581" <= character <= "\u2588":  # a bar of so many eighths
            filled = round(height * (ord(character) - 0x2580) / 8)
            self._draw.rectangle((left, top + height - filled, left + width - 1, top + height - 1), fill=front)
        else:
            self._draw.text((left, top), character, fill=front, font=self._fonts[bool(style.bold)])
        if style.underline:
            self._draw.line((left, top + height - 2, left + cells * width - 1, top + height - 2), fill=front)

    def _dots(self, left: int, top: int, bits: int, color: RGB) -> None:
        width, height = self._cell
        for bit, (column, row) in enumerate(DOTS):
            if bits >> bit & 1:
                x, y = left + (2 * column + 1) * width / 4, top + (2 * row + 1) * height / 8
                self._draw.ellipse((x - 1.2, y - 1.2, x + 1.2, y + 1.2), fill=color)


NAMES = {False: "DejaVuSansMono.ttf", True: "DejaVuSansMono-Bold.ttf"}


def draw(lines: Iterable[Iterable[Segment]], file: Path) -> None:
    """Draw lines of segments into a PNG."""
    rows = [[*line] for line in lines]
    canvas = Canvas(max(sum(cell_len(segment.text) for segment in row) for row in rows), len(rows))
    for y, row in enumerate(rows):
        x = 0
        for segment in row:
            for character in segment.text:
                canvas.put(x, y, character, segment.style or Style.null())
                x += cell_len(character)
    canvas.image.quantize(MOST_COLORS).save(file, optimize=True)


def _colors(style: Style) -> tuple[RGB, RGB]:
    """Return the colours of a style's letters and of what is behind them."""
    front, back = _rgb(style.color, FOREGROUND), _rgb(style.bgcolor, BACKGROUND)
    if style.reverse:
        front, back = back, front
    if style.dim:
        front = tuple((2 * f + b) // 3 for f, b in zip(front, back, strict=True))  # type: ignore[assignment]
    return front, back


def _rgb(color: Color | None, default: str) -> RGB:
    known = Color.parse(default) if color is None or color.is_default else color
    return tuple(known.get_truecolor(MONOKAI))  # type: ignore[return-value]
