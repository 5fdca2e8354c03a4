"""Show what steers the selected run, what was measured, and what became of each change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.widgets import Button, Static

from mbpo.settings.language import tr
from mbpo.settings.setting import Setting
from workbench.changes import Change
from workbench.dials import label, turnable
from workbench.format import MUTED, fitted, number, setting_value
from workbench.messages import RunDetail, RunRow
from workbench.promises import Promises
from workbench.widgets.load import load_words
from workbench.widgets.quiet import Words, subtitle

PROBLEM, GOOD, WAITING = "$error", "$success", "$warning"


@dataclass(frozen=True)
class DialState:
    """Hold what is shown of one live setting."""

    configured: str
    in_force: float
    measured: float
    asked: str = ""


def dial_state(row: RunRow, detail: RunDetail | None, promises: Promises, setting: Setting) -> DialState:
    """Collect one live setting from status, metrics and what is on its way."""
    name, metric = setting.name, setting.dial.metric
    configured = row.controls.get(name)
    if configured is None and detail is not None:
        configured = detail.config.get(name)
    asked = promises.asked(name)
    return DialState(
        configured=setting_value(configured) if configured is not None else "–",
        in_force=detail.last(metric) if detail else math.nan,
        measured=detail.last(f"{metric}_measured") if detail else math.nan,
        asked=setting_value(asked) if asked is not None else "",
    )


class DialRow(Horizontal):
    """Show one live setting between two buttons."""

    class Turned(Message):
        """Tell that a button was pressed."""

        def __init__(self, setting: str, turns: int) -> None:
            super().__init__()
            self.setting = setting
            self.turns = turns

    def __init__(self, setting: Setting) -> None:
        kind = "" if setting.dial.key else "-keyless"
        super().__init__(id=f"dial-{setting.name}", classes=f"dial {kind} {'-choice' if setting.choices else ''}")
        self.setting = setting

    def compose(self) -> ComposeResult:
        """Lay out name, buttons, value and measured value."""
        yield Static(label(self.setting.name), classes="dial-name")
        yield Button("◂", id=f"{self.setting.name}-down", compact=True)
        yield Words("–", classes="dial-value")
        yield Button("▸", id=f"{self.setting.name}-up", compact=True)
        yield Words("", classes="dial-measured")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Turn the dial with the mouse."""
        event.stop()
        up = (event.button.id or "").endswith("-up")
        self.post_message(self.Turned(self.setting.name, 1 if up else -1))

    async def on_click(self, event: Click) -> None:
        """Ask for an exact value where the value was clicked."""
        if event.widget is not None and event.widget.has_class("dial-value"):
            await self.run_action("screen.edit")

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Turn the dial up with the wheel."""
        self._turn(event, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Turn the dial down with the wheel."""
        self._turn(event, -1)

    def _turn(self, event: MouseScrollUp | MouseScrollDown, turns: int) -> None:
        event.stop()
        if not any(button.disabled for button in self.query(Button)):
            self.post_message(self.Turned(self.setting.name, turns))

    def show(self, state: DialState | None) -> None:
        """Show the measured value first in weight, the configured beside it; nothing without a run."""
        if state is None:
            for part, text in ((".dial-value", "–"), (".dial-measured", "")):
                self.query_one(part, Words).say(Content(text))
            return
        value = Content.styled(state.configured, "bold")
        if state.asked:
            value = Content.styled(f"{state.asked}…", f"bold {WAITING}")
        elif state.configured == "auto" and math.isfinite(state.in_force):
            value = Content.styled(f"auto {number(state.in_force)}", "bold")
        self.query_one(".dial-value", Words).say(value)
        if self.setting.dial.metric:
            cell = self.query_one(".dial-measured", Words)
            name = tr("measured") if cell.size.width >= 14 else "m"
            cell.say(Content.assemble((f"{name} ", MUTED), (number(state.measured), "bold")))


class Controls(Vertical):
    """Show the dials, the run's buttons and the fate of the latest changes."""

    help_topic = "steer"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = tr("controls")

    def compose(self) -> ComposeResult:
        """Lay out the dials, a row of buttons and the latest changes."""
        for setting in turnable():
            yield DialRow(setting)
        with Horizontal(id="control-buttons"):
            yield Button(tr("pause"), id="pause", compact=True)
            yield Button(tr("stop"), id="stop", compact=True)
            yield Button(tr("edit"), id="edit", compact=True)
            yield Button(tr("k auto"), id="auto", compact=True)
        yield Words("", id="load")
        yield Words("", id="fates")

    def show(
        self, row: RunRow | None, detail: RunDetail | None, promises: Promises, changes: list[Change], readonly: bool
    ) -> None:
        """Show the selected run's settings; without one, what they would be for."""
        subtitle(self, tr("read-only") if readonly else "")
        closed = row is None or readonly or not row.answers
        for button in self.query(Button):
            button.disabled = closed
        pause, word = (
            self.query_one("#pause", Button),
            tr("resume") if row is not None and row.state == "paused" else tr("pause"),
        )
        if str(pause.label) != word:
            pause.label = word
            pause.refresh(layout=True)  # it is one letter longer
        for dial in self.query(DialRow):
            dial.show(None if row is None else dial_state(row, detail, promises, dial.setting))
        load = load_words(detail) if row is not None and row.active else ""
        self.query_one("#load", Words).say(Content.styled(tr("takes {load}", load=load) if load else "", MUTED))
        self.query_one("#fates", Words).say(self._fates(row, promises, changes), layout=True)

    def _fates(self, row: RunRow | None, promises: Promises, changes: list[Change]) -> Content:
        if row is None:
            return Content.styled(tr("Select a run to steer it."), MUTED)
        width = max(self.content_size.width, 20)
        lines = [
            Content.styled(fitted(tr("{what} pending…", what=what), 2 * width), WAITING)
            for what in promises.pending(row.controls)
        ]
        lines += [fate(change, 2 * width) for change in latest(promises, changes)]
        if not lines and row.answers:
            lines = [Content.styled(tr("No change by hand yet: k/K turns k."), MUTED)]
        elif not lines:
            lines = [
                Content.styled(tr("This run is {state}: {further}.", state=tr(row.state), further=row.further), MUTED)
            ]
        return Content("\n").join(lines)


def latest(promises: Promises, changes: list[Change]) -> list[Change]:
    """Return the newest fates first: those of our own commands, else anyone's."""
    answered = {change.command_id: change for change in promises.answered}
    known = [answered.get(change.command_id, change) for change in changes]
    return [*reversed(promises.failures[-2:]), *reversed(known[-4:])]


def fate(change: Change, width: int) -> Content:
    """Write one change with its mark."""
    if change.status == "applied":
        return Content.styled(fitted(f"✓ {change.text}", width), GOOD)
    return Content.styled(fitted(f"✗ {change.text}", width), PROBLEM)
