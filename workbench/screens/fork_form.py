"""Branch a run off another, at any env step, with a few settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS, Config, resolve_run
from mbpo.settings.language import tr
from mbpo.settings.setting import Value
from workbench.dials import accepted
from workbench.fork_points import ForkPoints
from workbench.format import NAME, around, fitted, safe_text, whole
from workbench.launcher import fork_flags, typed
from workbench.screens.start_form import StartForm, shown_order

ASKED = ("rollout_length", "real_ratio", "seed", "total_steps")


@dataclass(frozen=True)
class Branch:
    """Hold what the form asks for."""

    at: int  # env step
    changes: dict[str, Value]
    config: Config  # the fork's own


class ForkForm(StartForm[Branch]):
    """Ask from which env step on, and with what changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", tr("start"), id="fork.start", priority=True),
        Binding("escape", "cancel", tr("cancel"), id="fork.cancel"),
    ]

    def __init__(
        self,
        parent: Path,
        config: Mapping[str, Any],  # the parent's, as in its config.toml
        trunk: ForkPoints,
    ) -> None:
        """Begin with the newest checkpoint that is not the run's end.

        Raises:
            ConfigError: its settings cannot be used.
        """
        super().__init__()
        self._run = parent
        self._config = config
        self._trunk = trunk
        self._at = trunk.newest(resolve_run(config).total_steps)
        self._before = self._in_force()

    def compose(self) -> ComposeResult:
        """Lay out the checkpoint, a line for each setting, and the command."""
        with Vertical(classes="dialog") as box:
            box.border_title = tr("fork a run")
            box.border_subtitle = tr("enter starts · tab, shift+tab move · esc cancels")
            low, high = whole(self._trunk.low), whole(self._trunk.high)
            asked = tr("Branch off {name}, env steps {low} to {high}", name=NAME, low=low, high=high)
            yield Static(around(asked, fitted(self._run.name, 30)))
            with Horizontal(classes="field-line"):
                yield Static(Content.styled("step", "bold"), classes="field-name")
                yield Input(str(self._at), id="fork-step", compact=True)
                yield Static("", id="fork-repeats", classes="field-fact")
            for name, value in self._before.items():
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled(name, "bold"), classes="field-name")
                    yield Input(SETTINGS[name].text(value), id=f"fork-{name}", compact=True)
                    yield Static(accepted(SETTINGS[name]), classes="field-fact")
            yield Static("", id="command")
            with Horizontal(classes="dialog-buttons"):
                yield Button(tr("⏎ start"), id="start", variant="primary", compact=True)
                yield Button(tr("esc cancel"), id="cancel", compact=True)

    def on_mount(self) -> None:
        """Begin at k, the setting that forks are mostly for."""
        self.query_one(f"#fork-{ASKED[0]}").focus()
        self.order()

    def order(self) -> Branch | None:
        """Return what was asked for, or None after showing what is wrong with it."""
        branch: Branch | None = None
        try:
            self._move(self.query_one("#fork-step", Input).value)
            branch = self._branch()
            command = typed(fork_flags(_short(self._run), branch.at, branch.changes))
            shown = shown_order(command, branch.config)
        except ConfigError as error:
            shown = Content.styled(safe_text(error, 160), "$error")
        self.query_one("#command", Static).update(shown)
        self.query_one("#start", Button).disabled = branch is None
        return branch

    def _branch(self) -> Branch:
        texts = {name: self.query_one(f"#fork-{name}", Input).value for name in ASKED}
        values = {name: SETTINGS[name].parse(text) for name, text in texts.items()}
        changes = {name: value for name, value in values.items() if value != self._before[name]}
        config = resolve_run({**self._config, **values})
        if config.total_steps <= self._at:
            raise ConfigError(
                tr(
                    "total_steps must be more than the {at:,} where the fork begins, got {total_steps:,}; give "
                    "more, or choose an earlier step",
                    at=self._at,
                    total_steps=config.total_steps,
                )
            )
        return Branch(self._at, changes, config)

    def _move(self, text: str) -> None:
        """Take what was in force at another env step, except where something was typed."""
        low, high = self._trunk.low, self._trunk.high
        typed_in = text.strip().replace(",", "")
        fits = typed_in.isdecimal() and len(typed_in) < 19 and low <= int(typed_in) <= high
        if fits and int(typed_in) != self._at:
            before, self._at = self._before, int(typed_in)
            self._before = self._in_force()
            for name, value in self._before.items():
                field = self.query_one(f"#fork-{name}", Input)
                if field.value == SETTINGS[name].text(before[name]):
                    field.value = SETTINGS[name].text(value)
        repeated = self._trunk.repeated(self._at)
        first = (
            tr("repeats {repeated} steps first", repeated=whole(repeated)) if repeated else tr("a checkpoint is there")
        )
        self.query_one("#fork-repeats", Static).update(first)
        if not fits:
            raise ConfigError(
                tr(
                    "step must be a whole number from {low} to {high}, got {found!a}",
                    low=whole(low),
                    high=whole(high),
                    found=text[:40],
                )
            )

    def _in_force(self) -> dict[str, Value]:
        """Return what a fork goes on with where nothing is changed."""
        found = self._trunk.in_force(self._at)
        live = {name: value for name, value in found.items() if name in LIVE_SETTINGS}
        resolved = resolve_run({**self._config, **live})
        return {name: getattr(resolved, name) for name in ASKED}

    @on(Input.Changed)
    def _check(self) -> None:
        self.order()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_start()


def _short(path: Path) -> Path:
    """Return ``path`` as typed from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
