"""Show every metric of the run in focus: a grid of small charts with pages, a cursor, pins and a filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from mbpo.runs.metrics import METRICS
from workbench.charts.any_metric import DEGREES, metric_picture
from workbench.charts.metric_layout import MetricLayout, layout_in, layouts_in, pinned_in
from workbench.charts.scene import scene_of
from workbench.charts.view import View
from workbench.format import MUTED, fitted
from workbench.memory import load, save
from workbench.screens.layouts import ChooseLayout, NameLayout
from workbench.screens.run_page import RunPage
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering
from workbench.widgets.chart import Chart
from workbench.widgets.quiet import Words, subtitle

LEAST_WIDTH, LEAST_HEIGHT = 36, 8  # of a chart
MOST = 24  # charts of a page, whatever the terminal
PINS, LAYOUTS = "pinned metrics", "metric layouts"  # what is remembered
NOT_KEPT = "It cannot be kept: the app's folder for what it remembers cannot be written."


class Head(Words):
    """Say what the page shows; the wheel turns it."""

    def on_mouse_scroll_down(self) -> None:
        """Show the next page."""
        self.call_later(self.screen.run_action, "turn(1)")

    def on_mouse_scroll_up(self) -> None:
        """Show the page before."""
        self.call_later(self.screen.run_action, "turn(-1)")


class MetricsScreen(RunPage):
    """Lay out as many charts as fit, a page of them at a time."""

    AUTO_FOCUS = ""  # keys move the cursor, unless a filter is being typed
    help_topic = "metrics"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,M,q", "close", "close", id="metrics.close"),
        Binding("slash", "filter", "filter", id="metrics.filter", key_display="/", tooltip="only some metrics"),
        Binding("right,tab", "move(1, 0)", "to the chart beside, above or below", id="metrics.right"),
        Binding("left,shift+tab", "move(-1, 0)", "to the chart beside, above or below", id="metrics.left"),
        Binding("down", "move(0, 1)", "to the chart beside, above or below", id="metrics.down"),
        Binding("up", "move(0, -1)", "to the chart beside, above or below", id="metrics.up"),
        Binding("pagedown,space", "turn(1)", "next page", id="metrics.next"),
        Binding("pageup", "turn(-1)", "page before", id="metrics.before"),
        Binding("enter", "alone", "the chart alone, or back", id="metrics.alone"),
        Binding("p", "pin", "pin", id="metrics.pin", tooltip="pin the metric: it comes first, on every run"),
        Binding("P", "only_pinned", "only those pinned, or all", id="metrics.only_pinned"),
        Binding("S", "save", "save", id="metrics.save", tooltip="save what is shown, and how, under a name"),
        Binding("L", "choose", "layouts", id="metrics.choose", tooltip="show a layout that was saved, or delete it"),
        Binding("m", "smooth", "smooth", id="metrics.smooth", tooltip="smooth more; after the most: raw"),
        Binding("y", "log", "log y", id="metrics.log", tooltip="a log axis, and back"),
        Binding("question_mark", "app.help", "help", id="metrics.help", key_display="?"),
    ]

    def __init__(self, selection: Selection, steering: Steering, view: View, services: Services) -> None:
        super().__init__(selection, steering, view)
        self._services = services
        self._layout = MetricLayout(pinned=pinned_in(load(services.runs_root, PINS)))
        self._key = ""  # of the metric under the cursor
        self._alone = False
        self._keys: Sequence[str] = ()  # all that can be shown, in order
        self._fitting, self._columns = 1, 1

    def compose(self) -> ComposeResult:
        """Lay out the head, the most charts there can be, and the filter."""
        yield Head(id="metrics-head")
        yield Static("No metric of this run has such a name.", id="no-metric")
        with Grid(id="metrics-grid"):
            for number in range(MOST):
                with Vertical(id=f"metric-panel-{number}", classes="panel"):
                    yield Chart(self.view, id=f"metric-{number}")
        yield Input(placeholder="words of a key, as eval or sac loss", id="metrics-filter", compact=True)

    def on_mount(self) -> None:
        """Take keys, and show the first page."""
        self.query_one("#metrics-filter").display = False
        self.redraw()

    def seen(self) -> tuple[Any, ...]:
        """Return the run as far as it is, and the view of it."""
        row, detail = self._selection.row, self._selection.detail
        view = (self.size, self._key, self._alone, self._layout)
        return row and (row.path, row.env_steps), detail and (detail.path, detail.version), view

    @property
    def _at(self) -> int:
        """Return the place of the cursor among all metrics."""
        return self._keys.index(self._key) if self._key in self._keys else 0

    def draw(self) -> None:
        """Show the page that the cursor is on."""
        scene = scene_of(self._selection.row, self._selection.detail, self._steering.changes)
        self._keys = self._layout.shown(scene.detail.series)
        self._columns, self._fitting = (1, 1) if self._alone else self._room()
        page = self._at // self._fitting
        self._key = self._keys[self._at] if self._keys else self._key
        shown = self._keys[page * self._fitting : (page + 1) * self._fitting]
        self._arrange(shown)
        self._head(page)
        over = scene.over(self.view.x)
        for number, key in enumerate(shown):
            picture = metric_picture(over, key, DEGREES[self._layout.degree], self._layout.log_y)
            self.query_one(f"#metric-{number}", Chart).show(over.labelled(picture))

    def lead(self) -> Chart | None:
        """Return the chart under the cursor."""
        return self.query_one(f"#metric-{self._at % self._fitting}", Chart) if self._keys else None

    def _room(self) -> tuple[int, int]:
        """Return how many charts fit beside each other, and in all."""
        columns = max(self.size.width // LEAST_WIDTH, 1)
        rows = max((self.size.height - 2) // LEAST_HEIGHT, 1)
        return columns, min(columns * rows, MOST)

    def _arrange(self, keys: Sequence[str]) -> None:
        grid = self.query_one("#metrics-grid")
        columns = max(min(self._columns, len(keys)), 1)
        if grid.styles.grid_size_columns != columns:
            grid.styles.grid_size_columns = columns
        self.query_one("#no-metric").display = not keys
        for number in range(MOST):
            panel = self.query_one(f"#metric-panel-{number}")
            panel.display = number < len(keys)
            if number < len(keys):
                key = keys[number]
                title = f"★ {key}" if key in self._layout.pinned else key
                if panel.border_title != title:
                    panel.border_title = title
                panel.set_class(key == self._key, "-at")
                subtitle(panel, fitted(METRICS[key].meaning, max(self.size.width // self._columns - 6, 20)))

    def _head(self, page: int) -> None:
        row, layout = self._selection.row, self._layout
        facts = [
            f"{len(self._keys)} metrics{' pinned' if layout.only_pinned else ''}",
            f"page {page + 1} of {max(math.ceil(len(self._keys) / self._fitting), 1)}",
            layout.smoothing,
            "log y" if layout.log_y else "",
            f"/ {layout.asked}" if layout.asked else "/ filters",
            "m smooths",
            "y log",
            f"X {self.view.x.label}",
            "p pins",
            "S saves",
            "L layouts",
            "? help",
        ]
        name = fitted(row.run_id, 32) if row is not None else "no run"
        rest = " · ".join(fact for fact in facts if fact)
        self.query_one("#metrics-head", Words).say(Content.assemble((name, "bold"), (f" · {rest}", MUTED)))

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
        at = self._at + across + down * self._columns
        if not down or 0 <= at < len(self._keys):
            self._go_to(at)

    def action_turn(self, pages: int) -> None:
        """Show another page."""
        page = self._at // self._fitting + pages
        if 0 <= page * self._fitting < len(self._keys):
            self._go_to(page * self._fitting)

    def action_alone(self) -> None:
        """Show the chart under the cursor alone, or all again."""
        self._alone = not self._alone
        self.redraw()

    def action_pin(self) -> None:
        """Pin the metric under the cursor, or take the pin out."""
        if self._keys:
            self._show(self._layout.with_pin(self._key))
            self._keep(PINS, list(self._layout.pinned))

    def action_only_pinned(self) -> None:
        """Show only the metrics that are pinned, or all."""
        if not self._layout.pinned:
            self._services.say("No metric is pinned yet: p pins the one under the cursor.")
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
        self.app.push_screen(NameLayout(f"{self._layout.words} · {self.view.x.label}", self._layouts), self._named)

    def action_choose(self) -> None:
        """Choose a layout that was saved."""
        if self._layouts:
            self.app.push_screen(ChooseLayout(self._layouts, self._delete), self._chosen)
        else:
            self._services.say("No layout is saved yet: S saves what is shown, and how.")

    @property
    def _layouts(self) -> dict[str, Any]:
        return dict(layouts_in(load(self._services.runs_root, LAYOUTS)))

    def _named(self, name: str | None) -> None:
        if name and self._keep(LAYOUTS, {**self._layouts, name: self._layout.kept(self.view.x)}):
            self._services.say(f"Saved as {name}: L shows it again, on every run.")

    def _delete(self, name: str) -> bool:
        return self._keep(LAYOUTS, {other: kept for other, kept in self._layouts.items() if other != name})

    def _chosen(self, name: str | None) -> None:
        if name in (layouts := self._layouts):
            layout, self.view.x = layout_in(layouts[name])
            self.query_one("#metrics-filter", Input).value = layout.asked
            self._alone = False
            self._show(layout)
            self._keep(PINS, list(layout.pinned))

    def _keep(self, key: str, value: Any) -> bool:
        kept = save(self._services.runs_root, key, value)
        if not kept:
            self._services.say(NOT_KEPT, "warning")
        return kept

    def action_filter(self) -> None:
        """Let a person say which metrics to show."""
        line = self.query_one("#metrics-filter")
        line.display = True
        line.focus()

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
        place = int((event.chart.id or "metric-0").removeprefix("metric-"))
        key = self._keys[min(self._at // self._fitting * self._fitting + place, len(self._keys) - 1)]
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
        line = self.query_one("#metrics-filter", Input)
        line.value, line.display = text, False
        self.set_focus(None)
