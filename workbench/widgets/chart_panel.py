"""Frame one chart of the table: its pictures, and below them what they show, in a plain sentence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize

from mbpo.settings.language import tr
from workbench.charts.spec import ChartSpec
from workbench.charts.view import View
from workbench.format import MUTED
from workbench.widgets.chart import Chart
from workbench.widgets.flowing import flowing
from workbench.widgets.quiet import BORDER, Words, parts_that_fit, subtitle

LEAST_CHART = 4  # rows
SENTENCE = 2  # rows
REMARK = 3  # rows


class ChartPanel(Vertical, can_focus=True):
    """Give the pictures what rows they need, and the sentence two of the others."""

    def __init__(self, chart: ChartSpec, index: int, view: View) -> None:
        super().__init__(id=f"panel-{chart.name}", classes="panel")
        self.border_title = f"{index} {chart.title}"
        self.help_topic = chart.name
        self._plots = chart.plots
        self._view = view
        self._rows = 0
        self._words = ""  # in the lower border

    def compose(self) -> ComposeResult:
        """Lay out the pictures above the sentence."""
        for plot in self._plots:
            yield Chart(self._view, id=f"chart-{plot.name}")
        yield Words(classes="said")

    def on_resize(self, event: Resize) -> None:
        """Leave out what there is no room for: first the sentence, then all pictures but the first."""
        self._rows = event.size.height - 2  # without the border
        for chart in list(self.query(Chart))[1:]:
            chart.display = self._rows >= LEAST_CHART * len(self._plots)
        self._make_room()
        self.caption(self._words)

    def caption(self, words: str) -> None:
        """Write into the lower border as many of the words, by their dots, as there is room for."""
        self._words = words
        subtitle(self, parts_that_fit(words, self.outer_size.width - BORDER))

    def _make_room(self) -> None:
        remarked = any(chart.picture.remark for chart in self.query(Chart))  # it takes lines of the picture
        needed = LEAST_CHART * len(self._plots) + SENTENCE + (REMARK if remarked else 0)
        self.query_one(".said").display = self._rows >= needed

    def say(self, sentences: Sequence[str]) -> None:
        """Show below the pictures as many of the sentences as there is room for."""
        self._make_room()
        words = self.query_one(".said", Words)
        width = words.content_size.width or 36
        told = list(itertools.accumulate(sentences, lambda one, other: tr("{one} {other}", one=one, other=other)))
        fitting = [text for text in told if flowing(Content(text)).get_height({}, width) <= SENTENCE] or told[:1]
        words.say(Content.styled(fitting[-1] if fitting else "", MUTED))
