"""Ask before runs are moved to the trash, or removed from it for good."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from mbpo.runs.trash import Dependents, dependents, disk_size
from workbench.format import MUTED, byte_size, fitted
from workbench.messages import RunRow

MOST_NAMES = 3


class Confirm(ModalScreen[bool]):
    """Ask a question; no is the safe answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="trash.yes"),
        Binding("n,escape", "answer(False)", "no", id="trash.no"),
    ]

    def __init__(self, title: str, question: Content, yes: str, no: str) -> None:
        super().__init__()
        self._title, self._question, self._words = title, question, (f"y {yes}", f"n {no}")

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Static(self._question, id="question")
            with Horizontal(classes="dialog-buttons"):
                yield Button(self._words[0], id="yes", variant="error", compact=True)
                yield Button(self._words[1], id="no", compact=True)

    def on_mount(self) -> None:
        """Put the safe answer under the cursor."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer with the mouse."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer with a key."""
        self.dismiss(yes)


class ConfirmDelete(Confirm):
    """Ask before runs are moved to the trash: how large they are, and what becomes of their forks."""

    def __init__(self, root: Path, rows: Sequence[RunRow]) -> None:
        super().__init__("delete", Content(), "to the trash", "keep")
        self._root, self._rows = root, rows
        self._question = self._asked("counting …", "")

    def on_mount(self) -> None:
        """Count what they take on the disk, in a thread."""
        super().on_mount()
        self.run_worker(self._count, thread=True, exit_on_error=False)

    def _count(self) -> None:
        sizes = [disk_size(row.path) for row in self._rows]
        own, shared = (sum(size[part] for size in sizes) for part in (0, 1))
        also = f", and {byte_size(shared)} that forks share" if shared else ""
        found = [dependents(self._root, row.path) for row in self._rows]
        words = fate_of_forks(found, {row.path.name for row in self._rows})
        with contextlib.suppress(RuntimeError):  # the app ended meanwhile
            self.app.call_from_thread(self._tell, f"{byte_size(own)}{also}", words)

    def _tell(self, size: str, words: str) -> None:
        if self.is_mounted:
            self.query_one("#question", Static).update(self._asked(size, words))

    def _asked(self, size: str, words: str) -> Content:
        rows = self._rows
        what = rows[0].titled if len(rows) == 1 else f"{len(rows)} runs, {rows[0].titled} …"
        silent = [row for row in rows if row.state == "silent"]
        notes = [
            "They stay in .trash of the runs' folder until it is emptied: ctrl+p, trash."
            if len(rows) > 1
            else "It stays in .trash of the runs' folder until that is emptied: ctrl+p, trash.",
            words,
            f"{fitted(silent[0].titled, 30)} is silent: see that no learner of another machine is at work."
            if silent
            else "",
        ]
        note = "\n".join(filter(None, notes))
        return Content.assemble("Delete ", (fitted(what, 40), "bold"), f" · {size}?\n\n", (note, MUTED))


def fate_of_forks(found: Sequence[Dependents], leaving: set[str]) -> str:
    """Say what becomes of the runs that branched off those which go."""
    at_work, unbegun, others = (
        [name for each in found for name in getattr(each, part) if name not in leaving]
        for part in ("at_work", "unbegun", "others")
    )
    sentences = []
    if at_work:
        sentences.append(f"{_listed(at_work)} {_is(at_work)} at work on its files: it cannot go before that ends.")
    if unbegun:
        sentences.append(f"{_listed(unbegun)} can go on only while it is there: restore it before you resume them.")
    if others:
        sentences.append(f"Forks of it ({_listed(others)}) have all they need and stay.")
    return " ".join(sentences)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(fitted(name, 32) for name in names[:MOST_NAMES]) + more


def _is(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"
