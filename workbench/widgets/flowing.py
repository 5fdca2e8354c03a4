"""Break lines of Chinese as a book does: Textual breaks them at blanks, of which there are few."""

from __future__ import annotations

import itertools
import re
import textwrap

from rich.cells import cell_len
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual, VisualType
from textual.widgets import Static

WIDE = r"\u2e80-\u303e\u3041-\uffef"
OPENING = "“‘（《「【"  # end no line
CLOSING = "”’…）》」】，。、；：？！%"  # begin no line
PIECE = re.compile(rf"[{OPENING}]*(?:[{WIDE}]|[^\s{WIDE}{OPENING}]+)?[{CLOSING}]*\s*")
"""What stays on one line: a Chinese character, or a word of any other script, with its punctuation."""


def line_ends(text: str, width: int) -> list[int]:
    """Return where to break a line of text so that each part fits into ``width`` cells; nowhere without Chinese."""
    if not re.search(f"[{WIDE}]", text):
        return []
    ends, room, at = [], width, 0
    for piece in filter(None, PIECE.findall(text)):
        if cell_len(piece.rstrip()) > room and room < width:
            ends.append(at)
            room = width
        room -= cell_len(piece)
        at += len(piece)
    return ends


def lines_of(text: str, width: int) -> list[str]:
    """Return a text as lines of at most so many cells."""
    ends = line_ends(text, width)
    if not ends:
        return textwrap.wrap(text, width)
    return [text[start:end].rstrip() for start, end in itertools.pairwise([0, *ends, len(text)])]


def flowing(content: Content) -> Content | Flowing:
    """Return what breaks the lines of ``content`` wherever Chinese can be broken; itself where it has none."""
    return Flowing(content) if re.search(f"[{WIDE}]", content.plain) else content


class Passage(Static):
    """Show text whose lines break wherever Chinese can be broken."""

    def __init__(self, content: Content | str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(flowing(content) if isinstance(content, Content) else content, id=id, classes=classes)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show another text."""
        super().update(flowing(content) if isinstance(content, Content) else content, layout=layout)

    @property
    def text(self) -> Content | None:
        """Return what is shown, as it was given."""
        shown = self.content.content if isinstance(self.content, Flowing) else self.content
        return shown if isinstance(shown, Content) else None


class Flowing(Visual):
    """Show content with lines as wide as the place that it is shown in."""

    def __init__(self, content: Content) -> None:
        self.content = content

    def _broken(self, width: int) -> Content:
        lines = self.content.split("\n", allow_blank=True)
        parts = (part for line in lines for part in line.divide(line_ends(line.plain, width)))
        return Content("\n").join(part.rstrip() for part in parts)

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """Return the lines."""
        return self._broken(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """Return how wide the text is without breaks."""
        return self.content.get_optimal_width(rules, container_width)

    def get_height(self, rules: RulesMap, width: int) -> int:
        """Return how many lines it takes."""
        return self._broken(width).get_height(rules, width)
