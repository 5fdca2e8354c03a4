"""Save a layout of metrics under a name, and choose one of those that are saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from mbpo.settings.language import tr
from workbench.charts.metric_layout import MOST_LAYOUTS, MOST_NAME, layout_in, name_of
from workbench.format import MUTED, fitted


class NameLayout(ModalScreen[str | None]):
    """Ask for the name of a layout."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", tr("cancel"), id="layout.cancel")]

    def __init__(self, words: str, known: Mapping[str, Any]) -> None:
        super().__init__()
        self.building = True  # keys wait until there is a line for them
        self._words = words
        self._known = known

    def compose(self) -> ComposeResult:
        """Lay out what is saved and the line for its name."""
        with Vertical(classes="dialog") as box:
            box.border_title = tr("save this layout")
            box.border_subtitle = tr("enter saves · esc cancels")
            yield Static(Content.styled(self._words, MUTED))
            yield Input(placeholder=tr("its name"), max_length=MOST_NAME, id="layout-name", compact=True)
            yield Static("", id="layout-fault")

    def on_mount(self) -> None:
        """Take keys."""
        self.query_one(Input).focus()

    def on_descendant_focus(self) -> None:
        """Take keys from now on."""
        self.building = False

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        known = name_of(event.value) in self._known
        self._say(tr("That name is taken: enter saves over it.") if known else "")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        name = name_of(event.value)
        if not name:
            self._say(tr("A name needs a letter, as in: critics"))
        elif name not in self._known and len(self._known) >= MOST_LAYOUTS:
            self._say(tr("{n} layouts are saved, the most there can be: delete one with L.", n=MOST_LAYOUTS))
        else:
            self.dismiss(name)

    def _say(self, text: str) -> None:
        self.query_one("#layout-fault", Static).update(Content.styled(text, "$warning"))

    def action_cancel(self) -> None:
        """Save nothing."""
        self.dismiss(None)


class ChooseLayout(ModalScreen[str | None]):
    """Show the layouts that are saved: choose one, or delete it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,L,q", "cancel", tr("close"), id="layouts.close"),
        Binding("d,delete", "delete", tr("delete the layout"), id="layouts.delete"),
    ]

    def __init__(self, layouts: Mapping[str, Mapping[str, Any]], delete: Callable[[str], bool]) -> None:
        """Show ``layouts``; ``delete`` takes one away for good, where that can be kept."""
        super().__init__()
        self._layouts = dict(layouts)
        self._delete = delete

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with Vertical(classes="dialog") as box:
            box.border_title = tr("layouts")
            box.border_subtitle = tr("enter shows · d deletes · esc closes")
            yield OptionList(*map(self._option, self._layouts), id="layouts")

    def _option(self, name: str) -> Option:
        layout, axis = layout_in(self._layouts[name])
        words = fitted(f"{layout.words} · {axis.label}", 54)
        return Option(Content.assemble((name, "bold"), "\n", (f"  {words}", MUTED)))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(list(self._layouts)[event.option_index])

    def action_delete(self) -> None:
        """Delete the layout under the cursor."""
        options = self.query_one(OptionList)
        index = options.highlighted
        if index is None:
            return
        name = list(self._layouts)[index]
        if self._delete(name):
            del self._layouts[name]
            options.remove_option_at_index(index)
        if not self._layouts:
            self.dismiss(None)

    def action_cancel(self) -> None:
        """Choose none."""
        self.dismiss(None)
