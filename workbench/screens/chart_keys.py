"""Let keys move cursor and window of the charts on a screen."""

from __future__ import annotations

from textual.binding import Binding
from textual.screen import Screen

from mbpo.settings.language import tr
from workbench.charts.view import View
from workbench.widgets.chart import Chart

FAST = 10  # dot columns
CLOSER, FARTHER = 0.5, 2.0
PAN = 0.25  # of what is in view


def chart_keys() -> list[Binding]:
    """Return the keys of every screen with charts over a run."""
    cursor, far = tr("cursor on the charts, to the left or the right"), tr("the same, ten times as far")
    zoom, pan = tr("zoom in, or out, around the cursor or the end"), tr("what is in view, to the left or the right")
    return [
        Binding("comma", "look(-1)", cursor, id="view.left", show=False),
        Binding("full_stop", "look(1)", cursor, id="view.right", show=False),
        Binding("less_than_sign", f"look({-FAST})", far, id="view.far_left", show=False),
        Binding("greater_than_sign", f"look({FAST})", far, id="view.far_right", show=False),
        Binding("z", f"zoom({CLOSER})", zoom, id="view.closer", show=False),
        Binding("Z", f"zoom({FARTHER})", zoom, id="view.farther", show=False),
        Binding("left_square_bracket", f"pan({-PAN})", pan, id="view.earlier", show=False),
        Binding("right_square_bracket", f"pan({PAN})", pan, id="view.later", show=False),
        Binding("backspace", "see_all", tr("all of the x axis again"), id="view.all", show=False),
        Binding("X", "turn_axis", tr("x axis: env steps, wall time, episodes, updates"), id="view.axis", show=False),
    ]


class ChartScreen(Screen[None]):
    """Be a screen whose charts share a view."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def lead(self) -> Chart | None:
        """Return the chart whose axis the keys move on."""
        return next((chart for chart in self.query(Chart) if chart.in_sight and chart.picture.drawn), None)

    def draw_anew(self) -> None:
        """Draw every chart again, on another axis."""
        raise NotImplementedError

    def action_look(self, columns: int) -> None:
        """Move the cursor by dot columns."""
        if (chart := self.lead()) is not None:
            self.view.step(chart, columns)

    def action_cursor_off(self) -> None:
        """Take the cursor off the charts."""
        self.view.off()

    def action_zoom(self, factor: float) -> None:
        """Show a smaller part of the x axis, or a larger one."""
        if (chart := self.lead()) is not None:
            self.view.zoom(chart, factor)

    def action_pan(self, share: float) -> None:
        """Move what is in view."""
        if (chart := self.lead()) is not None:
            self.view.pan(chart, share)

    def action_see_all(self) -> None:
        """Show all of every x axis."""
        self.view.reset()

    def action_turn_axis(self) -> None:
        """Draw the charts over a run on the next x axis."""
        self.view.turn_axis()
        self.draw_anew()
