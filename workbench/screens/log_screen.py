"""Follow the learner's log in full, or the lines of it that have some words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import RichLog

from mbpo.settings.language import tr
from workbench.format import fitted, has_words, safe_text
from workbench.widgets.find_line import Finding, FindLine

MOST_LINES = 2000


class LogScreen(ModalScreen[None], Finding):
    """Show the end of ``log.txt`` and go on as it grows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l,q", "close", tr("close"), id="log.close"),
        Binding("slash", "filter", tr("filter"), id="log.filter", key_display="/", tooltip=tr("only some lines")),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._title = fitted(name, 60)
        self._lines: tuple[str, ...] = ()
        self._found = 0  # lines that have all words asked for

    def compose(self) -> ComposeResult:
        """Lay out the log, and the line that filters it."""
        with Vertical(classes="page"):
            yield RichLog(id="log", markup=False, highlight=False, wrap=True, min_width=0, max_lines=MOST_LINES)
            yield FindLine(tr("words of a line, as refit or warning"), id="log-filter")

    def on_mount(self) -> None:
        """Name the run in the border; brackets in it are text."""
        self.query_one(".page").border_title = Text(tr("log of {title}", title=self._title))
        self.look_again()

    def show(self, lines: tuple[str, ...]) -> None:
        """Append what is new, or start again where nothing joins."""
        old, self._lines = self._lines, lines
        if not self.is_mounted:
            return
        if self._found and lines[: len(old)] == old:
            self._write(lines[len(old) :])
        else:
            self.look_again()

    @property
    def reading(self) -> RichLog:
        """Return the log, which keys scroll."""
        return self.query_one(RichLog)

    def look_again(self) -> None:
        """Write the log from its first line on."""
        log = self.reading
        log.clear()
        self._found = 0
        self._write(self._lines)
        if not self._found:
            why = tr("No line has these words.") if self._lines else tr("The learner has printed nothing yet.")
            log.write(Text(why, style="italic"))

    def _write(self, lines: Sequence[str]) -> None:
        """Write those of ``lines`` that are asked for."""
        log = self.reading
        found = [line for line in lines if has_words(line, self.asked)]
        self._found += len(found)
        for line in found[-MOST_LINES:]:
            log.write(Text(safe_text(line, 2000)))
        self.query_one(".page").border_subtitle = Text(self._counted())

    def _counted(self) -> str:
        if not self.asked:
            return tr("esc closes · follows its end · / filters")
        told = {"asked": fitted(self.asked, 16), "n": self._found, "of": len(self._lines)}
        return tr("/ {asked}: {n} of the last {of} lines · esc shows all", **told)

    def action_close(self) -> None:
        """Show all lines again, or go back."""
        if not self.stop_finding():
            self.dismiss(None)
