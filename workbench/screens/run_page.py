"""Be what pages about the run in focus have in common: they stand above the workbench, and are drawn when it is."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen

from workbench.screens.selection import Selection
from workbench.screens.steering import Steering


class RunPage(Screen[None]):
    """Draw again where something is another than before: a page says what it looks at, and how it is drawn."""

    def __init__(self, selection: Selection, steering: Steering) -> None:
        super().__init__()
        self._selection = selection
        self._steering = steering
        self._drawn: tuple[Any, ...] = ()

    def seen(self) -> tuple[Any, ...]:
        """Return all that the drawing depends on."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what is known now."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """Take in what came while another screen was above."""
        self.redraw()

    def on_resize(self) -> None:
        """Arrange the charts anew."""
        self._drawn = ()
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Show what is known now, where it is another than before."""
        seen = self.seen()
        if self.is_mounted and seen != self._drawn:
            self._drawn = seen
            self.draw()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
