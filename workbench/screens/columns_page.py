"""Choose the columns of the table, and their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mbpo.settings.language import tr
from workbench.dials import label
from workbench.format import MUTED, fitted, has_words
from workbench.run_fields import columns_to_choose, field_named
from workbench.widgets.find_line import Finding, FindLine

KEYS = tr("space shows or hides · [ ] move · / finds · r as many as fit · enter keeps · esc leaves")
SHORT_KEYS = tr("space · [ ] move · / finds · r · enter")


class ColumnsPage(ModalScreen[tuple[str, ...] | None], Finding):
    """List the columns shown, in their order, then all others; hand back those chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", tr("leave as it was"), id="columns.close"),
        Binding("space", "choose", tr("show or hide"), id="columns.toggle"),
        Binding("left_square_bracket,shift+up", "move(-1)", tr("further left"), id="columns.left"),
        Binding("right_square_bracket,shift+down", "move(1)", tr("further right"), id="columns.right"),
        Binding("slash", "filter", tr("find"), id="columns.find"),
        Binding("r", "reset", tr("as many as fit"), id="columns.reset"),
        Binding("enter", "keep", tr("keep"), id="columns.keep", priority=True),
    ]

    def __init__(self, shown: Sequence[str]) -> None:
        super().__init__()
        self._chosen = list(shown)

    def compose(self) -> ComposeResult:
        """Lay out the list, and the line that finds in it."""
        with Vertical(classes="page") as page:
            page.border_title = tr("columns")
            page.border_subtitle = KEYS if self.app.size.width >= 96 else SHORT_KEYS
            yield FindLine(tr("a part of a name, as loss or lr"), id="columns-find")
            yield OptionList(id="columns-list")

    def on_mount(self) -> None:
        """Show all."""
        self.query_one(OptionList).focus()
        self.call_after_refresh(self._show, 0)

    def _listed(self) -> list[str]:
        rest = [name for name in columns_to_choose() if name not in self._chosen]
        return [name for name in [*self._chosen, *rest] if has_words(name, self.asked)]

    def _show(self, at: int) -> None:
        options, listed = self.query_one(OptionList), self._listed()
        options.clear_options()
        options.add_options([Option(self._line(name), id=name) for name in listed])
        if listed:
            options.highlighted = min(max(at, 0), len(listed) - 1)

    def _line(self, name: str) -> Content:
        on = name in self._chosen
        mark = f"{self._chosen.index(name) + 1:>2} " if on else "   "
        symbol = label(name)
        shown = name if symbol == name else f"{symbol} ({name})"
        doc = fitted(_doc(name), max(self.query_one(OptionList).size.width - 32, 16))
        return Content.assemble((mark, "bold $accent"), (f"{shown:<24} ", "bold" if on else ""), (doc, MUTED))

    @property
    def _under_cursor(self) -> str | None:
        options = self.query_one(OptionList)
        at = options.highlighted
        return options.get_option_at_index(at).id if at is not None else None

    def action_choose(self) -> None:
        """Show the column, or hide it."""
        name, at = self._under_cursor, self.query_one(OptionList).highlighted or 0
        if name is None:
            return
        if name in self._chosen:
            self._chosen.remove(name)
        else:
            self._chosen.append(name)
        self._show(at if self.asked else at + (name in self._chosen))

    def action_move(self, by: int) -> None:
        """Move the column to the left or right."""
        name = self._under_cursor
        if name is None or name not in self._chosen:
            return
        at = self._chosen.index(name)
        to = min(max(at + by, 0), len(self._chosen) - 1)
        self._chosen.insert(to, self._chosen.pop(at))
        self._show(self._listed().index(name))

    def action_reset(self) -> None:
        """Show as many as fit again, chosen by the width."""
        self.dismiss(())

    def action_keep(self) -> None:
        """Hand back what is chosen; from the line that finds, go to what was found."""
        if isinstance(self.focused, Input):
            self.query_one(OptionList).focus()
        else:
            self.dismiss(tuple(self._chosen))

    def action_close(self) -> None:
        """Let all names be listed again, or leave."""
        if not self.stop_finding():
            self.dismiss(None)

    @property
    def reading(self) -> OptionList:
        """Return the list of names."""
        return self.query_one(OptionList)

    def look_again(self) -> None:
        """Show the names that were found."""
        self._show(0)


def _doc(name: str) -> str:
    return re.split("; |；", field_named(name).doc)[0]
