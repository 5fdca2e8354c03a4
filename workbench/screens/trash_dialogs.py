"""Ask before runs are moved to the trash, or removed from it for good."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from mbpo.runs.trash import Dependents, dependents, disk_size
from mbpo.settings.language import tr
from workbench.format import MUTED, NAME, around, byte_size, fitted
from workbench.messages import RunRow
from workbench.screens.confirm import Confirm

MOST_NAMES = 3


class ConfirmTrash(Confirm):
    """Ask a question about the trash."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", tr("yes"), id="trash.yes"),
        Binding("n,escape", "answer(False)", tr("no"), id="trash.no"),
    ]


class ConfirmDelete(ConfirmTrash):
    """Ask before runs are moved to the trash: how large they are, and what becomes of their forks."""

    def __init__(self, root: Path, rows: Sequence[RunRow]) -> None:
        super().__init__(tr("delete"), Content(), tr("y to the trash"), tr("n keep"))
        self._root, self._rows = root, rows
        self._question = self._asked(tr("counting …"), "")

    def on_mount(self) -> None:
        """Count what they take on the disk, in a thread."""
        super().on_mount()
        self.run_worker(self._count, thread=True, exit_on_error=False)

    def _count(self) -> None:
        sizes = [disk_size(row.path) for row in self._rows]
        own, shared = (sum(size[part] for size in sizes) for part in (0, 1))
        size = byte_size(own)
        if shared:
            size = tr("{own}, and {shared} that forks share", own=size, shared=byte_size(shared))
        found = [dependents(self._root, row.path) for row in self._rows]
        words = fate_of_forks(found, {row.path.name for row in self._rows})
        with contextlib.suppress(RuntimeError):  # the app ended meanwhile
            self.app.call_from_thread(self._tell, size, words)

    def _tell(self, size: str, words: str) -> None:
        if self.is_mounted:
            self.query_one("#question", Static).update(self._asked(size, words))

    def _asked(self, size: str, words: str) -> Content:
        rows = self._rows
        what = rows[0].titled if len(rows) == 1 else tr("{n} runs, {name} …", n=len(rows), name=rows[0].titled)
        silent = [row for row in rows if row.state == "silent"]
        notes = [
            tr("They stay in .trash of the runs' folder until it is emptied: ctrl+p, trash.")
            if len(rows) > 1
            else tr("It stays in .trash of the runs' folder until that is emptied: ctrl+p, trash."),
            words,
            _warning(silent[0]) if silent else "",
        ]
        note = "\n".join(filter(None, notes))
        asked = around(tr("Delete {what} · {size}?", what=NAME, size=size), fitted(what, 40))
        return Content.assemble(asked, "\n\n", (note, MUTED))


def _warning(row: RunRow) -> str:
    name = fitted(row.titled, 30)
    return tr("{name} is silent: see that no learner of another machine is at work.", name=name)


def fate_of_forks(found: Sequence[Dependents], leaving: set[str]) -> str:
    """Say what becomes of the runs that branched off those which go."""
    at_work, unbegun, others = (
        [name for each in found for name in getattr(each, part) if name not in leaving]
        for part in ("at_work", "unbegun", "others")
    )
    sentences = []
    if at_work:
        names = _listed(at_work)
        one = tr("{names} is at work on its files: it cannot go before that ends.", names=names)
        more = tr("{names} are at work on its files: it cannot go before that ends.", names=names)
        sentences.append(more if len(at_work) > 1 else one)
    if unbegun:
        sentences.append(
            tr("{names} can go on only while it is there: restore it before you resume them.", names=_listed(unbegun))
        )
    if others:
        sentences.append(tr("Forks of it ({names}) have all they need and stay.", names=_listed(others)))
    return " ".join(sentences)


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(fitted(name, 32) for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return tr("{names} and {n} more", names=some, n=more) if more > 0 else some
