"""Show what is in the trash: put back, or removed for good."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.cells import set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mbpo.errors import MBPOError
from mbpo.runs.trash import Trashed, delete_for_good, disk_size, restore, trashed_below
from mbpo.settings.language import tr, tr_n
from workbench.acting import changes_runs
from workbench.format import MUTED, NAME, around, byte_size, fitted, safe_text, short_age, squeezed
from workbench.screens.trash_dialogs import ConfirmTrash
from workbench.widgets.flowing import Passage

EMPTY = tr("The trash is empty: D in the table moves a run here.")


class TrashPage(ModalScreen[None]):
    """List the runs in the trash, the last moved first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", tr("close"), id="trash.close"),
        Binding("r", "restore", tr("restore"), id="trash.restore"),
        Binding("x", "remove", tr("remove for good"), id="trash.remove"),
        Binding("X", "empty", tr("empty the trash"), id="trash.empty"),
    ]

    def __init__(self, root: Path, readonly: bool, say: Callable[..., None]) -> None:
        super().__init__()
        self._root, self._readonly, self._say = root, readonly, say
        self._found: Sequence[Trashed] = ()

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with Vertical(classes="page") as page:
            page.border_title = tr("trash")
            keys = tr("enter or r restores · x removes for good · X empties · esc closes")
            page.border_subtitle = tr("esc closes") if self._readonly else keys
            yield Passage(Content.styled(tr("looking …"), MUTED), id="trash-head")
            yield OptionList(id="trash-list")

    def on_mount(self) -> None:
        """Look what there is."""
        self.query_one(OptionList).focus()
        self._look()

    def _look(self) -> None:
        self.run_worker(self._read, thread=True, exit_on_error=False)

    def _read(self) -> None:
        found = trashed_below(self._root)
        sizes = [disk_size(each.folder)[0] for each in found]
        with contextlib.suppress(RuntimeError):  # the app ended meanwhile
            self.app.call_from_thread(self._show, found, sizes)

    def _show(self, found: Sequence[Trashed], sizes: Sequence[int]) -> None:
        if not self.is_mounted:
            return
        self._found = found
        options = self.query_one(OptionList)
        at = options.highlighted or 0
        options.clear_options()
        width = max(options.size.width - 22, 20)
        options.add_options([Option(_line(each, size, width)) for each, size in zip(found, sizes, strict=True)])
        if found:
            options.highlighted = min(at, len(found) - 1)
        head = tr_n("{n} run, {size}", "{n} runs, {size}", len(found), size=byte_size(sum(sizes))) if found else EMPTY
        self.query_one("#trash-head", Static).update(Content.styled(head, MUTED))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    @on(OptionList.OptionSelected)
    async def _chosen(self) -> None:
        await self.run_action("restore")

    @changes_runs
    def action_restore(self) -> None:
        """Put the run back where it was."""
        if (each := self._usable()) is not None:
            self._do(lambda: restore(self._root, each), tr("{name} is back.", name=fitted(each.place.name, 40)))

    @changes_runs
    def action_remove(self) -> None:
        """Remove one run for good, once confirmed."""
        if (each := self._usable()) is not None:
            self._ask([each], fitted(each.title or each.place.name, 40))

    @changes_runs
    def action_empty(self) -> None:
        """Remove all for good, once confirmed."""
        if self._usable() is not None:
            self._ask(list(self._found), tr("all {n} runs in the trash", n=len(self._found)))

    def _ask(self, which: Sequence[Trashed], what: str) -> None:
        question = around(tr("Remove {what} for good? Nothing brings it back.", what=NAME), what)
        dialog = ConfirmTrash(tr("remove for good"), question, tr("y remove"), tr("n keep"))
        self.app.push_screen(
            dialog, lambda yes: self._do(lambda: delete_for_good(which), tr("Removed.")) if yes else None
        )

    def _usable(self) -> Trashed | None:
        at = self.query_one(OptionList).highlighted
        return self._found[at] if at is not None and at < len(self._found) else None

    def _do(self, work: Callable[[], object], told: str) -> None:
        def run() -> None:
            words = (told, "information")
            try:
                work()
            except (MBPOError, OSError) as error:
                words = str(error), "error"
            with contextlib.suppress(RuntimeError):  # the app ended meanwhile
                self.app.call_from_thread(self._say, *words)
                self.app.call_from_thread(self._look)

        self.run_worker(run, thread=True, exit_on_error=False)


def _line(each: Trashed, size: int, width: int) -> Content:
    name = f"{each.title} ({each.place})" if each.title else str(each.place)
    age = short_age(max(time.time() - each.at, 0.0)) if abs(each.at) < 1e12 else "–"
    ago = tr("{age:>5} ago", age=age)
    shown = set_cell_size(squeezed(safe_text(name), width), width)
    return Content.assemble(shown, (f" {byte_size(size):>9} {ago}", MUTED))
