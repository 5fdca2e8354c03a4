"""Show in full how the runs compared differ."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from mbpo.settings.language import tr
from workbench.side_by_side import Comparison
from workbench.widgets.comparison_table import in_full


class Differences(ModalScreen[None]):
    """Show every setting in which the runs differ, and their evaluations."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,d,q", "close", "close", id="differences.close")]

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="page") as page:
            page.border_title = tr("what differs")
            page.border_subtitle = tr("esc closes")
            yield Static(in_full(self._comparison))

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
