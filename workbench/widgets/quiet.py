"""Draw what changed and nothing else: a terminal far away pays for every byte."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from workbench.widgets.flowing import Passage

DOT = " · "
BORDER = 6  # cells of a border that a title cannot have


class Words(Passage):
    """Show text that is said again and again, and seldom new."""

    def say(self, text: Content, *, layout: bool = False) -> None:
        """Show ``text`` unless that is what stands here; ``layout`` where its height may be another."""
        shown = self.text
        if shown is None or not shown.is_same(text):
            self.update(text, layout=layout)


def parts_that_fit(text: str, width: int) -> str:
    """Return the first parts of a text with dots between them, as many as fit, and one at least."""
    parts = text.split(DOT)
    while len(parts) > 1 and cell_len(DOT.join(parts)) > width:
        parts.pop()
    return DOT.join(parts)


def subtitle(widget: Widget, text: str) -> None:
    """Write ``text`` into the lower border, which Textual draws again with all inside, unless it stands there."""
    shown = widget.border_subtitle
    if Content.from_markup(shown or "").plain != Content.from_markup(text).plain:
        widget.border_subtitle = text
