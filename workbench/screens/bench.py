"""Be the workbench: runs and controls on the left, charts on the right, events below."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import Provider
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.events import Resize
from textual.widgets import Button, Footer, Static

from workbench.format import fitted, number, safe_text
from workbench.messages import RESUMABLE, RunRow, Snapshot
from workbench.screens.charts import CHARTS, Charts
from workbench.screens.keys import BENCH_KEYS
from workbench.screens.palette import RunCommands
from workbench.screens.watching import WatchingScreen
from workbench.steering import Change, Steering, changes_in, nudged
from workbench.widgets.comparing import Comparing
from workbench.widgets.controls import Controls
from workbench.widgets.events import Events, LogTail
from workbench.widgets.header import Header
from workbench.widgets.runs_table import RunsTable

NO_RUNS = Content.from_markup(
    "[b]No runs here yet.[/b]\n\nPress [b]n[/b] to start one.\nRuns started elsewhere\nappear by themselves."
)


class Bench(WatchingScreen):
    """Show every run under the root, and one of them in full."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {RunCommands}
    BINDINGS: ClassVar[list[BindingType]] = BENCH_KEYS

    def __init__(self) -> None:
        super().__init__()
        self.steering: dict[Path, Steering] = {}
        self.changes: list[Change] = []
        self._drawn: tuple[Any, ...] = ()

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield Header(id="headline")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                with Vertical(id="runs-panel") as panel:
                    panel.border_title = "runs"
                    yield RunsTable(id="runs")
                    yield Static(NO_RUNS, id="no-runs")
                yield Controls(id="controls")
            yield Charts(id="charts")
        with Grid(id="below"):
            yield Events(id="events")
            yield LogTail(id="log-tail")
            yield Comparing(id="comparing")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Show the empty state, and send drafted changes when the keys rest."""
        self.query_one(RunsTable).focus()
        self.set_interval(0.05, self._send_due)
        self.render_snapshot()

    def on_resize(self, event: Resize) -> None:
        """Choose a layout for the terminal's size."""
        width, height = event.size
        self.set_class(width < 120 or height < 34, "-compact")
        self.set_class(width < 70 or height < 20, "-tiny")
        self.call_after_refresh(self._draw_anew)

    @property
    def own(self) -> Steering:
        """Return the promises made for the run in focus."""
        return self.steering.setdefault(self.host.selected or Path(), Steering())

    def take(self, snapshot: Snapshot) -> None:
        """Show a new snapshot."""
        self.snapshot = snapshot
        self.forget_vanished()
        if self.detail is not None:
            self.changes = changes_in(self.detail.events)
            self._settle()
        else:
            self.changes = []
        self.render_snapshot()

    def render_snapshot(self) -> None:
        """Bring every panel up to date, if the screen is neither being built nor taken down."""
        with contextlib.suppress(NoMatches):
            self._render_panels()

    def _render_panels(self) -> None:
        """Show what is known; charts are drawn again only when their data moved."""
        rows, row, detail = self.snapshot.rows, self.row, self.detail
        self.set_class(not rows, "-empty")
        self.query_one(RunsTable).show(rows, self.host.selected, self.marks.letters)
        self.query_one("#runs-panel").border_subtitle = self._counted()
        self.query_one(Header).show(row, self._dials() if self.has_class("-tiny") else "")
        self.query_one(Controls).show(row, detail, self.own, self.changes, self.host.readonly)
        comparison = self.comparison
        state = (
            detail and (detail.path, detail.version),
            row and (row.controls, row.env_steps),
            self.size,
            [(run.letter, run.row.path, run.row.controls, run.detail.version) for run in comparison.runs],
        )
        if state != self._drawn:
            self._drawn = state
            self._make_room(len(comparison.runs))
            self.query_one(Events).show(detail)
            self.query_one(LogTail).show(detail.log if detail else ())
            self.query_one(Comparing).show(comparison)
            self.query_one(Charts).show(row, detail, self.changes, comparison)

    def _make_room(self, compared: int) -> None:
        """Give the runs compared a line each, as far as the terminal has them."""
        most, least = (8, 5) if self.has_class("-compact") else (12, 9)
        below = self.query_one("#below")
        below.styles.height = min(max(compared + 3, least), most) if compared > 1 else None
        if self.has_class("-comparing") is not (compared > 1):
            self.set_class(compared > 1, "-comparing")
            self.call_after_refresh(self._draw_anew)

    def _draw_anew(self) -> None:
        self._drawn = ()
        self.render_snapshot()

    def _counted(self) -> str:
        active = sum(row.active for row in self.snapshot.rows)
        return f"{active} of {len(self.snapshot.rows)} at work" if self.snapshot.rows else ""

    def _dials(self) -> str:
        k = self.detail.last("rollout/length") if self.detail else math.nan
        ratio = self.detail.last("mix/real_ratio") if self.detail else math.nan
        return f"k {number(k)} r {number(ratio)}"

    def _settle(self) -> None:
        answers = {change.command_id: change for change in self.changes}
        for change in self.own.settle(answers, self.row, monotonic()):
            if change.status != "applied":
                self.host.say(change.text, "error")

    def _send_due(self) -> None:
        for path, steering in self.steering.items():
            promise = steering.due(monotonic())
            if promise is not None:
                self.host.send(path, promise)

    def _usable(self) -> RunRow | None:
        """Return the run in focus if something may be done with it, else say why not."""
        if self.row is None:
            self.host.say("No run is selected: press n to start one.", "warning")
        elif self.host.readonly:
            self.host.say("Read-only: this workbench was started to watch.", "warning")
        else:
            return self.row
        return None

    def _steerable(self) -> RunRow | None:
        """Return the run in focus if it can be steered, else say why not."""
        row = self._usable()
        if row is not None and not row.answers:
            self.host.say(f"{fitted(row.run_id, 40)} is {row.state}: nobody answers.", "warning")
            return None
        return row

    def in_force(self, setting: str) -> float:
        """Return the value that a key press starts from."""
        asked = self.own.asked(setting)
        row, detail = self.row, self.detail
        configured = row.controls.get(setting) if row is not None else None
        key = "rollout/length" if setting == "rollout_length" else "mix/real_ratio"
        logged = detail.last(key) if detail is not None else math.nan
        for value in (asked, configured, logged):
            if isinstance(value, (int, float)) and math.isfinite(value):
                return float(value)
        return 1.0 if setting == "rollout_length" else 0.05

    def action_nudge(self, setting: str, steps: int) -> None:
        """Turn a live setting by key presses."""
        if self._steerable() is not None:
            self.ask(setting, nudged(setting, self.in_force(setting), steps))

    def ask(self, setting: str, value: Any) -> None:
        """Ask for a value; it is sent once the keys rest."""
        if self._steerable() is not None:
            self.own.draft(setting, value, monotonic())
            self.render_snapshot()

    def act(self, action: str) -> None:
        """Send an action to the run in focus."""
        row = self._steerable()
        if row is not None:
            self.host.send(row.path, self.own.promise(action=action, now=monotonic()))
            self.render_snapshot()

    def action_auto(self) -> None:
        """Give k back to its schedule."""
        self.ask("rollout_length", "auto")

    def action_pause(self) -> None:
        """Pause, or resume what is paused."""
        if self.row is not None:
            self.act("resume" if self.row.state == "paused" else "pause")
        else:
            self._steerable()

    def action_stop(self) -> None:
        """Stop the run once confirmed."""
        from workbench.screens.dialogs import ConfirmStop

        row = self._steerable()
        if row is not None:
            self.app.push_screen(ConfirmStop(row), lambda yes: self.act("stop") if yes else None)

    def action_edit(self) -> None:
        """Open a form for exact values."""
        from workbench.screens.dialogs import EditValues

        row = self._steerable()
        if row is not None:
            self.app.push_screen(EditValues(row), self._edited)

    def _edited(self, values: dict[str, Any] | None) -> None:
        row = self._steerable() if values else None
        if row is not None and values:
            revision = values.pop("revision")
            promise = self.own.promise(values, expect_revision=revision, now=monotonic())
            self.host.send(row.path, promise)
            self.render_snapshot()

    def action_fork(self) -> None:
        """Open the form for a fork of the run in focus."""
        row, detail = self._usable(), self.detail
        if row is None:
            return
        if detail is None or not detail.config:
            self.host.say(f"{fitted(row.run_id, 40)} has no config to read.", "warning")
        else:
            self.host.open_fork_form(row, detail)

    def action_resume(self) -> None:
        """Go on with the run in focus, where its learner is gone before the end."""
        row = self._usable()
        if row is None:
            return
        if row.state not in RESUMABLE:
            states = f"{', '.join(RESUMABLE[:-1])} or {RESUMABLE[-1]}"
            name = fitted(row.run_id, 40)
            self.host.say(f"{name} is {row.state}: only what is {states} goes on.", "warning")
        else:
            self.host.resume(row.path)

    def action_new_run(self) -> None:
        """Open the launch form."""
        self.host.open_launch_form()

    def action_chart(self, number: int) -> None:
        """Show one chart alone; again, all of them."""
        self.query_one(Charts).choose(CHARTS[number - 1])

    def action_squared(self) -> None:
        """Show the model's error in the other unit."""
        charts = self.query_one(Charts)
        charts.squared = not charts.squared
        charts.show(self.row, self.detail, self.changes, self.comparison)

    def action_smooth(self) -> None:
        """Turn smoothing on or off."""
        charts = self.query_one(Charts)
        charts.smooth = not charts.smooth
        charts.show(self.row, self.detail, self.changes, self.comparison)

    def action_wide_table(self) -> None:
        """Give the table the whole width, or take it back."""
        self.toggle_class("-wide-table")

    def action_log(self) -> None:
        """Open the log in full."""
        self.host.open_log()

    def action_help(self) -> None:
        """Open help for this screen."""
        self.host.open_help()

    @on(RunsTable.Picked)
    def _picked(self, event: RunsTable.Picked) -> None:
        self.host.select(event.path)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        name = event.button.id or ""
        if name.endswith(("-up", "-down")):
            setting, _, way = name.rpartition("-")
            self.action_nudge(setting, 1 if way == "up" else -1)
        elif name in ("pause", "stop", "edit", "auto"):
            getattr(self, f"action_{name}")()
        self.query_one(RunsTable).focus()

    def describe(self) -> str:
        """Return the name of the run in focus as safe text."""
        return safe_text(self.row.run_id, 64) if self.row is not None else ""
