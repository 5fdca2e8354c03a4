"""Ask short questions: stop this run? which exact values?"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.language import tr
from workbench.dials import facts
from workbench.format import MUTED, NAME, around, fitted, safe_text, setting_value, whole
from workbench.messages import RunRow
from workbench.screens.confirm import Confirm
from workbench.widgets.flowing import Passage


class ConfirmStop(Confirm):
    """Ask before a run is stopped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", tr("stop it"), id="confirm.yes"),
        Binding("n,escape", "answer(False)", tr("let it run"), id="confirm.no"),
    ]

    def __init__(self, row: RunRow) -> None:
        at, of = whole(row.env_steps), whole(row.total_steps)
        asked = tr("Stop {name} at {at} of {of} env steps?", name=NAME, at=at, of=of)
        after = tr("It ends at its next step, after a checkpoint.")
        question = Content.assemble(around(asked, fitted(row.run_id, 40)), "\n\n", (after, MUTED))
        super().__init__(tr("stop a run"), question, tr("y stop it"), tr("n let it run"))


class EditValues(ModalScreen[dict[str, Any] | None]):
    """Ask for exact values of the live settings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", tr("cancel"), id="edit.cancel"),
        Binding("ctrl+s", "apply", tr("apply"), id="edit.apply"),
    ]

    def __init__(self, row: RunRow) -> None:
        super().__init__()
        self._row = row
        self._names = [name for name in LIVE_SETTINGS if name in row.controls]

    def compose(self) -> ComposeResult:
        """Lay out a field for each setting that the learner takes, with what it accepts."""
        with Vertical(classes="dialog") as box:
            box.border_title = tr("set values")
            yield Static(Content.styled(fitted(self._row.run_id, 60), "bold"))
            for name in self._names:
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled(name, "bold"), classes="field-name")
                    value = setting_value(self._row.controls[name])
                    yield Input(value, id=f"edit-{name}", compact=True)
                yield Passage(_accepts(name), id=f"hint-{name}", classes="hint")
            with Horizontal(classes="dialog-buttons"):
                yield Button(tr("^s apply"), id="apply", variant="primary", compact=True)
                yield Button(tr("esc cancel"), id="cancel", compact=True)

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        name = (event.input.id or "").removeprefix("edit-")
        self._parse(name, event.value)

    def _parse(self, name: str, text: str) -> Any | None:
        hint = self.query_one(f"#hint-{name}", Static)
        try:
            value = LIVE_SETTINGS[name].parse(text)
        except ConfigError as error:
            hint.update(Content.styled(safe_text(error, 160), "$error"))
            return None
        hint.update(_accepts(name))
        return value

    @on(Input.Submitted)
    def action_apply(self) -> None:
        """Hand back what differs from the values in force."""
        values: dict[str, Any] = {}
        for name in self._names:
            value = self._parse(name, self.query_one(f"#edit-{name}", Input).value)
            if value is None:
                return
            value = list(value) if isinstance(value, tuple) else value
            if value != self._row.controls.get(name):
                values[name] = value
        self.dismiss(values or None)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.action_cancel()


def _accepts(name: str) -> Content:
    setting = LIVE_SETTINGS[name]
    return Content.styled(f"{tr(setting.doc)} {facts(setting)}", MUTED)
