"""Show every setting of a run, on what it runs, where it comes from, and the commands that go on from it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from mbpo.errors import RecordError
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.json_text import read_json
from mbpo.runs.trash import disk_size
from mbpo.settings.language import tr
from workbench.charts.view import View
from workbench.format import MUTED, fitted
from workbench.run_info import Facts, Section, sections_of, with_words
from workbench.screens.run_page import RunPage
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering
from workbench.widgets.find_line import Finding, FindLine
from workbench.widgets.flowing import Passage
from workbench.widgets.quiet import Words


class InfoScreen(RunPage, Finding):
    """Put sections of names and values below each other; ``/`` keeps the lines that have all the words."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,i,q", "close", tr("close"), id="info.close"),
        Binding("slash", "filter", tr("find"), id="info.find", key_display="/"),
        Binding("question_mark", "app.help", tr("help"), id="info.help", key_display="?"),
    ]

    def __init__(self, selection: Selection, steering: Steering, view: View, services: Services) -> None:
        super().__init__(selection, steering, view)
        self._services = services
        self._facts: Facts | None = None

    def compose(self) -> ComposeResult:
        """Lay out the head, the lines, and what finds among them."""
        yield Words(id="info-head")
        with VerticalScroll(id="info"):
            yield Passage(id="info-lines")
        yield FindLine(tr("words, as lr or torch or resume"), id="info-find")

    def on_mount(self) -> None:
        """Read what a listing does not, in a thread."""
        self.reading.focus()
        self.redraw()
        row = self._selection.row
        if row is not None:
            self.run_worker(lambda: self._read(row.path), thread=True, exit_on_error=False)

    def _read(self, path: Path) -> None:
        try:
            manifest = read_json(RunPaths(path).manifest)
        except RecordError as error:
            manifest = {"manifest.json": str(error)}
        facts = Facts(path, manifest, *disk_size(path))
        with contextlib.suppress(RuntimeError):  # the app ended meanwhile
            self.app.call_from_thread(self._take, facts)

    def _take(self, facts: Facts) -> None:
        self._facts = facts
        self.redraw()

    def seen(self) -> tuple[Any, ...]:
        """Return the run, what was read of it, and what is looked for."""
        row = self._selection.row
        told = row and (row.path, row.state, row.about, row.controls, row.revision, bool(row.settings))
        return told, self._facts, self.asked, self.size

    def draw(self) -> None:
        """Show the lines that are looked for."""
        row = self._selection.row
        if row is None:
            self.query_one("#info-head", Words).say(Content(tr("This run is not there any more.")))
            return
        sections = with_words(sections_of(row, self._facts), self.asked)
        count = sum(len(section.lines) for section in sections)
        asked = tr("/ {asked}: {n} lines", asked=self.asked, n=count) if self.asked else tr("/ finds")
        keys = tr("↑ ↓ scroll · esc closes")
        head = Content.assemble((fitted(row.titled, 60), "bold"), (f" · {asked} · {keys}", MUTED))
        self.query_one("#info-head", Words).say(head)
        self.query_one("#info-lines", Static).update(_written(sections, self.size.width))

    def action_close(self) -> None:
        """Leave what is looked for, or go back."""
        if not self.stop_finding():
            super().action_close()

    @property
    def reading(self) -> VerticalScroll:
        """Return what keys scroll."""
        return self.query_one(VerticalScroll)

    def look_again(self) -> None:
        """Show what was found from its first line on."""
        self.reading.scroll_home(animate=False)
        self.redraw()


def _written(sections: list[Section], width: int) -> Content:
    if not sections:
        return Content.styled(tr("No line has these words."), MUTED)
    names = max((cell_len(line.name) for section in sections for line in section.lines), default=0)
    names = min(names, max(width // 3, 12))
    parts = []
    for section in sections:
        parts.append(Content.styled(section.title, "bold $primary"))
        for line in section.lines:
            note = f"  {line.note}" if line.note else ""
            parts.append(
                Content.assemble(
                    (f"  {set_cell_size(line.name, max(names, cell_len(line.name)))}  ", MUTED),
                    (line.value, ""),
                    (note, MUTED),
                )
            )
        parts.append(Content())
    return Content("\n").join(parts)
