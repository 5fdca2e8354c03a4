"""Show the queue: what is at work, what waits, and what became of the rest; reorder, cancel, try again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable

from mbpo.errors import MBPOError
from mbpo.runs.queue import AGAIN, Queue
from mbpo.runs.queue_files import Entry, Line
from mbpo.runs.records.order import AT_WORK, ENDS, WAITING
from mbpo.settings.language import tr
from workbench.acting import changes_runs
from workbench.format import GLYPHS, MUTED, fitted, safe_text, squeezed, whole
from workbench.messages import RunRow
from workbench.screens.confirm import Confirm
from workbench.screens.services import Services
from workbench.widgets.flowing import Passage
from workbench.widgets.key_line import KeyLine
from workbench.widgets.quiet import Words
from workbench.widgets.runs_table import COLORS

LOOK_S = 1.0
GROUPS = (AT_WORK, WAITING)  # above all that has ended
WIDTHS = (("", 1), (tr("state"), 9), (tr("env steps"), 17))  # the run's name and why take what is left
EMPTY = tr("Nothing is queued. n starts runs: give seeds as 0:5, or a setting several values, as 1,5,15.")
Change = Callable[[Queue], object]


class QueueScreen(Screen[None]):
    """List the runs that were ordered under the root, in the order in which they come."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,Q,q", "close", tr("close"), id="queue.close"),
        Binding(
            "K,shift+up", "move(-1)", tr("earlier"), id="queue.up", tooltip=tr("a run that waits: one place earlier")
        ),
        Binding(
            "J,shift+down", "move(1)", tr("later"), id="queue.down", tooltip=tr("a run that waits: one place later")
        ),
        Binding("x", "cancel", tr("cancel"), id="queue.cancel", tooltip=tr("cancel a run that waits")),
        Binding("X", "cancel_all", tr("cancel all"), id="queue.cancel_all", tooltip=tr("cancel all runs that wait")),
        Binding(
            "r", "again", tr("try again"), id="queue.again", tooltip=tr("let a run that ended early wait once more")
        ),
        Binding(
            "c", "clear", tr("clear"), id="queue.clear", tooltip=tr("take all that has ended off the list; runs stay")
        ),
        Binding("question_mark", "app.help", tr("help"), id="queue.help", key_display="?"),
    ]

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._line = Line()
        self._seen: Any = None

    def compose(self) -> ComposeResult:
        """Lay out the head, the runs, and what is to be said of the one under the cursor."""
        yield Words(id="queue-head")
        yield DataTable(id="queue", cursor_type="row", zebra_stripes=False)
        yield Passage(Content.styled(EMPTY, MUTED), id="queue-empty")
        yield Words(id="queue-why")
        yield KeyLine(compact=True)

    def on_mount(self) -> None:
        """Take keys, and look now and then."""
        self._table.focus()
        self.set_interval(LOOK_S, self.redraw)
        self.redraw()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#queue", DataTable)

    @property
    def _chosen(self) -> Entry | None:
        """Return the run under the cursor."""
        at, entries = self._table.cursor_row, self._entries
        return entries[at] if 0 <= at < len(entries) else None

    @property
    def _entries(self) -> list[Entry]:
        """Return the runs as they are listed: those that have ended last, the newest of them first."""
        listed = [entry for state in GROUPS for entry in self._line.entries if entry.turn.state == state]
        return listed + [entry for entry in reversed(self._line.entries) if entry.turn.state not in GROUPS]

    def _path(self, entry: Entry) -> Path:
        return self._services.queueing.root / entry.run_id

    def redraw(self) -> None:
        """Show what the queue is now, where it is another than before."""
        chosen = self._chosen
        self._line = self._services.queueing.queue.read()
        rows = {row.path: row for row in self._services.rows}
        cells = [self._cells(entry, rows.get(self._path(entry))) for entry in self._entries]
        seen = [[str(cell) for cell in row] for row in cells], self.size
        if seen != self._seen:
            self._seen = seen
            self._fill(cells, chosen)
        self._say()

    def _fill(self, cells: list[list[Text]], chosen: Entry | None) -> None:
        table, ids = self._table, [entry.run_id for entry in self._entries]
        if [key.value for key in table.rows] == ids and len(table.columns) == len(WIDTHS) + 2 and not self._resized():
            for number, row in enumerate(cells):
                for column, cell in enumerate(row):
                    if str(table.get_cell_at((number, column))) != str(cell):  # type: ignore[arg-type]
                        table.update_cell_at((number, column), cell)  # type: ignore[arg-type]
            return
        table.clear(columns=True)
        for name, width in self._columns():
            table.add_column(name, width=width)
        for run_id, row in zip(ids, cells, strict=True):
            table.add_row(*row, key=run_id)
        at = ids.index(chosen.run_id) if chosen is not None and chosen.run_id in ids else table.cursor_row
        table.move_cursor(row=at, animate=False)
        table.display, self.query_one("#queue-empty").display = bool(ids), not ids

    def _resized(self) -> bool:
        widths = [column.width for column in self._table.columns.values()]
        return widths != [width for _, width in self._columns()]

    def _columns(self) -> list[tuple[str, int]]:
        """Return the columns that fit; what is said of a run stands below the table, too."""
        fixed = WIDTHS if self.size.width >= 80 else WIDTHS[:2]
        room = self.size.width - sum(width for _, width in fixed) - 2 * (len(WIDTHS) + 2) - 2
        name = max(min(room, 40 if room > 60 else room), 12)
        steps = [WIDTHS[2]] if len(fixed) > 2 else [("", 0)]
        return [WIDTHS[0], (tr("run"), name), WIDTHS[1], *steps, (tr("about"), max(room - name, 0))]

    def _cells(self, entry: Entry, row: RunRow | None) -> list[Text]:
        state, (_, name, _, steps, why) = entry.turn.state, (width for _, width in self._columns())
        shown = row.state if row is not None and state == AT_WORK else state
        style = COLORS.get(shown, MUTED)
        total = row.total_steps if row is not None else entry.order.total_steps if entry.order is not None else 0
        reached = f"{whole(row.env_steps)}/{whole(total)}" if row is not None else whole(total)
        return [
            Text(GLYPHS.get(shown, "·"), style=style),
            Text(squeezed(entry.run_id, name)),
            Text(fitted(tr(shown), WIDTHS[1][1]), style=style),
            Text(fitted(reached, steps) if steps else "", justify="right"),
            Text(fitted(_why(entry), why) if why else "", style=MUTED),
        ]

    def _say(self) -> None:
        counts = ((self._line.count(state), state) for state in (*GROUPS, *ENDS))
        parts = [tr("{n} {state}", n=number, state=tr(state)) for number, state in counts if number]
        idle = self._line.unfinished and not self._services.queueing.queue.has_runner
        idle_words = tr("nobody starts what waits")
        if self._services.readonly:
            idle_words = tr("nobody starts what waits: open the app without --read-only")
        parts += [idle_words if idle else ""]
        facts = " · ".join(part for part in (*parts, tr("enter opens a run"), tr("esc closes")) if part)
        self.query_one("#queue-head", Words).say(Content.assemble((tr("queue"), "bold"), (f" · {facts}", MUTED)))
        fault = "; ".join(self._line.faults)
        chosen = self._chosen
        why = f"{chosen.run_id}: {_why(chosen)}" if chosen is not None and _why(chosen) else ""
        said = Content.assemble((safe_text(fault), "$error"), "  " if fault and why else "", safe_text(why))
        self.query_one("#queue-why", Words).say(said, layout=True)

    @changes_runs
    def action_move(self, by: int) -> None:
        """Let the run under the cursor wait for less, or longer."""
        entry = self._usable(WAITING)
        if entry is not None:
            self._change(lambda queue: queue.move(entry.run_id, by))

    @changes_runs
    def action_cancel(self) -> None:
        """Let a run that waits never start."""
        entry = self._usable(WAITING)
        if entry is not None:
            self._change(lambda queue: queue.cancel([entry.run_id]))

    @changes_runs
    def action_cancel_all(self) -> None:
        """Cancel all that wait, once confirmed."""
        waiting = [entry.run_id for entry in self._line.entries if entry.turn.state == WAITING]
        if waiting:
            cancel = partial(self._change, lambda queue: queue.cancel(waiting))
            self.app.push_screen(ConfirmCancel(len(waiting)), lambda yes: cancel() if yes else None)

    @changes_runs
    def action_again(self) -> None:
        """Let a run that ended early wait once more."""
        entry = self._usable(*AGAIN)
        if entry is not None:
            self._change(lambda queue: queue.again(entry.run_id))

    @changes_runs
    def action_clear(self) -> None:
        """Take what has ended off the list; the runs themselves stay."""
        ended = [entry.run_id for entry in self._line.entries if entry.turn.state in ENDS]
        if ended:
            self._change(lambda queue: queue.forget(ended))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        entry = self._chosen
        row = next((row for row in self._services.rows if entry and row.path == self._path(entry)), None)
        if row is not None:
            self._services.select(row.path)
            self.dismiss(None)
        elif entry is not None:
            self._services.say(tr("{name} has not begun.", name=entry.run_id))

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._say()

    def _usable(self, *states: str) -> Entry | None:
        """Return the run under the cursor if it is in one of the states; say why not."""
        entry = self._chosen
        if entry is None:
            return None
        if entry.turn.state in states:
            return entry
        further = tr("enter opens it, s stops it there") if entry.turn.state == AT_WORK else tr("r tries it again")
        further = tr("nothing is left to do") if entry.turn.state == "finished" else further
        further = tr("x cancels it") if entry.turn.state == WAITING else further
        state = tr(entry.turn.state)
        self._services.say(tr("{name} is {state}: {further}.", name=entry.run_id, state=state, further=further))
        return None

    def _change(self, change: Change) -> None:
        """Change the queue off the event loop, one change after the other."""
        self.run_worker(partial(self._changed, change), thread=True, exit_on_error=False)

    def _changed(self, change: Change) -> None:
        try:
            change(Queue(self._services.queueing.root))
        except MBPOError as error:
            self.app.call_from_thread(self._services.say, tr("Not changed: {error}", error=error), "error")
        self.app.call_from_thread(self._after_change)

    def _after_change(self) -> None:
        self._services.go_on_with_queue()
        if self.is_mounted:
            self.redraw()


class ConfirmCancel(Confirm):
    """Ask before all that wait are cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", tr("cancel them"), id="cancel.yes"),
        Binding("n,escape", "answer(False)", tr("let them wait"), id="cancel.no"),
    ]

    def __init__(self, count: int) -> None:
        asked = tr("Cancel all that wait, {n} in number?", n=count)
        question = Content(f"{asked}\n\n{tr('Those at work go on.')}")
        super().__init__(tr("cancel all"), question, tr("y cancel them"), tr("n let them wait"))


def _why(entry: Entry) -> str:
    """Say why a run is where it is, or what it is."""
    reason = entry.hindrance or entry.turn.reason
    label = f"{entry.order.env_id} {entry.run.label}" if entry.order is not None and entry.run is not None else ""
    return reason or label
