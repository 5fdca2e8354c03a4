"""Be an app that starts processes which outlive it: learners, what-ifs, reports and studies; say how each ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mbpo.errors import MBPOError
from mbpo.settings.grid import Grid
from mbpo.settings.language import tr
from mbpo.settings.setting import Value
from workbench.acting import changes_runs
from workbench.asker import Asker, AskingProcess
from workbench.launcher import Launch, Launcher
from workbench.messages import RunDetail, RunRow
from workbench.queueing import Queueing
from workbench.read_only import ReadOnlyApp
from workbench.reporter import Reporter
from workbench.screens.keymap import Keymap
from workbench.studies_found import StudyFound
from workbench.study_starter import StudyStarter

if TYPE_CHECKING:
    from workbench.screens.fork_form import Branch
    from workbench.screens.launch_form import Order

REAP_S = 0.3
QUEUE_S = 5.0
STARTED = tr("Started {name}. It runs on when this app ends.")
GOING_ON = tr("Going on with {name}. It runs on when this app ends.")
Result = TypeVar("Result")


class StartingApp(ReadOnlyApp[Result], Generic[Result]):
    """Start processes and tell how they ended; whoever is this says what it means to put a run in focus."""

    def __init__(
        self,
        theme: str,
        keymap: Keymap,
        readonly: bool,
        *,
        runs_root: Path,
        launcher: Launcher | None = None,
        asker: Asker | None = None,
        reporter: Reporter | None = None,
        queueing: Queueing | None = None,
        study_starter: StudyStarter | None = None,
    ) -> None:
        super().__init__(theme, keymap, readonly)
        self.runs_root = runs_root.absolute()
        self.launcher = launcher or Launcher(self.runs_root)
        self.asker = asker or Asker()
        self.reporter = reporter or Reporter()
        self.queueing = queueing or Queueing(self.runs_root)
        self.study_starter = study_starter or StudyStarter(self.queueing)

    def put_in_focus(self, path: Path) -> None:
        """Put a run in focus that was just started."""
        raise NotImplementedError

    def watch_processes(self) -> None:
        """Begin to look how they end, and to have what waits in the queue started."""
        self.set_interval(REAP_S, self._reap)
        self.set_interval(QUEUE_S, self.go_on_with_queue)
        self.go_on_with_queue()

    def launch(self, preset: str, overrides: Mapping[str, Value], run_id: str = "") -> None:
        """Start a learner and put it in focus."""
        self._begin(lambda: self.launcher.start(preset, overrides, run_id), STARTED)

    def resume(self, path: Path) -> None:
        """Start a learner that goes on with a run."""
        self._begin(lambda: self.launcher.resume(path), GOING_ON)

    def go_on_in_study(self, study: StudyFound, only: Sequence[str] = ()) -> None:
        """Have the engine that had a study go on with it, or with some of its runs only."""
        if not self.may_change():
            return
        try:
            self.say(self.study_starter.go_on(study, only))
        except MBPOError as error:
            self.say(str(error), "error")

    def _fork(self, parent: Path, branch: Branch | None) -> None:
        if branch is not None:
            order = (parent, branch.at, branch.changes, branch.config)
            self._begin(lambda: self.launcher.fork(*order), STARTED)

    def _begin(self, start: Callable[[], Launch], told: str) -> None:
        if not self.may_change():
            return
        try:
            launched = start()
        except MBPOError as error:
            self.say(str(error), "error")
            return
        self.put_in_focus(launched.path)
        self.say(told.format(name=launched.run_id))

    def _reap(self) -> None:
        for ended in self.launcher.reap():
            if ended.exit_code and not ended.began:
                words = ended.last_words or tr("exit code {code}", code=ended.exit_code)
                self.say(tr("{run_id} did not start: {words}", run_id=ended.run_id, words=words), "error")
        for asking in self.asker.reap():
            name = asking.question.name
            if asking.exit_code:
                self.say(tr("The what-if of {name} ended early: {words}", name=name, words=asking.last_words), "error")
            else:
                self.say(tr("The what-if of {name} is answered: t shows it.", name=name))
        for told, severity in self.reporter.reap():
            self.say(told, severity)
        for told in self.study_starter.reap():
            self.say(told, "error")

    def report(self, paths: Sequence[Path]) -> None:
        """Write a report of a run into it, or of several beside them."""
        try:
            self.say(self.reporter.start(paths, self.runs_root if len(paths) > 1 else None))
        except MBPOError as error:
            self.say(str(error), "error")

    @changes_runs
    def action_new_run(self) -> None:
        """Show the launch form."""
        from workbench.screens.launch_form import LaunchForm  # its widgets cost 60 ms at the start

        self.push_screen(LaunchForm(), self._ordered)

    def _ordered(self, order: Order | None) -> None:
        if order is not None and order.grid is not None:
            self._queue(order.preset, order.overrides, order.grid)
        elif order is not None:
            self.launch(order.preset, order.overrides, order.run_id)

    def _queue(self, preset: str, overrides: Mapping[str, Value], grid: Grid) -> None:
        if not self.may_change():
            return
        try:
            queued = self.queueing.order(preset, overrides, grid)
        except MBPOError as error:
            self.say(str(error), "error")
            return
        self.say(
            tr(
                "Queued {n} runs, {name}-…: they start when this app ends, too. Q shows the queue.",
                n=grid.size,
                name=queued.name,
            )
        )

    def go_on_with_queue(self) -> None:
        """Have what waits in the queue started, and tell which of its runs failed."""
        for entry in self.queueing.failed():
            self.say(
                tr("{run_id} failed: {reason}. Q shows the queue.", run_id=entry.run_id, reason=entry.turn.reason),
                "error",
            )
        if self.readonly:
            return
        try:
            if number := self.queueing.go_on():
                self.say(tr("{n} queued runs go on; Q shows the queue.", n=number))
        except MBPOError as error:
            self.say(str(error), "error")

    def open_fork_form(self, row: RunRow, detail: RunDetail) -> None:
        """Show the form for a fork of a run."""
        from workbench.fork_points import ForkPoints
        from workbench.screens.fork_form import ForkForm

        try:
            form = ForkForm(detail.path, detail.config, ForkPoints.of(row, detail))
        except MBPOError as error:
            self.say(tr("Cannot fork {name}: {error}", name=detail.path.name, error=error), "error")
            return
        self.push_screen(form, partial(self._fork, detail.path))

    def open_what_if_form(self, row: RunRow, detail: RunDetail) -> None:
        """Show the form for a what-if of a run."""
        from workbench.fork_points import ForkPoints
        from workbench.screens.what_if_form import WhatIfForm

        try:
            form = WhatIfForm(row, detail, ForkPoints.of(row, detail), self.asker.start)
        except MBPOError as error:
            self.say(tr("Cannot ask of {name}: {error}", name=detail.path.name, error=error), "error")
            return
        self.push_screen(form, self._asked)

    def _asked(self, asking: AskingProcess | None) -> None:
        if asking is not None:
            self.asker.keep(asking)
            self.say(
                tr(
                    "Asking what if of {name}. It goes on when this app ends; t shows how far it is.",
                    name=asking.question.name,
                )
            )
