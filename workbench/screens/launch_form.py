"""Start a run from a form that the declared settings make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Collapsible, Input, Select, Static

from mbpo.errors import ConfigError
from mbpo.runs.layout import check_run_id
from mbpo.settings.config import SETTINGS, Config, defaults_of, resolve
from mbpo.settings.grid import Grid, check_in_grid, values_of
from mbpo.settings.language import tr
from mbpo.settings.packages import lacking
from mbpo.settings.presets import PRESETS, preset_for
from mbpo.settings.setting import Setting, Value
from workbench.charts.picture import SKY
from workbench.dials import facts
from workbench.format import MUTED, safe_text
from workbench.launcher import shown_command
from workbench.queueing import at_once
from workbench.screens.start_form import StartForm, shown_order
from workbench.widgets.flowing import Passage

COMMON = ("env_id", "seed", "total_steps", "rollout_length", "real_ratio")
SEVERAL = tr("Several runs: 0:5 here, or 1,5,15 in another field.")
GROUPS = {
    "trust": tr("how far to trust the model"),
    "model": tr("dynamics model"),
    "sac": "SAC",
    "planning": tr("planning (pets)"),
}  # that are called otherwise on screen


@dataclass(frozen=True)
class Order:
    """Hold what the form asks for."""

    preset: str
    overrides: dict[str, Value]
    run_id: str = ""
    grid: Grid | None = None  # of several runs, which are queued
    seeds: str = ""  # of them, as typed


class Field(Vertical):
    """Show one setting: name, input, and what it means and accepts."""

    def __init__(self, setting: Setting, preset: str) -> None:
        super().__init__(classes="field")
        self.setting = setting
        self.preset = preset
        self.fault = ""

    def compose(self) -> ComposeResult:
        """Lay out the name beside the input, the meaning below."""
        with Horizontal(classes="field-line"):
            yield Static(Content.styled(self.setting.name, "bold"), classes="field-name")
            yield Input(placeholder=self._placeholder(), id=f"set-{self.setting.name}", compact=True)
        yield Passage(self._meaning(), classes="hint")

    @property
    def text(self) -> str:
        """Return what was typed."""
        return self.query_one(Input).value.strip()

    def use_preset(self, preset: str) -> None:
        """Show another preset's default."""
        self.preset = preset
        self.query_one(Input).placeholder = self._placeholder()

    def values(self) -> tuple[Value, ...]:
        """Return the typed values, often one; none when it was left to the preset or cannot be used."""
        values: tuple[Value, ...] = ()
        self.fault = ""
        try:
            values = values_of(self.setting, self.text) if self.text else ()
            if len(values) > 1 and self.setting.name != "seed":
                check_in_grid(self.setting.name)
        except ConfigError as error:
            self.fault, values = safe_text(error, 200), ()
        hint = Content.styled(self.fault, "$error") if self.fault else self._meaning()
        self.query_one(".hint", Static).update(hint)
        return () if [*values] == [self._default()] else values

    def _default(self) -> Value | None:
        return defaults_of(self.preset).get(self.setting.name)

    def _placeholder(self) -> str:
        default = self._default()
        return tr("needed") if default is None else self.setting.text(default) or tr("none")

    def _meaning(self) -> Content:
        several = f"  {SEVERAL}" if self.setting.name == "seed" else ""
        return Content.assemble((tr(self.setting.doc), MUTED), (f"  {facts(self.setting)}", SKY), several)


class Group(Collapsible):
    """Fold the settings of a group away; their fields are made when it is first opened, for they take a second."""

    def __init__(self, title: str, group: str, settings: Sequence[Setting]) -> None:
        super().__init__(title=title, id=f"group-{group}")
        self._settings = settings

    def fill(self, preset: str) -> None:
        """Make the fields, if they are not there yet."""
        settings, self._settings = self._settings, ()
        if settings:
            self.query_one(Collapsible.Contents).mount_all(Field(setting, preset) for setting in settings)


class LaunchForm(StartForm[Order]):
    """Ask for a preset and what should differ from it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f5", "start", tr("start"), id="launch.start", priority=True),
        Binding("escape", "cancel", tr("cancel"), id="launch.cancel"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-high")]
        self.preset = _preset_for("")
        self._by_hand = False  # once the user has chosen a preset, env_id chooses no other

    def compose(self) -> ComposeResult:
        """Lay out the preset, the common settings and, folded, all others."""
        with Vertical(classes="page") as page:
            page.border_title = tr("new run")
            page.border_subtitle = tr("F5 or ^s starts · tab moves · esc cancels")
            with VerticalScroll(id="form"):
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled(tr("preset"), "bold"), classes="field-name")
                    yield Select(
                        [(name, name) for name in PRESETS],
                        value=self.preset,
                        allow_blank=False,
                        id="preset",
                        compact=True,
                    )
                yield Passage(self._source(), id="source", classes="hint")
                for name in COMMON:
                    yield Field(SETTINGS[name], self.preset)
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled(tr("name"), "bold"), classes="field-name")
                    yield Input(placeholder=tr("preset, seed and time"), id="run-id", compact=True)
                yield Static("", id="name-hint", classes="hint")
                yield from self._groups()
            yield Static("", id="command")
            with Horizontal(classes="dialog-buttons"):
                yield Button(tr("^s start"), id="start", variant="primary", compact=True)
                yield Button(tr("esc cancel"), id="cancel", compact=True)

    def _groups(self) -> ComposeResult:
        rest = [s for s in SETTINGS.values() if s.name not in (*COMMON, "preset")]
        for group in dict.fromkeys(s.group for s in rest):
            members = [s for s in rest if s.group == group]
            yield Group(f"{GROUPS.get(group) or tr(group)} ({len(members)})", group, members)

    @on(Collapsible.Expanded)
    def _unfold(self, event: Collapsible.Expanded) -> None:
        if isinstance(event.collapsible, Group):
            event.collapsible.fill(self.preset)

    def on_mount(self) -> None:
        """Show the command that the form stands for."""
        self.query_one("#preset").focus()
        self._validate()

    def order(self) -> Order | None:
        """Return what was asked for, or None after showing what is wrong with it."""
        self._settle_preset()
        fields = list(self.query(Field))
        order = self._asked({field.setting.name: field.values() for field in fields})
        fault = next(
            (tr("{setting} cannot be used", setting=f.setting.name) for f in fields if f.fault), ""
        ) or self._fault(order)
        self.query_one("#command", Static).update(Content.styled(fault, "$error") if fault else _shown(order))
        self.query_one("#start", Button).disabled = bool(fault)
        return None if fault else order

    def _asked(self, values: Mapping[str, tuple[Value, ...]]) -> Order:
        """Return what is asked for: a run, or with several seeds or values of a setting one for each."""
        overrides = {name: found[0] for name, found in values.items() if len(found) == 1}
        several = {name: found for name, found in values.items() if len(found) > 1}
        seeds = several.pop("seed", None)
        grid = None
        if several or seeds is not None:
            one = overrides.get("seed", defaults_of(self.preset)["seed"])
            grid = Grid(cast("tuple[int, ...]", seeds or (one,)), several)
        typed = self.query_one("#set-seed", Input).value.strip() if seeds else ""
        return Order(self.preset, overrides, self.query_one("#run-id", Input).value.strip(), grid, typed)

    def _fault(self, order: Order) -> str:
        """Say why a learner would not start, before it is tried."""
        try:
            config = _first_config(order)
            if order.run_id:
                check_run_id(order.run_id)
            if order.run_id and order.grid is not None:
                text = tr("name is for one run: leave it empty, each of {n} runs has its own", n=order.grid.size)
                raise ConfigError(text)
        except ConfigError as error:
            return safe_text(error, 200)
        return safe_text(lacking(config.env_id), 200)

    @on(Input.Changed)
    @on(Select.Changed)
    def _validate(self) -> None:
        self.order()

    def _settle_preset(self) -> None:
        """Take the preset that a person chose, else the one that the environment typed chooses."""
        select = self.query_one("#preset", Select)
        if select.value != self.preset:
            self._by_hand = True
            self._use_preset(str(select.value))
        elif not self._by_hand:
            self._use_preset(_preset_for(self.query_one("#set-env_id", Input).value.strip()))
            select.value = self.preset

    def _use_preset(self, preset: str) -> None:
        if preset == self.preset:
            return
        self.preset = preset
        for field in self.query(Field):
            field.use_preset(preset)
        self.query_one("#source", Static).update(self._source())

    def _source(self) -> Content:
        preset = PRESETS[self.preset]
        source = tr("Source: {source}", source=preset.source)
        return Content.assemble((tr(preset.doc), "$text"), (f"  {source}", f"italic {MUTED}"))


def _first_config(order: Order) -> Config:
    """Return the settings of the first run that is asked for.

    Raises:
        ConfigError: one of the runs cannot be had.
    """
    if order.grid is None:
        return resolve(order.overrides, order.preset)
    order.grid.check(order.overrides, order.preset)
    return resolve({**order.overrides, **order.grid.points[0].changes}, order.preset)


def _shown(order: Order) -> Content:
    """Return how many runs an order makes, and the command that does the same."""
    grid, overrides = order.grid, order.overrides
    command = shown_command(order.preset, overrides, order.run_id, [] if grid is None else grid.flags(order.seeds))
    if grid is None:
        return shown_order(command, resolve(overrides, order.preset))
    number = at_once(overrides, grid, order.preset)
    said = tr("{n} runs: {words}, {at_once} at once, in the queue", n=grid.size, words=grid.words, at_once=number)
    shown = shown_order(command, _first_config(order))
    return Content.assemble((said, "bold $success"), "\n", shown)


def _preset_for(env_id: str) -> str:
    return preset_for(env_id or str(SETTINGS["env_id"].default)).name
