"""Be what questions with yes and no have in common."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button

from workbench.widgets.flowing import Passage


class Confirm(ModalScreen[bool]):
    """Ask a question; no is the safe answer. The keys are a subclass's, with ids of its own: ``answer(True)``."""

    def __init__(self, title: str, question: Content, yes: str, no: str) -> None:
        super().__init__()
        self._title, self._question, self._words = title, question, (yes, no)

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Passage(self._question, id="question")
            with Horizontal(classes="dialog-buttons"):
                yield Button(self._words[0], id="yes", variant="error", compact=True)
                yield Button(self._words[1], id="no", compact=True)

    def on_mount(self) -> None:
        """Put the safe answer under the cursor."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer with the mouse."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer with a key."""
        self.dismiss(yes)
