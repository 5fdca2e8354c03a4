"""Show every metric of the run in focus: a grid of small charts with pages and a filter."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from mbpo.runs.metrics import METRICS
from workbench.charts.any_metric import DEGREES, matching, metric_picture
from workbench.charts.scene import scene_of
from workbench.format import MUTED, fitted
from workbench.screens.run_page import RunPage
from workbench.screens.selection import Selection
from workbench.screens.steering import Steering
from workbench.widgets.chart import Chart
from workbench.widgets.quiet import Words, subtitle

LEAST_WIDTH, LEAST_HEIGHT = 36, 8  # of a chart
MOST = 24  # charts of a page, whatever the terminal


class MetricsScreen(RunPage):
    """Lay out as many charts as fit, a page of them at a time."""

    AUTO_FOCUS = ""  # keys turn pages, unless a filter is being typed
    help_topic = "metrics"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,M,q", "close", "close", id="metrics.close"),
        Binding("slash", "filter", "filter", id="metrics.filter", key_display="/", tooltip="only some metrics"),
        Binding("right,pagedown,space", "turn(1)", "next page", id="metrics.next", key_display="→"),
        Binding("left,pageup", "turn(-1)", "page before", id="metrics.before", key_display="←"),
        Binding("m", "smooth", "smooth", id="metrics.smooth", tooltip="smooth more; after the most: raw"),
        Binding("y", "log", "log y", id="metrics.log", tooltip="a log axis, and back"),
        Binding("question_mark", "app.help", "help", id="metrics.help", key_display="?"),
    ]

    def __init__(self, selection: Selection, steering: Steering) -> None:
        super().__init__(selection, steering)
        self._page = 0
        self._degree = 0
        self._log = False
        self._asked = ""

    def compose(self) -> ComposeResult:
        """Lay out the head, the most charts there can be, and the filter."""
        yield Words(id="metrics-head")
        yield Static("No metric of this run has such a name.", id="no-metric")
        with Grid(id="metrics-grid"):
            for number in range(MOST):
                with Vertical(id=f"metric-panel-{number}", classes="panel"):
                    yield Chart(id=f"metric-{number}")
        yield Input(placeholder="words of a key, as eval or sac loss", id="metrics-filter", compact=True)

    def on_mount(self) -> None:
        """Take keys, and show the first page."""
        self.query_one("#metrics-filter").display = False
        self.redraw()

    def seen(self) -> tuple[Any, ...]:
        """Return the run as far as it is, and the view of it."""
        row, detail = self._selection.row, self._selection.detail
        view = (self.size, self._page, self._degree, self._log, self._asked)
        return row and (row.path, row.env_steps), detail and (detail.path, detail.version), view

    def draw(self) -> None:
        """Show the page as it is now."""
        scene = scene_of(self._selection.row, self._selection.detail, self._steering.changes)
        keys = matching(self._asked, scene.detail.series)
        columns, fitting = self._room()
        pages = max(math.ceil(len(keys) / fitting), 1)
        self._page = min(self._page, pages - 1)
        shown = keys[self._page * fitting : (self._page + 1) * fitting]
        self._arrange(shown, columns)
        self._head(len(keys), pages)
        for number, key in enumerate(shown):
            self.query_one(f"#metric-{number}", Chart).show(
                metric_picture(scene, key, DEGREES[self._degree], self._log)
            )

    def _room(self) -> tuple[int, int]:
        """Return how many charts fit beside each other, and in all."""
        columns = max(self.size.width // LEAST_WIDTH, 1)
        rows = max((self.size.height - 2) // LEAST_HEIGHT, 1)
        return columns, min(columns * rows, MOST)

    def _arrange(self, keys: list[str], columns: int) -> None:
        grid = self.query_one("#metrics-grid")
        grid.styles.grid_size_columns = max(min(columns, len(keys)), 1)
        self.query_one("#no-metric").display = not keys
        for number in range(MOST):
            panel = self.query_one(f"#metric-panel-{number}")
            panel.display = number < len(keys)
            if number < len(keys):
                key = keys[number]
                if panel.border_title != key:
                    panel.border_title = key
                subtitle(panel, fitted(METRICS[key].meaning, max(self.size.width // columns - 6, 20)))

    def _head(self, count: int, pages: int) -> None:
        row = self._selection.row
        smooth = f"smoothed {DEGREES[self._degree]:g}" if self._degree else "raw"
        facts = [
            f"{count} metrics",
            f"page {self._page + 1} of {pages}",
            smooth,
            "log y" if self._log else "",
            f"/ {self._asked}" if self._asked else "/ filters",
            "← → pages",
            "m smooths",
            "y log",
            "esc closes",
        ]
        name = fitted(row.run_id, 32) if row is not None else "no run"
        rest = " · ".join(fact for fact in facts if fact)
        self.query_one("#metrics-head", Words).say(Content.assemble((name, "bold"), (f" · {rest}", MUTED)))

    def action_turn(self, pages: int) -> None:
        """Show another page."""
        self._page = max(self._page + pages, 0)
        self.redraw()

    def action_smooth(self) -> None:
        """Smooth by the next degree."""
        self._degree = (self._degree + 1) % len(DEGREES)
        self.redraw()

    def action_log(self) -> None:
        """Turn the log axis."""
        self._log = not self._log
        self.redraw()

    def action_filter(self) -> None:
        """Let a person say which metrics to show."""
        line = self.query_one("#metrics-filter")
        line.display = True
        line.focus()

    def action_close(self) -> None:
        """Leave the filter, or go back."""
        if self.focused is not None:
            self._leave_filter("")
        else:
            super().action_close()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._asked, self._page = event.value.strip(), 0
        self.redraw()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._leave_filter(event.value)

    def _leave_filter(self, text: str) -> None:
        line = self.query_one("#metrics-filter", Input)
        line.value, line.display = text, False
        self.set_focus(None)
