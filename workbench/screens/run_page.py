"""Be what pages about the run in focus have in common: they stand above the workbench, and are drawn when it is."""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.css.query import NoMatches

from workbench.charts.view import View
from workbench.screens.chart_keys import ChartScreen, chart_keys
from workbench.screens.selection import Selection
from workbench.screens.steering import Steering


class RunPage(ChartScreen):
    """Draw again where something is another than before: a page says what it looks at, and how it is drawn."""

    BINDINGS: ClassVar[list[BindingType]] = [*chart_keys()]

    def __init__(self, selection: Selection, steering: Steering, view: View) -> None:
        super().__init__(view)
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
        """Show what is known now, where it is another than before, unless the page is being built or taken down."""
        seen = (self.view.x, *self.seen())
        if self.is_mounted and seen != self._drawn:
            with contextlib.suppress(NoMatches):
                self.draw()
                self._drawn = seen

    def draw_anew(self) -> None:
        """Draw every chart on the axis that was chosen."""
        self.redraw()

    def action_close(self) -> None:
        """Take the cursor off the charts; without one, go back."""
        if not self.view.off():
            self.dismiss(None)
