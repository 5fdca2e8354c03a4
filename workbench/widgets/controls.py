"""Show what steers the selected run, what was measured, and what became of each change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from workbench.format import MUTED, fitted, number, setting_value
from workbench.messages import RESUMABLE, RunDetail, RunRow
from workbench.steering import Change, Steering

PROBLEM, GOOD, WAITING = "$error", "$success", "$warning"


@dataclass(frozen=True)
class Dial:
    """Hold what is shown of one live setting."""

    configured: str
    in_force: float
    measured: float
    asked: str = ""


def dial(row: RunRow, detail: RunDetail | None, steering: Steering, setting: str) -> Dial:
    """Collect one live setting from status, metrics and what is on its way."""
    key = "rollout/length" if setting == "rollout_length" else "mix/real_ratio"
    configured = row.controls.get(setting)
    if configured is None and detail is not None:
        configured = detail.config.get(setting)
    asked = steering.asked(setting)
    return Dial(
        configured=setting_value(configured) if configured is not None else "–",
        in_force=detail.last(key) if detail else math.nan,
        measured=detail.last(f"{key}_measured") if detail else math.nan,
        asked=setting_value(asked) if asked is not None else "",
    )


class DialRow(Horizontal):
    """Show one live setting between two buttons."""

    def __init__(self, setting: str, label: str) -> None:
        super().__init__(id=f"dial-{setting}", classes="dial")
        self.setting = setting
        self.label = label

    def compose(self) -> ComposeResult:
        """Lay out name, buttons, value and measured value."""
        yield Static(self.label, classes="dial-name")
        yield Button("◂", id=f"{self.setting}-down", compact=True)
        yield Static("–", classes="dial-value")
        yield Button("▸", id=f"{self.setting}-up", compact=True)
        yield Static("", classes="dial-measured")

    def show(self, content: Dial) -> None:
        """Show the measured value first in weight, the configured beside it."""
        value = Content.styled(content.configured, "bold")
        if content.asked:
            value = Content.styled(f"{content.asked}…", f"bold {WAITING}")
        elif content.configured == "auto" and math.isfinite(content.in_force):
            value = Content.styled(f"auto {number(content.in_force)}", "bold")
        self.query_one(".dial-value", Static).update(value, layout=False)
        measured = number(content.measured) if math.isfinite(content.measured) else "–"
        cell = self.query_one(".dial-measured", Static)
        label = "measured " if cell.size.width >= 14 else "m "
        cell.update(Content.assemble((label, MUTED), (measured, "bold")), layout=False)


class Controls(Vertical):
    """Show the dials, the run's buttons and the fate of the latest changes."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "controls"

    def compose(self) -> ComposeResult:
        """Lay out two dials, a row of buttons and the latest changes."""
        yield DialRow("rollout_length", "k")
        yield DialRow("real_ratio", "real_ratio")
        with Horizontal(id="control-buttons"):
            yield Button("pause", id="pause", compact=True)
            yield Button("stop", id="stop", compact=True)
            yield Button("edit", id="edit", compact=True)
            yield Button("k auto", id="auto", compact=True)
        yield Static("", id="fates")

    def show(
        self, row: RunRow | None, detail: RunDetail | None, steering: Steering, changes: list[Change], readonly: bool
    ) -> None:
        """Show the selected run's settings; without one, what they would be for."""
        self.border_subtitle = "read-only" if readonly else ""
        closed = row is None or readonly or not row.answers
        for button in self.query(Button):
            button.disabled = closed
        self.query_one("#pause", Button).label = "resume" if row is not None and row.state == "paused" else "pause"
        if row is not None:
            for setting in ("rollout_length", "real_ratio"):
                shown = dial(row, detail, steering, setting)
                self.query_one(f"#dial-{setting}", DialRow).show(shown)
        fates, told = self._fates(row, steering, changes), self.query_one("#fates", Static)
        if told.content != fates:  # its height is that of its words: all is laid out again
            told.update(fates)

    def _fates(self, row: RunRow | None, steering: Steering, changes: list[Change]) -> Content:
        if row is None:
            return Content.styled("Select a run to steer it.", MUTED)
        width = max(self.content_size.width, 20)
        lines = [
            Content.styled(fitted(f"{what} pending…", 2 * width), WAITING) for what in steering.pending(row.controls)
        ]
        lines += [fate(change, 2 * width) for change in latest(steering, changes)]
        if not lines and row.answers:
            lines = [Content.styled("No change by hand yet: k/K turns k.", MUTED)]
        elif not lines:
            further = "g goes on with it, f forks it." if row.state in RESUMABLE else "f forks it."
            lines = [Content.styled(f"This run is {row.state}: {further}", MUTED)]
        return Content("\n").join(lines)


def latest(steering: Steering, changes: list[Change]) -> list[Change]:
    """Return the newest fates first: those of our own commands, else anyone's."""
    answered = {change.command_id: change for change in steering.answered}
    known = [answered.get(change.command_id, change) for change in changes]
    return [*reversed(steering.failures[-2:]), *reversed(known[-4:])]


def fate(change: Change, width: int) -> Content:
    """Write one change with its mark."""
    if change.status == "applied":
        return Content.styled(fitted(f"✓ {change.text}", width), GOOD)
    return Content.styled(fitted(f"✗ {change.text}", width), PROBLEM)
