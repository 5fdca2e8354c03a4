"""Follow the learner's log in full."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import RichLog

from mbpo.settings.language import tr
from workbench.format import fitted, safe_text


class LogScreen(ModalScreen[None]):
    """Show the end of ``log.txt`` and go on as it grows."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,l,q", "close", tr("close"), id="log.close")]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._title = fitted(name, 60)
        self._shown: tuple[str, ...] = ()
        self._ready = False

    def compose(self) -> ComposeResult:
        """Lay out the log."""
        with Vertical(classes="page"):
            yield RichLog(id="log", markup=False, highlight=False, wrap=True, min_width=0, max_lines=2000)

    def on_mount(self) -> None:
        """Name the run in the border; brackets in it are text."""
        box = self.query_one(".page")
        box.border_title = Text(tr("log of {title}", title=self._title))
        box.border_subtitle = tr("esc closes · follows its end")
        waiting, self._shown, self._ready = self._shown, (), True
        self.show(waiting)

    def show(self, lines: tuple[str, ...]) -> None:
        """Append what is new, or start again where nothing joins."""
        if not self._ready:
            self._shown = lines
            return
        log = self.query_one(RichLog)
        old, self._shown = self._shown, lines
        fresh = lines[len(old) :] if old and lines[: len(old)] == old else lines
        if len(fresh) == len(lines):
            log.clear()
        for line in fresh:
            log.write(Text(safe_text(line, 2000)))
        if not lines:
            log.write(Text(tr("The learner has printed nothing yet."), style="italic"))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
