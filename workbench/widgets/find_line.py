"""Take words that are looked for on a page."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input


class FindLine(Input):
    """Stand on the page only while words are typed; the page shows what has them at once."""

    def __init__(self, placeholder: str, *, id: str) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True)
        self.display = False

    def open(self) -> None:
        """Let a person type."""
        self.display = True
        self.focus()

    def leave(self, text: str) -> None:
        """Take ``text`` for what is looked for, and make room."""
        self.value, self.display = text, False


class Finding(Screen[Any]):
    """Be a page that shows the lines that have the words typed into its :class:`FindLine`.

    It stands last among the bases: Textual takes the styles of the first.
    """

    asked = ""  # the words

    @property
    def reading(self) -> Widget:
        """Return what has the focus while no words are typed."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Show the lines that have the words."""
        raise NotImplementedError

    def action_filter(self) -> None:
        """Let a person say which lines to show."""
        self.query_one(FindLine).open()

    def stop_finding(self) -> bool:
        """Show all lines again; return whether words were typed, or could be."""
        finds = bool(self.asked) or isinstance(self.focused, Input)
        if finds:
            self._leave("")
        return finds

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if event.value.strip() != self.asked:
            self.asked = event.value.strip()
            self.look_again()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._leave(event.value)

    def _leave(self, text: str) -> None:
        self.query_one(FindLine).leave(text)
        self.reading.focus()
