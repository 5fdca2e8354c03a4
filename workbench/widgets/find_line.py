"""Take words that are looked for on a page."""

from __future__ import annotations

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
