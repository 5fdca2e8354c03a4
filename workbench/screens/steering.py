"""Steer the run in focus: every command to it begins here, or a notice says why not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.language import tr
from mbpo.studies.standing import CUT_OFF, FAILED
from workbench.changes import Change, changes_in
from workbench.dials import turned
from workbench.format import fitted
from workbench.messages import RESUMABLE, RunRow
from workbench.promises import Promises
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.study_rows import standing_in


class Steering:
    """Keep the promises of every run, and make those for the one in focus."""

    def __init__(self, selection: Selection, services: Services) -> None:
        self._selection = selection
        self._services = services
        self._promises: dict[Path, Promises] = {}
        self.changes: list[Change] = []  # of the run in focus, whoever made them

    @property
    def own(self) -> Promises:
        """Return the promises made for the run in focus."""
        return self._promises.setdefault(self._services.selected or Path(), Promises())

    def settle(self) -> None:
        """Match what was promised with what the run has answered by now."""
        detail = self._selection.detail
        self.changes = changes_in(detail.events) if detail is not None else []
        if detail is None:
            return
        answers = {change.command_id: change for change in self.changes}
        for change in self.own.settle(answers, self._selection.row, monotonic()):
            if change.status != "applied":
                self._services.say(change.text, "error")

    def send_due(self) -> None:
        """Send every drafted change whose keys have rested."""
        for path, promises in self._promises.items():
            promise = promises.due(monotonic())
            if promise is not None:
                self._services.send(path, promise)

    def sent(self, path: Path, token: int, command_id: str, fault: str) -> None:
        """Take in the id that the inbox gave a command, or why it was not sent."""
        if path in self._promises:
            self._promises[path].sent(token, command_id, fault)

    def usable(self) -> RunRow | None:
        """Return the run in focus if something may be done with it, else say why not."""
        row = self._selection.row
        if row is None:
            self._services.say(self._selection.nothing, "warning")
        return row

    def steerable(self) -> RunRow | None:
        """Return the run in focus if it can be steered, else say why not."""
        row = self.usable()
        if row is not None and not row.answers:
            self._services.say(
                tr(
                    "{run_id} is {state}, nobody answers: {further}.",
                    run_id=fitted(row.run_id, 40),
                    state=tr(row.state),
                    further=row.further,
                ),
                "warning",
            )
            return None
        return row

    def turn(self, name: str, turns: int) -> None:
        """Turn a live setting from the value asked for last, else in force."""
        if self.steerable() is None:
            return
        try:
            self.ask(name, turned(LIVE_SETTINGS[name], self._start(name), turns))
        except ConfigError as error:
            self._services.say(tr("Not turned: {error}", error=error), "warning")

    def ask(self, name: str, value: Any) -> None:
        """Ask for a value; it is sent once the keys rest."""
        if self.steerable() is not None:
            self.own.draft(name, list(value) if isinstance(value, tuple) else value, monotonic())
            self._services.redraw()

    def set_values(self, values: Mapping[str, Any], revision: int) -> None:
        """Send exact values, to be refused if the run was changed since ``revision``."""
        row = self.steerable()
        if row is not None:
            promise = self.own.promise(values, expect_revision=revision, now=monotonic())
            self._services.send(row.path, promise)
            self._services.redraw()

    def act(self, action: str) -> None:
        """Send an action to the run in focus."""
        row = self.steerable()
        if row is not None:
            self._services.send(row.path, self.own.promise(action=action, now=monotonic()))
            self._services.redraw()

    def pause(self) -> None:
        """Pause, or resume what is paused."""
        row = self._selection.row
        self.act("resume" if row is not None and row.state == "paused" else "pause")

    def go_on(self) -> None:
        """Go on with the run in focus, where its learner is gone before the end; in a study its engine does that."""
        if (head := self._selection.study) is not None:
            self._services.go_on_in_study(head.study)
            return
        row = self.usable()
        if row is None:
            return
        study = self._selection.view.asking_for(row.path)
        if study is not None and standing_in(study, row) in (FAILED, CUT_OFF):
            self._services.go_on_in_study(study, (row.path.name,))
        elif row.state in RESUMABLE:
            self._services.resume(row.path)
        else:
            states = tr("{first} or {last}", first=", ".join(map(tr, RESUMABLE[:-1])), last=tr(RESUMABLE[-1]))
            name = fitted(row.run_id, 40)
            self._services.say(
                tr("{name} is {state}: only what is {states} goes on.", name=name, state=tr(row.state), states=states),
                "warning",
            )

    def _start(self, name: str) -> bool | int | float | str:
        """Return the value that a turn starts from: as asked, configured, logged, declared, else 1."""
        setting, row, detail = LIVE_SETTINGS[name], self._selection.row, self._selection.detail
        configured = row.controls.get(name) if row is not None else None
        logged = detail.last(setting.dial.metric) if detail is not None else math.nan
        for value in (self.own.asked(name), configured, logged, setting.default):
            try:
                checked = setting.check(value)
            except ConfigError:
                continue
            if checked != "auto" and not isinstance(checked, (tuple, dict)):
                return checked
        return 1
