"""Draw what changed and nothing else: a terminal far away pays for every byte."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from workbench.widgets.flowing import Passage


class Words(Passage):
    """Show text that is said again and again, and seldom new."""

    def say(self, text: Content, *, layout: bool = False) -> None:
        """Show ``text`` unless that is what stands here; ``layout`` where its height may be another."""
        shown = self.text
        if shown is None or not shown.is_same(text):
            self.update(text, layout=layout)


def subtitle(widget: Widget, text: str) -> None:
    """Write ``text`` into the lower border, which Textual draws again with all inside, unless it stands there."""
    shown = widget.border_subtitle
    if Content.from_markup(shown or "").plain != Content.from_markup(text).plain:
        widget.border_subtitle = text
