"""Remember pinned metrics and saved layouts for the runs under a root."""

from __future__ import annotations

from typing import Any

from mbpo.settings.language import tr
from workbench.charts.metric_layout import MetricLayout, layout_in, layouts_in, pinned_in
from workbench.charts.x_axis import XAxis
from workbench.memory import load, save
from workbench.screens.services import Services

PINS, LAYOUTS, GRID = "pinned metrics", "metric layouts", "metric grid"  # what is remembered
NOT_KEPT = tr("It cannot be kept: the app's folder for what it remembers cannot be written.")


class MetricMemory:
    """Keep what a person chose; where nothing can be kept, say so."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def last(self) -> MetricLayout:
        """Return the pins, columns and rows as they were left."""
        root = self._services.runs_root
        return MetricLayout(pinned=pinned_in(load(root, PINS))).with_grid(load(root, GRID))

    @property
    def layouts(self) -> dict[str, Any]:
        """Return the layouts that are saved, as they are kept."""
        return dict(layouts_in(load(self._services.runs_root, LAYOUTS)))

    def layout(self, name: str) -> tuple[MetricLayout, XAxis] | None:
        """Return a layout with its x axis, if it is still there."""
        kept = self.layouts.get(name)
        return None if kept is None else layout_in(kept)

    def leave(self, layout: MetricLayout) -> None:
        """Keep the pins, columns and rows for the next time."""
        grid = {"columns": layout.columns, "rows": layout.rows}
        if self._keep(PINS, list(layout.pinned)):
            self._keep(GRID, grid)

    def save(self, name: str, layout: MetricLayout, axis: XAxis) -> None:
        """Keep a layout under a name."""
        if self._keep(LAYOUTS, {**self.layouts, name: layout.kept(axis)}):
            self._services.say(tr("Saved as {name}: L shows it again, on every run.", name=name))

    def delete(self, name: str) -> bool:
        """Forget a layout; return whether that was kept."""
        return self._keep(LAYOUTS, {other: kept for other, kept in self.layouts.items() if other != name})

    def _keep(self, key: str, value: Any) -> bool:
        kept = save(self._services.runs_root, key, value)
        if not kept:
            self._services.say(NOT_KEPT, "warning")
        return kept
