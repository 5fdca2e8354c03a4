"""Lay out small charts of metrics, as many as fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Grid, Vertical

from mbpo.runs.metrics import METRICS
from mbpo.settings.language import tr
from workbench.charts.view import View
from workbench.format import fitted
from workbench.widgets.chart import Chart
from workbench.widgets.quiet import subtitle

LEAST_WIDTH, LEAST_HEIGHT = 36, 8  # of a chart
MOST = 24  # charts of a page, whatever the terminal


@dataclass(frozen=True)
class Room:
    """Hold how many charts stand beside and below each other."""

    columns: int = 1
    rows: int = 1

    @classmethod
    def of(cls, width: int, height: int) -> Room:
        """Return as many as fit."""
        return cls(max(width // LEAST_WIDTH, 1), max(height // LEAST_HEIGHT, 1))

    def chosen(self, columns: int, rows: int) -> Room:
        """Return as many of these as a person chose, who says 0 for all."""
        return Room(min(columns or self.columns, self.columns), min(rows or self.rows, self.rows))

    @property
    def charts(self) -> int:
        """Return how many charts a page has."""
        return min(self.columns * self.rows, MOST)


class MetricGrid(Grid):
    """Hold a panel for each chart of a page; those that are not needed are hidden."""

    def __init__(self, view: View, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view

    def compose(self) -> ComposeResult:
        """Lay out the most charts that there can be."""
        for number in range(MOST):
            with Vertical(id=f"metric-panel-{number}", classes="panel"):
                yield Chart(self._view, id=f"metric-{number}")

    def chart(self, number: int) -> Chart:
        """Return a chart of the page."""
        return self.query_one(f"#metric-{number}", Chart)

    def number(self, chart: Chart) -> int:
        """Return which chart of the page one is."""
        return int((chart.id or "").removeprefix("metric-") or 0)

    def lay_out(self, keys: Sequence[str], columns: int, at: str, pinned: Collection[str]) -> None:
        """Give each of ``keys`` a panel: with a star where it is pinned, framed where the cursor is."""
        beside = max(min(columns, len(keys)), 1)
        if self.styles.grid_size_columns != beside:
            self.styles.grid_size_columns = beside
        for number in range(MOST):
            panel = self.query_one(f"#metric-panel-{number}")
            panel.display = number < len(keys)
            if number < len(keys):
                key = keys[number]
                title = f"★ {key}" if key in pinned else key
                if panel.border_title != title:
                    panel.border_title = title
                panel.set_class(key == at, "-at")
                subtitle(panel, fitted(tr(METRICS[key].meaning), max(self.screen.size.width // columns - 6, 20)))
