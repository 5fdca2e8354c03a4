"""Show in full how the runs compared differ."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from mbpo.settings.language import tr
from workbench.groups_side_by_side import GroupComparison
from workbench.side_by_side import Comparison
from workbench.widgets.comparison_table import in_full
from workbench.widgets.flowing import Passage
from workbench.widgets.group_table import groups_in_full


class Differences(ModalScreen[None]):
    """Show every setting in which the runs differ, and their evaluations."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,d,q", "close", tr("close"), id="differences.close")]

    def __init__(self, comparison: Comparison | GroupComparison) -> None:
        super().__init__()
        self._comparison = comparison

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="page") as page:
            page.border_title = tr("what differs")
            page.border_subtitle = tr("esc closes")
            shown = self._comparison
            yield Passage(groups_in_full(shown) if isinstance(shown, GroupComparison) else in_full(shown))

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)
