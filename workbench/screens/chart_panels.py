"""Arrange the charts of the table: all at once, or one with tabs."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mbpo.settings.language import tr
from workbench.changes import Change
from workbench.charts.overlay import Overlay
from workbench.charts.picture import Picture
from workbench.charts.scene import Scene, scene_of
from workbench.charts.spec import ChartSpec, Plot
from workbench.charts.table import CHARTS, toggles
from workbench.charts.view import View
from workbench.groups_side_by_side import GroupComparison
from workbench.messages import RunDetail, RunRow
from workbench.side_by_side import Comparison
from workbench.widgets.chart import Chart
from workbench.widgets.chart_panel import ChartPanel


class Tab(Static):
    """Choose a chart with the mouse."""

    class Chosen(Message):
        """Tell which chart was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.chart = name

    def __init__(self, chart: str, index: int) -> None:
        super().__init__(Content(f" {index} {tr(chart)} "), id=f"tab-{chart}", classes="tab")
        self.chart = chart

    def on_click(self) -> None:
        """Report the click."""
        self.post_message(self.Chosen(self.chart))


class Tabs(Horizontal):
    """Let the wheel go through the tabs."""

    class Turned(Message):
        """Tell by how many tabs."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def on_mouse_scroll_up(self) -> None:
        """Go back."""
        self.post_message(self.Turned(-1))

    def on_mouse_scroll_down(self) -> None:
        """Go on."""
        self.post_message(self.Turned(1))


class ChartPanels(Vertical):
    """Show a run's curves, a panel for each chart."""

    def __init__(self, view: View, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view
        self._charts = tuple(CHARTS.values())
        self._turns = {toggle.name: 0 for toggle in toggles()}
        self._log = False  # whether y axes are turned
        self._chosen = self._charts[0].name

    def compose(self) -> ComposeResult:
        """Lay out tabs and panels."""
        with Tabs(id="tabs"):
            for index, chart in enumerate(self._charts, 1):
                yield Tab(chart.name, index)
        with Grid(id="chart-grid"):
            for index, chart in enumerate(self._charts, 1):
                yield ChartPanel(chart, index, self._view)

    def on_mount(self) -> None:
        """Mark the first tab."""
        self._mark()

    def on_tab_chosen(self, event: Tab.Chosen) -> None:
        """Show the chart that was clicked."""
        event.stop()
        self._chosen = event.chart
        self._mark()

    def on_tabs_turned(self, event: Tabs.Turned) -> None:
        """Show another chart."""
        event.stop()
        self.step(event.by)

    def on_chart_clicked(self, event: Chart.Clicked) -> None:
        """Show the chart that was clicked alone, or all again; where one fits, leave the cursor there."""
        event.stop()
        if self.query_one("#tabs").display:
            self._view.turn(event.chart, event.x)
        else:
            self._choose_panel(event.chart.parent)

    def on_click(self, event: Click) -> None:
        """Take a click on a panel's border for one on its chart."""
        self._choose_panel(event.widget)

    def _choose_panel(self, panel: object) -> None:
        for chart in self._charts:
            if panel is self.query_one(f"#panel-{chart.name}"):
                self.choose(chart.name)

    def choose(self, name: str) -> None:
        """Show ``name`` alone; chosen twice where all fit, show all again."""
        alone = self.has_class("-alone")
        self.set_class(not (alone and self._chosen == name), "-alone")
        self._chosen = name
        self._mark()

    @property
    def help_topic(self) -> str:
        """Return the chart that is shown alone, if one is."""
        return self._chosen if self.has_class("-alone") else ""

    def step(self, by: int) -> None:
        """Choose the chart after the chosen one, or before it."""
        names = [chart.name for chart in self._charts]
        self._chosen = names[(names.index(self._chosen) + by) % len(names)]
        self._mark()

    def turn_log(self) -> bool:
        """Turn the y axes to log scale, and back, of charts that have values above 0 only; return whether any has."""
        self._log = not self._log
        pictures = [chart.picture for chart in self.query(Chart)]
        return any(picture.turned() is not picture for picture in pictures)

    def lead(self) -> Chart | None:
        """Return the chart whose axis keys move on: of the panel shown alone, else the first over the run."""
        seen = [chart for chart in self.query(Chart) if chart.in_sight and chart.picture.drawn]
        return next((chart for chart in seen if chart.axis == self._view.x.label), next(iter(seen), None))

    def toggle(self, name: str) -> None:
        """Turn a chart's view; it is to be shown anew."""
        self._turns[name] += 1

    def _mark(self) -> None:
        for chart in self._charts:
            self.query_one(f"#panel-{chart.name}").set_class(chart.name == self._chosen, "-chosen")
            self.query_one(f"#tab-{chart.name}").set_class(chart.name == self._chosen, "-chosen")

    def show_groups(self, comparison: GroupComparison) -> None:
        """Draw the groups in focus and marked."""
        for chart in self._charts:
            view = self._view_of(chart)
            for plot in chart.plots:
                picture = plot.grouped(comparison, view) if plot.grouped is not None else NOT_GROUPED
                self.query_one(f"#chart-{plot.name}", Chart).show(picture.turned() if self._log else picture)
            panel = self.query_one(f"#panel-{chart.name}", ChartPanel)
            panel.say(chart.said_of_groups(comparison))
            panel.caption(tr("IQM of the seeds, 95 % band"))

    def show(self, row: RunRow | None, detail: RunDetail | None, changes: list[Change], comparison: Comparison) -> None:
        """Draw the run's curves, those compared with it too, or say what they wait for."""
        scene = scene_of(row, detail, changes)
        over = scene.over(self._view.x)
        overlay = Overlay(over, comparison) if len(comparison.runs) > 1 else None
        for chart in self._charts:
            view = self._view_of(chart)
            for plot in chart.plots:
                picture = _picture(plot, over, overlay, view) if row is not None else NO_RUN
                self.query_one(f"#chart-{plot.name}", Chart).show(picture.turned() if self._log else picture)
            panel = self.query_one(f"#panel-{chart.name}", ChartPanel)
            said = chart.said(scene, view) if overlay is None else chart.said_together(overlay, view)
            panel.say(said if row is not None else ())
            panel.caption(chart.words(scene, view, overlay is not None))

    def _view_of(self, chart: ChartSpec) -> Any:
        toggle = chart.toggle
        return toggle is not None and toggle.views[self._turns[toggle.name] % len(toggle.views)]


NO_RUN = Picture("", empty=tr("curves of the run in focus appear here"))
NOT_GROUPED = Picture("", empty=tr("not drawn of a group: unfold it, and choose a run"))


def _picture(plot: Plot, scene: Scene, overlay: Overlay | None, view: Any) -> Picture:
    if overlay is None:
        return scene.labelled(plot.alone(scene, view))
    return overlay.labelled(plot.together(overlay, view))
