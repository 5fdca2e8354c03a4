"""Offer commands that know the run in focus: set k = 5, pause, stop, open another run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from mbpo.errors import ConfigError
from mbpo.settings.presets import PRESETS
from workbench.charts.table import CHARTS
from workbench.dials import label, named, turnable, turns
from workbench.format import fitted, setting_value
from workbench.messages import RESUMABLE, RunRow
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering

ASSIGNMENT = re.compile(r"(?:set\s+)?([a-z_]+)\s*(?:=|\s|to)\s*(\S.*)")
Command = tuple[str, Callable[[], object], str]


class Steered(Protocol):
    """Be what the palette needs of the screen below it."""

    selection: Selection
    steering: Steering
    services: Services


class RunCommands(Provider):
    """Find commands by name, and read assignments like ``k = 5``."""

    async def discover(self) -> Hits:
        """Offer everything that can be done now."""
        for text, act, help_text in self._commands():
            yield DiscoveryHit(Content(text), act, text=text, help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches ``query``; run names are never read as markup."""
        assignment = self._assignment(query)
        if assignment is not None:
            text, act, help_text = assignment
            yield Hit(1.0, Content(text), act, text=text, help=help_text)
        matcher = self.matcher(query)
        for text, act, help_text in [*self._commands(), *self._turns()]:
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, Content(text), act, text=text, help=help_text)

    @property
    def _bench(self) -> Steered:
        return cast("Steered", self.screen)

    def _do(self, action: str) -> Callable[[], object]:
        return partial(self.screen.run_action, action)

    def _assignment(self, query: str) -> Command | None:
        found = ASSIGNMENT.fullmatch(query.strip().lower())
        row = self._bench.selection.row
        setting = named(found[1]) if found is not None else None
        if found is None or row is None or setting is None or not row.answers or self._bench.services.readonly:
            return None
        try:
            value = setting.parse(found[2])
        except ConfigError:
            return None
        text = f"set {label(setting.name)} = {setting_value(value)} on {fitted(row.run_id, 40)}"
        return text, partial(self._bench.steering.ask, setting.name, value), "Takes hold at the next env step"

    def _commands(self) -> Iterator[Command]:
        services, row = self._bench.services, self._bench.selection.row
        if row is not None and not services.readonly:
            yield from self._steering(row)
        if row is not None:
            yield f"trust in the model of {fitted(row.run_id, 40)}", self._do("trust"), "What was measured of it"
            yield f"settings and manifest of {fitted(row.run_id, 40)}", self._do("info"), "All of it, with commands"
            yield f"every metric of {fitted(row.run_id, 40)}", self._do("metrics"), "All that was measured, in pages"
        yield "filter the runs", self._do("filter"), "Lists only those like env=Hopper* and k>=5"
        yield "group runs over their seeds", self._do("group"), "Folds runs that differ by their seed only, or not"
        yield "columns of the table", self._do("columns"), "Which are shown, and in which order"
        yield "archived runs", self._do("archived"), "Lists what is put away too, or no more"
        yield "trash", self._do("trash"), "Restores deleted runs, or removes them for good"
        yield from self._comparing()
        if not services.readonly:
            yield "new run", self._do("app.new_run"), "Opens the launch form"
            for preset in PRESETS.values():
                if preset.env_id:
                    yield f"start {preset.name}", partial(services.launch, preset.name, {}), preset.doc
        yield "queue", self._do("app.queue"), "Runs that wait, and what became of others"
        for other in services.rows[:50]:
            if row is None or other.path != row.path:
                text = f"open {fitted(other.titled, 40)}"
                yield text, partial(services.select, Path(other.path)), f"Run is {other.state}"
        for chart in CHARTS.values():
            yield f"chart {chart.title}", self._do(f"chart('{chart.name}')"), "Shows it alone; again: all"
        yield "tour", self._do("tour"), "Five steps from a solved Pendulum to two forks compared"
        yield "help", self._do("app.help"), "Keys, the theory, and what is measured"
        yield "change theme", self._do("app.change_theme"), "Colours of the app"
        yield "quit", self._do("app.quit"), "Ends this app; runs go on"

    def _steering(self, row: RunRow) -> Iterator[Command]:
        name = fitted(row.run_id, 40)
        if row.answers:
            verb = "resume" if row.state == "paused" else "pause"
            yield f"{verb} {name}", self._do("pause"), "Training waits; the app may go"
            yield f"stop {name}", self._do("stop"), "Ends the run after a checkpoint"
            yield f"checkpoint {name}", partial(self._bench.steering.act, "checkpoint"), "Writes one now"
            yield f"set values of {name}", self._do("edit"), "Exact values of all that can change live"
            yield f"k auto on {name}", self._do("auto"), "Gives k back to its rule, k_policy"
            yield f"log of {name}", self._do("app.log"), "Follows what the learner prints"
        if row.state in RESUMABLE:
            yield f"resume {name}", self._do("go_on"), "Goes on from its newest checkpoint"
        yield f"name, note and tags of {name}", self._do("about"), "What the table and / know it by"
        yield f"{'list' if row.about.archived else 'archive'} {name}", self._do("archive"), "Puts it away, or back"
        yield f"delete {name}", self._do("delete"), "Moves it to the trash, once confirmed"
        yield f"fork {name}", self._do("fork"), "A new run that branches off it at an env step"

        yield f"what if on {name}", self._do("what_if"), "Forks of it with other settings, compared"

    def _turns(self) -> Iterator[Command]:
        """Return a turn down and one up of each live setting; too many to be offered unasked."""
        row = self._bench.selection.row
        if row is None or not row.answers or self._bench.services.readonly:
            return
        for setting in turnable():
            for words, by in zip(turns(setting), (-1, 1), strict=True):
                yield words, self._do(f"turn('{setting.name}', {by})"), setting.doc

    def _comparing(self) -> Iterator[Command]:
        selection = self._bench.selection
        letters, row = selection.marks.letters, selection.row
        if row is not None:
            name = fitted(row.run_id, 40)
            if row.path in letters:
                yield f"stop comparing {name}", self._do("mark"), "Takes its mark off"
            else:
                yield f"compare {name}", self._do("mark"), "Marks it for the charts"
            if any(path not in letters for path in selection.kin):
                text = f"compare the family of {name}"
                yield text, self._do("mark_family"), "Marks its whole tree of forks"
        if letters:
            yield "what differs", self._do("differences"), "Settings and evaluations, in full"
            yield "compare nothing", selection.clear_marks, "Takes off every mark"
