"""Show how far the model of the run in focus can be trusted: what was measured, and apart from it the theorem."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical, VerticalScroll
from textual.content import Content

from mbpo.settings.language import tr
from workbench.acting import changes_runs
from workbench.charts.scene import Scene, scene_of
from workbench.charts.trust import TRUST_CHARTS
from workbench.charts.view import View
from workbench.format import MUTED, fitted, whole
from workbench.screens.run_page import RunPage
from workbench.screens.selection import Selection
from workbench.screens.steering import Steering
from workbench.trust_words import TrustWords, trust_words
from workbench.widgets.chart import Chart
from workbench.widgets.flowing import Passage

LEAST_HEIGHT = 10  # of a panel


class TrustScreen(RunPage):
    """Put sentences above charts; what does not fit is scrolled to."""

    help_topic = "trust"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,t,q", "close", tr("close"), id="trust.close"),
        Binding(
            "w",
            "what_if",
            tr("what if"),
            id="trust.what_if",
            tooltip=tr("what if: forks with other settings, compared"),
        ),
        Binding("question_mark", "app.help", tr("help"), id="trust.help"),
    ]

    def __init__(self, selection: Selection, steering: Steering, view: View, ask: Callable[[], None]) -> None:
        """Show what ``selection`` knows; ``ask`` opens the form for a what-if."""
        super().__init__(selection, steering, view)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
        self._ask = ask

    def compose(self) -> ComposeResult:
        """Lay out the sentences and a panel for each chart."""
        with VerticalScroll(id="trust") as page:
            page.border_subtitle = tr("↑ ↓ scroll · w what if · ? help · esc closes")
            yield Passage(id="measured")
            yield Passage(id="theorem")
            yield Passage(id="what-if", classes="-untold")
            with Grid(id="trust-charts"):
                for chart in TRUST_CHARTS:
                    with Vertical(id=f"trust-panel-{chart.name}", classes="panel") as panel:
                        panel.border_title = chart.title
                        yield Chart(self.view, id=f"trust-{chart.name}")

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one("#trust").focus()
        self.redraw()

    def seen(self) -> tuple[Any, ...]:
        """Return the run as it is listed, and as far as it was read."""
        row, detail = self._selection.row, self._selection.detail
        listed = row and (row.path, row.state, row.env_steps, row.total_steps, row.controls)
        return listed, detail and (detail.path, detail.version)

    def draw(self) -> None:
        """Put the sentences and the charts."""
        row, detail = self._selection.row, self._selection.detail
        page = self.query_one("#trust")
        page.border_title = (
            tr("trust · {run_id} @ {env_steps}", run_id=fitted(row.run_id, 24), env_steps=whole(row.env_steps))
            if row is not None
            else "trust"
        )
        self._say(trust_words(row, detail))
        self._chart(scene_of(row, detail, self._steering.changes))

    def _say(self, words: TrustWords) -> None:
        styles = ((words.heading,), MUTED), (words.measured, ""), (words.missing, MUTED)
        lines = [Content.styled(text, style) for texts, style in styles for text in texts if text]
        self._put("#measured", Content("\n").join(lines))
        self._put("#theorem", Content(words.theorem))
        self._put("#what-if", Content("\n").join(Content(text) for text in words.what_ifs))

    def _put(self, selector: str, text: Content) -> None:
        said = self.query_one(selector, Passage)
        if said.text != text:  # its height is that of its words: all is laid out again
            said.update(text)
            said.set_class(not text, "-untold")

    def _chart(self, scene: Scene) -> None:
        shown = [chart for chart in TRUST_CHARTS if scene.detail.config.get("algo") not in chart.without]
        over = scene.over(self.view.x)
        columns = 2 if self.has_class("-wide") and len(shown) > 1 else 1
        grid = self.query_one("#trust-charts")
        grid.styles.grid_size_columns = columns
        grid.styles.min_height = LEAST_HEIGHT * math.ceil(len(shown) / columns)
        for chart in TRUST_CHARTS:
            panel = self.query_one(f"#trust-panel-{chart.name}")
            panel.display = chart in shown
            panel.border_subtitle = chart.words(scene)
            if chart in shown:
                self.query_one(f"#trust-{chart.name}", Chart).show(over.labelled(chart.picture(over)))

    def on_chart_clicked(self, event: Chart.Clicked) -> None:
        """Leave the cursor where it is, or take it off."""
        self.view.turn(event.chart, event.x)

    @changes_runs
    def action_what_if(self) -> None:
        """Open the form for a what-if of the run in focus."""
        self._ask()
