"""Arrange the four charts: all at once, or one with tabs."""

from __future__ import annotations

import math
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from workbench.comparison import Comparison
from workbench.lineage import origin
from workbench.messages import RunDetail, RunRow
from workbench.steering import Change
from workbench.widgets import views
from workbench.widgets.bound_view import bound_picture, bound_words
from workbench.widgets.chart import Chart
from workbench.widgets.overlays import Overlay
from workbench.widgets.picture import Picture

CHARTS = ("return", "bound", "error", "mix")
TITLES = {"return": "return", "bound": "bound C(k)/C(0)", "error": "model error", "mix": "mix and rollouts"}


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


class Charts(Vertical):
    """Show a run's curves."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.smooth = True
        self.squared = False
        self.chosen = CHARTS[0]

    def compose(self) -> ComposeResult:
        """Lay out tabs and four panels."""
        with Horizontal(id="tabs"):
            for index, name in enumerate(CHARTS, 1):
                yield Tab(name, index)
        with Grid(id="chart-grid"):
            for index, name in enumerate(CHARTS, 1):
                with Vertical(id=f"panel-{name}", classes="panel") as panel:
                    panel.border_title = f"{index} {TITLES[name]}"
                    if name == "mix":
                        yield Chart(id="chart-length")
                        yield Chart(id="chart-ratio")
                    else:
                        yield Chart(id=f"chart-{name}")

    def on_mount(self) -> None:
        """Mark the first tab."""
        self._mark()

    def on_tab_chosen(self, event: Tab.Chosen) -> None:
        """Show the chart that was clicked."""
        event.stop()
        self.chosen = event.chart
        self._mark()

    def choose(self, name: str) -> None:
        """Show ``name`` alone; chosen twice where all fit, show all again."""
        alone = self.has_class("-alone")
        self.set_class(not (alone and self.chosen == name), "-alone")
        self.chosen = name
        self._mark()

    def _mark(self) -> None:
        for name in CHARTS:
            self.query_one(f"#panel-{name}").set_class(name == self.chosen, "-chosen")
            self.query_one(f"#tab-{name}").set_class(name == self.chosen, "-chosen")

    def show(self, row: RunRow | None, detail: RunDetail | None, changes: list[Change], comparison: Comparison) -> None:
        """Draw the run's curves, those compared with it too, or say what they wait for."""
        shown = detail if detail is not None else RunDetail(_NOWHERE, 0)
        now = row.env_steps if row is not None else 0
        k = views.k_in_force(row, shown)
        scene = views.Scene(shown, tuple(changes), now, k, _forked_at(row))
        several = len(comparison.runs) > 1
        pictures = self._overlaid(scene, comparison) if several else self._alone(scene)
        for name, picture in pictures.items():
            if row is None:
                picture = Picture("", empty="curves of the run in focus appear here")
            self.query_one(f"#chart-{name}", Chart).show(picture)
        self._subtitles(scene, several)

    def _alone(self, scene: views.Scene) -> dict[str, Picture]:
        return {
            "return": views.return_picture(scene, self.smooth),
            "bound": bound_picture(scene),
            "error": views.error_picture(scene, self.squared),
            "length": views.length_picture(scene),
            "ratio": views.ratio_picture(scene),
        }

    def _overlaid(self, scene: views.Scene, comparison: Comparison) -> dict[str, Picture]:
        overlay = Overlay(scene, comparison)
        return {
            "return": overlay.returns(self.smooth),
            "bound": overlay.bound(),
            "error": overlay.error(self.squared),
            "length": overlay.length(),
            "ratio": overlay.ratio(),
        }

    def _subtitles(self, scene: views.Scene, several: bool) -> None:
        unit = "v: total variation" if self.squared else "v: MSE"
        titles = {
            "return": "m: raw" if self.smooth else "m: smoothed",
            "bound": bound_words(scene),
            "error": f"on new data · {unit}" if several else unit,
            "mix": "as measured" if several else "",
        }
        for name, title in titles.items():
            self.query_one(f"#panel-{name}").border_subtitle = title


def _forked_at(row: RunRow | None) -> float:
    _, at = origin(row.parent) if row is not None else ("", -1)
    return float(at) if row is not None and 0 <= at <= row.env_steps else math.nan


_NOWHERE = Path()
