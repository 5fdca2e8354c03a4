"""Arrange the charts of the table: all at once, or one with tabs."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from workbench.changes import Change
from workbench.charts.overlay import Overlay
from workbench.charts.picture import Picture
from workbench.charts.scene import Scene, scene_of
from workbench.charts.spec import Plot
from workbench.charts.table import CHARTS, toggles
from workbench.groups_side_by_side import GroupComparison
from workbench.messages import RunDetail, RunRow
from workbench.side_by_side import Comparison
from workbench.widgets.chart import Chart
from workbench.widgets.chart_panel import ChartPanel
from workbench.widgets.quiet import subtitle


class Tab(Static):
    """Choose a chart with the mouse."""

    class Chosen(Message):
        """Tell which chart was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.chart = name

    def __init__(self, chart: str, index: int) -> None:
        super().__init__(Content(f" {index} {chart} "), id=f"tab-{chart}", classes="tab")
        self.chart = chart

    def on_click(self) -> None:
        """Report the click."""
        self.post_message(self.Chosen(self.chart))


class ChartPanels(Vertical):
    """Show a run's curves, a panel for each chart."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._charts = tuple(CHARTS.values())
        self._on = {toggle.name: toggle.on for toggle in toggles()}
        self._chosen = self._charts[0].name

    def compose(self) -> ComposeResult:
        """Lay out tabs and panels."""
        with Horizontal(id="tabs"):
            for index, chart in enumerate(self._charts, 1):
                yield Tab(chart.name, index)
        with Grid(id="chart-grid"):
            for index, chart in enumerate(self._charts, 1):
                yield ChartPanel(chart, index)

    def on_mount(self) -> None:
        """Mark the first tab."""
        self._mark()

    def on_tab_chosen(self, event: Tab.Chosen) -> None:
        """Show the chart that was clicked."""
        event.stop()
        self._chosen = event.chart
        self._mark()

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

    def toggle(self, name: str) -> None:
        """Turn a chart's view; it is to be shown anew."""
        self._on[name] = not self._on[name]

    def _mark(self) -> None:
        for chart in self._charts:
            self.query_one(f"#panel-{chart.name}").set_class(chart.name == self._chosen, "-chosen")
            self.query_one(f"#tab-{chart.name}").set_class(chart.name == self._chosen, "-chosen")

    def show_groups(self, comparison: GroupComparison) -> None:
        """Draw the groups in focus and marked."""
        for chart in self._charts:
            on = chart.toggle is not None and self._on[chart.toggle.name]
            for plot in chart.plots:
                picture = plot.grouped(comparison, on) if plot.grouped is not None else NOT_GROUPED
                self.query_one(f"#chart-{plot.name}", Chart).show(picture)
            subtitle(self.query_one(f"#panel-{chart.name}"), "IQM of the seeds, 95 % band")

    def show(self, row: RunRow | None, detail: RunDetail | None, changes: list[Change], comparison: Comparison) -> None:
        """Draw the run's curves, those compared with it too, or say what they wait for."""
        scene = scene_of(row, detail, changes)
        overlay = Overlay(scene, comparison) if len(comparison.runs) > 1 else None
        for chart in self._charts:
            on = chart.toggle is not None and self._on[chart.toggle.name]
            for plot in chart.plots:
                picture = _picture(plot, scene, overlay, on) if row is not None else NO_RUN
                self.query_one(f"#chart-{plot.name}", Chart).show(picture)
            panel = self.query_one(f"#panel-{chart.name}", ChartPanel)
            said = chart.said(scene, on) if overlay is None else chart.said_together(overlay, on)
            panel.say(said if row is not None else ())
            subtitle(panel, chart.words(scene, on, overlay is not None))


NO_RUN = Picture("", empty="curves of the run in focus appear here")
NOT_GROUPED = Picture("", empty="not drawn of a group: unfold it, and choose a run")


def _picture(plot: Plot, scene: Scene, overlay: Overlay | None, on: bool) -> Picture:
    return plot.alone(scene, on) if overlay is None else plot.together(overlay, on)
