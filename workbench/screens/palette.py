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
from mbpo.settings.language import english, tr
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
        """Offer what matches ``query``, also in English; run names are never read as markup."""
        assignment = self._assignment(query)
        if assignment is not None:
            text, act, help_text = assignment
            yield Hit(1.0, Content(text), act, text=text, help=help_text)
        matcher = self.matcher(query)
        commands = [*self._commands(), *self._turns()]
        with english():
            as_written = [text for text, *_ in (*self._commands(), *self._turns())]
        for (text, act, help_text), also in zip(commands, as_written, strict=True):
            score = max(matcher.match(text), matcher.match(also))
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
        text = tr(
            "set {setting} = {value} on {name}",
            setting=label(setting.name),
            value=setting_value(value),
            name=fitted(row.run_id, 40),
        )
        return text, partial(self._bench.steering.ask, setting.name, value), tr("Takes hold at the next env step")

    def _commands(self) -> Iterator[Command]:
        services, row = self._bench.services, self._bench.selection.row
        if row is not None and not services.readonly:
            yield from self._steering(row)
        if row is not None:
            name = fitted(row.run_id, 40)
            yield tr("trust in the model of {name}", name=name), self._do("trust"), tr("What was measured of it")
            yield tr("settings and manifest of {name}", name=name), self._do("info"), tr("All of it, with commands")
            yield tr("every metric of {name}", name=name), self._do("metrics"), tr("All that was measured, in pages")
        yield tr("filter the runs"), self._do("filter"), tr("Lists only those like env=Hopper* and k>=5")
        folds = tr("Folds runs that differ by their seed only, or not")
        yield tr("group runs over their seeds"), self._do("group"), folds
        yield tr("columns of the table"), self._do("columns"), tr("Which are shown, and in which order")
        yield tr("archived runs"), self._do("archived"), tr("Lists what is put away too, or no more")
        yield tr("trash"), self._do("trash"), tr("Restores deleted runs, or removes them for good")
        page = tr("A page for a browser: the run in focus, or all that are compared")
        yield tr("write a report"), self._do("report"), page
        yield from self._comparing()
        if not services.readonly:
            yield tr("new run"), self._do("app.new_run"), tr("Opens the launch form")
            for preset in PRESETS.values():
                if preset.env_id:
                    start = partial(services.launch, preset.name, {})
                    yield tr("start {preset}", preset=preset.name), start, tr(preset.doc)
        yield tr("queue"), self._do("app.queue"), tr("Runs that wait, and what became of others")
        for other in services.rows[:50]:
            if row is None or other.path != row.path:
                text = tr("open {name}", name=fitted(other.titled, 40))
                yield text, partial(services.select, Path(other.path)), tr("Run is {state}", state=tr(other.state))
        for chart in CHARTS.values():
            shown = tr("chart {title}", title=chart.title)
            yield shown, self._do(f"chart('{chart.name}')"), tr("Shows it alone; again: all")
        yield tr("tour"), self._do("tour"), tr("Five steps from a solved Pendulum to two forks compared")
        yield tr("help"), self._do("app.help"), tr("Keys, the theory, and what is measured")
        yield tr("change theme"), self._do("app.change_theme"), tr("Colours of the app")
        yield tr("quit"), self._do("app.quit"), tr("Ends this app; runs go on")

    def _steering(self, row: RunRow) -> Iterator[Command]:
        name = fitted(row.run_id, 40)
        if row.answers:
            paused = tr("resume {name}", name=name) if row.state == "paused" else tr("pause {name}", name=name)
            yield paused, self._do("pause"), tr("Training waits; the app may go")
            yield tr("stop {name}", name=name), self._do("stop"), tr("Ends the run after a checkpoint")
            checkpoint = partial(self._bench.steering.act, "checkpoint")
            yield tr("checkpoint {name}", name=name), checkpoint, tr("Writes one now")
            exact = tr("Exact values of all that can change live")
            yield tr("set values of {name}", name=name), self._do("edit"), exact
            yield tr("k auto on {name}", name=name), self._do("auto"), tr("Gives k back to its rule, k_policy")
            yield tr("log of {name}", name=name), self._do("app.log"), tr("Follows what the learner prints")
        if row.state in RESUMABLE:
            yield tr("resume {name}", name=name), self._do("go_on"), tr("Goes on from its newest checkpoint")
        yield tr("name, note and tags of {name}", name=name), self._do("about"), tr("What the table and / know it by")
        archive = tr("list {name}", name=name) if row.about.archived else tr("archive {name}", name=name)
        yield archive, self._do("archive"), tr("Puts it away, or back")
        yield tr("delete {name}", name=name), self._do("delete"), tr("Moves it to the trash, once confirmed")
        yield tr("fork {name}", name=name), self._do("fork"), tr("A new run that branches off it at an env step")
        forks = tr("Forks of it with other settings, compared")
        yield tr("what if on {name}", name=name), self._do("what_if"), forks

    def _turns(self) -> Iterator[Command]:
        """Return a turn down and one up of each live setting; too many to be offered unasked."""
        row = self._bench.selection.row
        if row is None or not row.answers or self._bench.services.readonly:
            return
        for setting in turnable():
            for words, by in zip(turns(setting), (-1, 1), strict=True):
                yield words, self._do(f"turn('{setting.name}', {by})"), tr(setting.doc)

    def _comparing(self) -> Iterator[Command]:
        selection = self._bench.selection
        letters, row = selection.marks.letters, selection.row
        if row is not None:
            name = fitted(row.run_id, 40)
            if row.path in letters:
                yield tr("stop comparing {name}", name=name), self._do("mark"), tr("Takes its mark off")
            else:
                yield tr("compare {name}", name=name), self._do("mark"), tr("Marks it for the charts")
            if any(path not in letters for path in selection.kin):
                text = tr("compare the family of {name}", name=name)
                yield text, self._do("mark_family"), tr("Marks its whole tree of forks")
        yield tr("compare all runs listed"), self._do("mark_shown"), tr("Marks what the filter lets through")
        if letters:
            yield tr("what differs"), self._do("differences"), tr("Settings and evaluations, in full")
            yield tr("compare nothing"), selection.clear_marks, tr("Takes off every mark")
