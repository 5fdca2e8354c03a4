"""Show every metric of the run in focus: a grid of small charts with pages, a cursor, pins and a filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from mbpo.settings.language import tr
from workbench.charts.any_metric import DEGREES, metric_picture
from workbench.charts.metric_layout import MetricLayout
from workbench.charts.scene import scene_of
from workbench.charts.view import View
from workbench.screens.layouts import ChooseLayout, NameLayout
from workbench.screens.metric_memory import MetricMemory
from workbench.screens.run_page import RunPage
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering
from workbench.widgets.chart import Chart
from workbench.widgets.find_line import FindLine
from workbench.widgets.metric_grid import MetricGrid, Room
from workbench.widgets.metrics_head import MetricsHead

BESIDE = tr("to the chart beside, above or below")
COLUMNS = tr("a column of charts fewer; after one, as many as fit")
ROWS = tr("a row of charts fewer; after one, as many as fit")


class MetricsScreen(RunPage):
    """Lay out as many charts as fit, a page of them at a time."""

    AUTO_FOCUS = ""  # keys move the cursor, unless a filter is being typed
    help_topic = "metrics"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,M,q", "close", tr("close"), id="metrics.close"),
        Binding("slash", "filter", tr("filter"), id="metrics.filter", key_display="/", tooltip=tr("only some metrics")),
        Binding("right,tab", "move(1, 0)", BESIDE, id="metrics.right"),
        Binding("left,shift+tab", "move(-1, 0)", BESIDE, id="metrics.left"),
        Binding("down", "move(0, 1)", BESIDE, id="metrics.down"),
        Binding("up", "move(0, -1)", BESIDE, id="metrics.up"),
        Binding("pagedown,space", "turn(1)", tr("next page"), id="metrics.next"),
        Binding("pageup", "turn(-1)", tr("page before"), id="metrics.before"),
        Binding("enter", "alone", tr("the chart alone, or back"), id="metrics.alone"),
        Binding("p", "pin", tr("pin"), id="metrics.pin", tooltip=tr("pin the metric: it comes first, on every run")),
        Binding("P", "only_pinned", tr("only those pinned, or all"), id="metrics.only_pinned"),
        Binding("S", "save", tr("save"), id="metrics.save", tooltip=tr("save what is shown, and how, under a name")),
        Binding(
            "L", "choose", tr("layouts"), id="metrics.choose", tooltip=tr("show a layout that was saved, or delete it")
        ),
        Binding("c", "columns", tr("fewer columns"), id="metrics.columns", tooltip=COLUMNS),
        Binding("r", "rows", tr("fewer rows"), id="metrics.rows", tooltip=ROWS),
        Binding("m", "smooth", tr("smooth"), id="metrics.smooth", tooltip=tr("smooth more; after the most: raw")),
        Binding("y", "log", tr("log y"), id="metrics.log", tooltip=tr("a log axis, and back")),
        Binding("question_mark", "app.help", tr("help"), id="metrics.help", key_display="?"),
    ]

    def __init__(self, selection: Selection, steering: Steering, view: View, services: Services) -> None:
        super().__init__(selection, steering, view)
        self._services = services
        self._memory = MetricMemory(services)
        self._layout = self._memory.last
        self._key = ""  # of the metric under the cursor
        self._alone = False
        self._keys: Sequence[str] = ()  # all that can be shown, in order
        self._room = Room()  # of the charts that are shown

    def compose(self) -> ComposeResult:
        """Lay out the head, the most charts there can be, and the filter."""
        yield MetricsHead(id="metrics-head")
        yield Static(tr("No metric of this run has such a name."), id="no-metric")
        yield MetricGrid(self.view, id="metrics-grid")
        yield FindLine(tr("words of a key, as eval or sac loss"), id="metrics-filter")

    def on_mount(self) -> None:
        """Show the first page."""
        self.redraw()

    def seen(self) -> tuple[Any, ...]:
        """Return the run as far as it is, and the view of it."""
        row, detail = self._selection.row, self._selection.detail
        view = (self.size, self._key, self._alone, self._layout)
        return row and (row.path, row.env_steps), detail and (detail.path, detail.version), view

    @property
    def _fitting(self) -> Room:
        """Return how many charts there is room for."""
        return Room.of(self.size.width, self.size.height - 2)

    @property
    def _at(self) -> int:
        """Return the place of the cursor among all metrics."""
        return self._keys.index(self._key) if self._key in self._keys else 0

    def draw(self) -> None:
        """Show the page that the cursor is on."""
        scene = scene_of(self._selection.row, self._selection.detail, self._steering.changes)
        self._keys = self._layout.shown(scene.detail.series)
        self._room = Room() if self._alone else self._fitting.chosen(self._layout.columns, self._layout.rows)
        page = self._at // self._room.charts
        self._key = self._keys[self._at] if self._keys else self._key
        shown = self._keys[page * self._room.charts : (page + 1) * self._room.charts]
        self.query_one("#no-metric").display = not shown
        grid = self.query_one(MetricGrid)
        grid.lay_out(shown, self._room.columns, self._key, self._layout.pinned)
        pages = math.ceil(len(self._keys) / self._room.charts)
        told = replace(  # as it is where less fits than was chosen
            self._layout,
            columns=self._layout.columns and self._room.columns,
            rows=self._layout.rows and self._room.rows,
        )
        head = self.query_one(MetricsHead)
        head.tell(self._selection.row, told, self.view.x, len(self._keys), page, pages)
        over = scene.over(self.view.x)
        for number, key in enumerate(shown):
            picture = metric_picture(over, key, DEGREES[self._layout.degree], self._layout.log_y)
            grid.chart(number).show(over.labelled(picture))

    def lead(self) -> Chart | None:
        """Return the chart under the cursor."""
        return self.query_one(MetricGrid).chart(self._at % self._room.charts) if self._keys else None

    def _go_to(self, at: int) -> None:
        """Put the cursor on another chart, and show the page that it is on."""
        if self._keys:
            self._key = self._keys[min(max(at, 0), len(self._keys) - 1)]
            self.redraw()

    def _show(self, layout: MetricLayout) -> None:
        self._layout = layout
        self.redraw()

    def action_move(self, across: int, down: int) -> None:
        """Move the cursor; beyond the end of a page it goes on to the next."""
        at = self._at + across + down * self._room.columns
        if not down or 0 <= at < len(self._keys):
            self._go_to(at)

    def action_turn(self, pages: int) -> None:
        """Show another page."""
        page = self._at // self._room.charts + pages
        if 0 <= page * self._room.charts < len(self._keys):
            self._go_to(page * self._room.charts)

    def action_alone(self) -> None:
        """Show the chart under the cursor alone, or all again."""
        self._alone = not self._alone
        self.redraw()

    def action_columns(self) -> None:
        """Show a column of charts fewer; after one, as many as fit."""
        shown = self._fitting.chosen(self._layout.columns, self._layout.rows).columns
        self._lay_out(replace(self._layout, columns=shown - 1), self._fitting.columns)

    def action_rows(self) -> None:
        """Show a row of charts fewer; after one, as many as fit."""
        shown = self._fitting.chosen(self._layout.columns, self._layout.rows).rows
        self._lay_out(replace(self._layout, rows=shown - 1), self._fitting.rows)

    def _lay_out(self, layout: MetricLayout, fitting: int) -> None:
        if fitting == 1:
            self._services.say(tr("No more than one fits in this terminal."))
        else:
            self._alone = False
            self._show(layout)
            self._memory.leave(layout)

    def action_pin(self) -> None:
        """Pin the metric under the cursor, or take the pin out."""
        if self._keys:
            self._show(self._layout.with_pin(self._key))
            self._memory.leave(self._layout)

    def action_only_pinned(self) -> None:
        """Show only the metrics that are pinned, or all."""
        if not self._layout.pinned:
            self._services.say(tr("No metric is pinned yet: p pins the one under the cursor."))
        else:
            self._show(replace(self._layout, only_pinned=not self._layout.only_pinned))

    def action_smooth(self) -> None:
        """Smooth by the next degree."""
        self._show(replace(self._layout, degree=(self._layout.degree + 1) % len(DEGREES)))

    def action_log(self) -> None:
        """Turn the log axis."""
        self._show(replace(self._layout, log_y=not self._layout.log_y))

    def action_save(self) -> None:
        """Save the layout under a name."""
        words = f"{self._layout.words} · {self.view.x.label}"
        self.app.push_screen(NameLayout(words, self._memory.layouts), self._named)

    def _named(self, name: str | None) -> None:
        if name:
            self._memory.save(name, self._layout, self.view.x)

    def action_choose(self) -> None:
        """Choose a layout that was saved."""
        if layouts := self._memory.layouts:
            self.app.push_screen(ChooseLayout(layouts, self._memory.delete), self._chosen)
        else:
            self._services.say(tr("No layout is saved yet: S saves what is shown, and how."))

    def _chosen(self, name: str | None) -> None:
        found = self._memory.layout(name) if name else None
        if found is not None:
            layout, self.view.x = found
            self.query_one(FindLine).value = layout.asked
            self._alone = False
            self._show(layout)
            self._memory.leave(layout)

    def action_filter(self) -> None:
        """Let a person say which metrics to show."""
        self.query_one(FindLine).open()

    def action_close(self) -> None:
        """Leave the filter, or the chart alone, or go back."""
        if self.focused is not None:
            self._leave_filter("")
        elif self._alone:
            self.action_alone()
        else:
            super().action_close()

    @on(Chart.Clicked)
    def _clicked(self, event: Chart.Clicked) -> None:
        place = self.query_one(MetricGrid).number(event.chart)
        key = self._keys[min(self._at // self._room.charts * self._room.charts + place, len(self._keys) - 1)]
        if key == self._key:
            self.action_alone()
        else:
            self._go_to(self._keys.index(key))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if event.value.strip() != self._layout.asked:
            self._key = ""
            self._show(replace(self._layout, asked=event.value.strip()))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._leave_filter(event.value)

    def _leave_filter(self, text: str) -> None:
        self.query_one(FindLine).leave(text)
        self.set_focus(None)
