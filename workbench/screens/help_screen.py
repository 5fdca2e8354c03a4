"""Explain keys, from the bindings themselves, and what the charts do and do not say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.cells import set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from mbpo.runs.metrics import METRICS
from mbpo.settings.language import tr
from workbench import help_texts as texts
from workbench.charts.spec import ChartSpec
from workbench.charts.table import CHARTS
from workbench.charts.trust import ESSAY, TRUST_CHARTS, TrustChart
from workbench.format import GLYPHS
from workbench.messages import DEAF
from workbench.widgets.flowing import Passage
from workbench.widgets.run_columns import COLORS


@dataclass(frozen=True)
class Section:
    """Hold a part of the help; ``topics`` are the panels that it is about."""

    title: str
    body: Content
    topics: tuple[str, ...] = ()


class HelpScreen(ModalScreen[None]):
    """Show the keys of the screen below, the theory and the glyphs: first what is about the panel in focus."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "close", tr("close"), id="help.close")]

    def __init__(self, bindings: Iterable[Binding], topic: str = "") -> None:
        """Explain ``bindings``, and before them what ``topic`` names."""
        super().__init__()
        self._keys_in_force = list(bindings)
        self._topic = topic

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="page") as page:
            page.border_title = tr("help")
            page.border_subtitle = tr("esc closes")
            about = sorted(self._sections(), key=lambda section: self._topic not in section.topics)
            for section in about:
                yield Passage(Content.assemble((section.title, "bold $primary"), "\n", section.body, "\n"))

    def _sections(self) -> Iterator[Section]:
        yield Section(tr("Keys"), self._keys(), ("runs",))
        yield Section(tr("What you steer"), _flowing(texts.STEERED), ("steer",))
        yield Section(tr("States"), _states(), ("runs",))
        yield Section(tr("How runs are listed"), _flowing(texts.FILTERING), ("runs",))
        yield Section(tr("Groups of seeds"), _flowing(texts.GROUPS), ("runs",))
        yield Section(tr("Studies"), _flowing(texts.STUDIES), ("runs",))
        yield Section(tr("How runs compare"), _flowing(texts.COMPARING), ("comparing",))
        yield Section(tr("Reports"), _flowing(texts.REPORTS), ("runs",))
        yield Section(tr("How far to trust the model"), _measures(ESSAY, TRUST_CHARTS), ("trust",))
        yield Section(tr("What if"), _flowing(texts.WHAT_IF), ("trust",))
        for chart in CHARTS.values():
            title, text = chart.essay
            yield Section(title or chart.title, _measures(text, (chart,)), (chart.name,))
        yield Section(tr("Every metric"), _flowing(texts.METRICS), ("metrics",))
        yield Section(tr("Events and log"), _flowing(texts.EVENTS), ("events",))
        yield Section(tr("What happens when you quit"), _flowing(texts.LIFE))

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def _keys(self) -> Content:
        keys: dict[str, list[str]] = {}
        for binding in self._keys_in_force:
            if binding.id and binding.description and not binding.system:
                shown = self.app.get_key_display(replace(binding, key_display=None))
                keys.setdefault(binding.tooltip or binding.description, []).append(shown)
        lines = [
            Content.assemble((f"{' '.join(dict.fromkeys(shown)):>10}", "bold $accent"), f"  {text}")
            for text, shown in keys.items()
        ]
        return Content("\n").join(lines)


def _flowing(text: str) -> Content:
    """Return text whose lines are as long as the page is wide, whatever they were; formulas, indented, stay."""
    parts = (part if part.startswith("    ") else " ".join(part.split()) for part in text.split("\n\n"))
    return Content("\n\n".join(parts))


def _measures(essay: str, charts: Sequence[ChartSpec | TrustChart]) -> Content:
    """Return an essay, and below it what the metrics of its charts are."""
    lines = []
    for key in dict.fromkeys(itertools.chain(*(chart.explained for chart in charts))):
        metric = METRICS[key]
        unit = f" ({tr(metric.unit)})" if metric.unit else ""
        lines.append(Content.assemble((f"{key:<26}", "bold"), f"{tr(metric.meaning)}{unit}"))
    return Content("\n\n").join([_flowing(essay), Content("\n").join(lines)])


def _states() -> Content:
    lines = []
    for state, glyph in GLYPHS.items():
        deaf = tr("takes no commands") if state in DEAF else ""
        words = {"lost": tr("its process is gone"), "silent": tr("no heartbeat from another host or container")}
        name = set_cell_size(f"{glyph} {tr(state)}", 14)
        lines.append(Content.assemble((name, COLORS[state]), "  ".join(filter(None, (words.get(state), deaf)))))
    return Content("\n").join(lines)
