"""Show a picture of curves; it is painted again only when it, the size or what is in view changed."""

from __future__ import annotations

from typing import Any

from textual.events import Click, Leave, MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from workbench.charts.picture import Picture
from workbench.charts.view import Range, View
from workbench.raster import DOTS_X
from workbench.widgets.crossing import crossed, differing
from workbench.widgets.painter import Painting, painted

WHEEL = 0.8  # how much narrower a turn of the wheel makes what is in view


class Chart(Widget):
    """Draw lines, bands and markers in braille.

    Departs: not textual-plot's widget, which joins points one by one in Python, 258 ms for 8 series
    of 10,000 points where this takes 9 ms, draws over NaN and has no band.
    """

    DEFAULT_CSS = "Chart { height: 1fr; }"

    class Clicked(Message):
        """Tell that a chart was clicked, at an x where there is one."""

        def __init__(self, chart: Chart, x: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.x = x

    def __init__(self, view: View | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.picture = Picture("", empty="")
        self.view = view or View()
        self.view.add(self)
        self._painting = Painting([])
        self._painted: tuple[object, ...] = ()  # of what
        self._strips: list[Strip] = []
        self._looked_at: list[Strip] = []  # as they were when it was last seen to that all of them are drawn
        self._grip: tuple[int, float] | None = None  # where the mouse holds the chart, and what began there
        self._dragged = False

    @property
    def in_sight(self) -> bool:
        """Return whether the chart is laid out on its screen."""
        return self.is_attached and self.is_on_screen

    @property
    def place(self) -> object:
        """Return the screen that it is on."""
        return self.screen

    @property
    def axis(self) -> str:
        """Return the name of its x axis."""
        return self.picture.x_label

    @property
    def whole(self) -> Range:
        """Return all of its x axis."""
        return self.picture.whole

    @property
    def with_room(self) -> Range:
        """Return all of its x axis as it is drawn."""
        return self.picture.with_room

    @property
    def dots(self) -> int:
        """Return how many dot columns its plot has."""
        frame = self._painting.frame
        return (frame.width if frame is not None else self.size.width) * DOTS_X

    def show(self, picture: Picture) -> None:
        """Draw ``picture`` from now on: the cells of it that are others than before."""
        if picture.same_as(self.picture):
            return
        self.picture = picture
        self.call_later(self.look)  # between two charts the app looks at keys

    def look(self) -> None:
        """Draw the cells that are others than before."""
        before = self._looked_at  # not the painted ones: a part of them may have been drawn in between
        self._bring_up_to_date()
        self._looked_at = self._strips
        if not self.size or len(before) != len(self._strips):
            self.refresh()
        elif regions := differing(before, self._strips):
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint the picture if it, the size or the background is another than before."""
        self._bring_up_to_date()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return one line of the painted picture."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        return self._strips[y]

    def _bring_up_to_date(self) -> None:
        """Paint where something else is to be painted, and lay the cursor over it."""
        width, height = self.size
        shown = self.view.shown(self) if self.view.is_zoomed(self.axis) else None
        wanted: tuple[object, ...] = (self.picture, width, height, self._ground, self.app.theme, shown)
        at = self.view.cursor(self.axis)
        again = not self._painted or self._painted[0] is not self.picture or self._painted[1:-1] != wanted[1:]
        if again:
            inks, no_color = self.app.theme_variables, self.app.no_color
            self._painting = painted(self.picture, width, height, self._ground, shown, inks, no_color)
        if again or self._painted[-1] != at:
            strips = self._painting.strips
            if at is not None:
                strips = crossed(self._painting, width, at)
            style = self.rich_style
            self._strips = [strip.apply_style(style) for strip in strips]
            self._painted = (*wanted, at)

    @property
    def _ground(self) -> str:
        """Return the background; the terminal's own is not told."""
        background = self.background_colors[1]
        return self.app.theme_variables["ink-raised"] if background.ansi is not None else background.hex6

    def _x_under(self, column: int, row: int) -> float | None:
        """Return the x below the mouse, None beside the plot."""
        painting = self._painting
        frame = painting.frame
        if frame is None or not (0 <= row < self.size.height and 0 <= column - painting.left < frame.width):
            return None
        return frame.x_at(column - painting.left)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Let the cursor go along, or what is in view."""
        frame = self._painting.frame
        if self._grip is None or frame is None:
            self.view.point(self, self._x_under(event.x, event.y))
            return
        held, low = self._grip
        if event.x != held or self._dragged:
            self._dragged = True
            self.view.pan_to(self, low - (event.x - held) / frame.width * (frame.x[1] - frame.x[0]))

    def on_leave(self, event: Leave) -> None:
        """Take the cursor away with the mouse."""
        self.view.point(self, None)

    def on_mouse_down(self, event: MouseDown) -> None:
        """Take hold of what is in view."""
        self._dragged = False
        if event.button == 1 and self._painting.frame is not None:
            self._grip = event.x, self._painting.frame.x[0]
            self.capture_mouse()

    def on_mouse_up(self, event: MouseUp) -> None:
        """Let go."""
        self._grip = None
        self.release_mouse()

    def on_click(self, event: Click) -> None:
        """Tell of a click; where a drag ended it is none."""
        if not self._dragged:
            self.post_message(self.Clicked(self, self._x_under(event.x, event.y)))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Show a smaller part, around the mouse."""
        self._turn_wheel(event, WHEEL)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Show a larger part."""
        self._turn_wheel(event, 1 / WHEEL)

    def _turn_wheel(self, event: Any, factor: float) -> None:
        if not event.ctrl and any(getattr(above, "max_scroll_y", 0) for above in self.ancestors):
            return  # the wheel scrolls the page
        event.stop()
        event.prevent_default()
        self.view.zoom(self, factor, self._x_under(event.x, event.y))
