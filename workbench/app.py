"""Open the workbench: ``mbpo-workbench [--runs-root DIR] [--read-only] [--start PRESET]``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.command import Provider
from textual.events import Click
from textual.screen import ModalScreen
from textual.widgets import Input

from mbpo.errors import MBPOError, report
from mbpo.runs.command import send
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.order import WAITING
from mbpo.settings.grid import Grid
from mbpo.settings.language import tr
from mbpo.settings.setting import Value
from mbpo.settings.stdout import say
from workbench.acting import changes_runs
from workbench.asker import Asker, AskingProcess
from workbench.command_line import options_or_exit
from workbench.endings import Endings, StudyFaults
from workbench.fork_tree import in_tree
from workbench.format import safe_text
from workbench.group_figures import GroupAsked
from workbench.help_topic import topic_of
from workbench.last_selected import load_selected, save_selected
from workbench.launcher import Launch, Launcher, with_launches
from workbench.messages import CommandSent, ReaderFault, RunDetail, RunRow, RunsRead
from workbench.promises import Promise
from workbench.queueing import Queueing
from workbench.read_only import ReadOnlyApp
from workbench.reporter import Reporter
from workbench.run_groups import is_run
from workbench.screens.bench import Bench
from workbench.screens.keymap import Keymap, keys_toml, read_keymap
from workbench.screens.keys import EVERYWHERE
from workbench.studies_found import StudyFound
from workbench.study_rows import path_of
from workbench.study_starter import StudyStarter
from workbench.terminal import end_with_terminal, is_served
from workbench.watcher import Watcher

if TYPE_CHECKING:
    from workbench.screens.fork_form import Branch
    from workbench.screens.launch_form import Order
    from workbench.screens.log_screen import LogScreen

REAP_S = 0.3
STARTED = tr("Started {name}. It runs on when this app ends.")
GOING_ON = tr("Going on with {name}. It runs on when this app ends.")
QUEUE_S = 5.0


class Workbench(ReadOnlyApp[None]):
    """Launch, watch and steer the runs under one root. Runs do not need it to live."""

    TITLE = "MBPO Workbench"
    CSS_PATH = "workbench.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = set()
    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]

    def __init__(
        self,
        runs_root: Path,
        *,
        readonly: bool = False,
        quiet: bool = False,
        start: str = "",
        theme: str = "",
        keymap: Keymap | None = None,
        launcher: Launcher | None = None,
        asker: Asker | None = None,
        reporter: Reporter | None = None,
        queueing: Queueing | None = None,
        study_starter: StudyStarter | None = None,
        watch: bool = True,
    ) -> None:
        super().__init__(theme, keymap or Keymap(), readonly)
        self.runs_root = runs_root.absolute()
        self.quiet = quiet  # whether no bell is rung
        self.selected: Path | None = None
        self.compared: tuple[Path, ...] = ()
        self.asked_groups: tuple[GroupAsked, ...] = ()
        self.launcher = launcher or Launcher(self.runs_root)
        self.asker = asker or Asker()
        self.reporter = reporter or Reporter()
        self.queueing = queueing or Queueing(self.runs_root)
        self.study_starter = study_starter or StudyStarter(self.queueing)
        self._start = start
        self._watch = watch
        self._selected_unsaved = False
        self._found: tuple[RunRow, ...] = ()
        self._endings = Endings()
        self._study_faults = StudyFaults()
        self._chosen = False  # whether the focus was chosen, not fallen upon
        self._bench = Bench(self)
        self._log_screen: LogScreen | None = None
        self._watcher = Watcher(self.runs_root, self.post_message)

    def get_default_screen(self) -> Bench:
        """Return the workbench itself, so that no empty screen is laid out before it."""
        return self._bench

    def on_mount(self) -> None:
        """Show the workbench and begin to watch."""
        self.selected = load_selected(self.runs_root)
        self._chosen = self.selected is not None
        self._watcher.select(self.selected)
        self.set_interval(REAP_S, self._reap)
        self.set_interval(REAP_S, self._remember)
        self.set_interval(QUEUE_S, self.go_on_with_queue)
        self.go_on_with_queue()
        if self._watch:
            self._watcher.start()
        if self._start:
            self.launch(self._start, {})

    def on_unmount(self) -> None:
        """End the reader thread."""
        self._remember()
        self._watcher.stop()

    @property
    def rows(self) -> tuple[RunRow, ...]:
        """Return the runs known now, those just launched included, forks below their parents."""
        return in_tree(with_launches(self._found, self.launcher.waiting()))

    def on_runs_read(self, message: RunsRead) -> None:
        """Hand a reading to the screen, with a run in focus wherever there is one."""
        self._found = message.reading.rows
        rows = self.rows
        view = self._bench.selection.view
        view.studies = message.reading.studies
        paths = {row.path for row in rows} | {group.path for group in view.groups(rows, self.selected)}
        paths |= set(map(path_of, view.studies))
        awaited = self._chosen and not paths and self.selected is not None and self.selected.is_dir()
        if self.selected not in paths and not awaited:
            self._chosen = False
            if rows or view.studies or self.selected is not None:
                listed = [row.path for row in view.let_through(rows, None) or rows]
                self.select(next(iter((*listed, *map(path_of, view.studies))), None))
        for told, severity in self._endings.take(self._found):
            self.say(told, severity)
            self._ring(told)
        for told in self._study_faults.take(view.studies):
            self.say(told, "warning")
        reading = replace(message.reading, rows=rows)
        self._bench.take(reading)
        if self._log_screen is not None and self._log_screen.is_current and reading.detail is not None:
            self._log_screen.show(reading.detail.log)

    def on_reader_fault(self, message: ReaderFault) -> None:
        """Say that reading failed, and that it does not matter to the runs."""
        self.say(tr("Reading failed: {reason}. Training goes on; trying again.", reason=message.reason), "warning")

    def _ring(self, text: str) -> None:
        """Ring the bell, and let a terminal that can show ``text`` on the desktop (OSC 9)."""
        if self.quiet or self._driver is None:
            return
        self.bell()
        self._driver.write(f"\x1b]9;{safe_text(text, 200)}\x1b\\")

    def select(self, path: Path | None) -> None:
        """Put a run in focus and remember it for the next start."""
        self.selected = path
        of_a_run = path if is_run(path) else None
        self._watcher.select(of_a_run)
        self._selected_unsaved = of_a_run is not None
        self._bench.redraw_soon()

    def _remember(self) -> None:
        """Keep for the next start which run is in focus, and how the runs are listed."""
        self._bench.selection.view.remember()
        if self._selected_unsaved and self.selected is not None:
            save_selected(self.runs_root, self.selected)
        self._selected_unsaved = False

    def compare(self, paths: Iterable[Path]) -> None:
        """Have the curves of the runs at ``paths`` read too, and shown."""
        self.compared = tuple(filter(is_run, paths))
        self._watcher.compare(self.compared)
        self._bench.redraw()

    def follow_groups(self, asked: tuple[GroupAsked, ...]) -> None:
        """Have the figures of groups of seeds read, and the curves of some."""
        self.asked_groups = asked
        self._watcher.follow_groups(asked)

    def redraw(self) -> None:
        """Show what is known now."""
        self._bench.redraw()

    def send(self, path: Path, promise: Promise) -> None:
        """Write a command into the run's inbox, off the event loop."""
        if self.may_change():
            self.run_worker(lambda: self._send(path, promise), thread=True, exit_on_error=False)

    def _send(self, path: Path, promise: Promise) -> None:
        try:
            command_id = send(
                RunPaths(path),
                settings=promise.settings or None,
                action=promise.action or None,
                by="workbench",
                expect_revision=promise.expect_revision,
            )
            self.post_message(CommandSent(promise.token, path, command_id))
        except (MBPOError, OSError, ValueError) as error:
            self.post_message(CommandSent(promise.token, path, fault=str(error)))

    def on_command_sent(self, message: CommandSent) -> None:
        """Keep the id to look for in the run's answers."""
        self._bench.steering.sent(message.path, message.token, message.command_id, message.fault)
        if message.fault:
            self.say(tr("Not sent: {fault}", fault=message.fault), "error")
        self._bench.redraw()

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
        self._chosen = True
        self.select(launched.path)
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

    def action_queue(self) -> None:
        """Show what is queued."""
        from workbench.screens.queue_screen import QueueScreen

        self.push_screen(QueueScreen(self))

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

    def on_click(self, event: Click) -> None:
        """Close a page that only shows something when it is clicked beside."""
        if event.widget is self.screen and isinstance(self.screen, ModalScreen) and not self._typed_into:
            self.simulate_key("escape")

    @property
    def _typed_into(self) -> bool:
        """Return whether the screen has a line to type into."""
        return any(line.display for line in self.screen.query(Input))

    def action_log(self) -> None:
        """Show the log of the run in focus."""
        from workbench.screens.log_screen import LogScreen

        detail = self._bench.selection.detail
        screen = LogScreen(self.selected.name if self.selected else tr("no run"))
        screen.show(detail.log if detail is not None else ())
        self._log_screen = screen
        self.push_screen(screen)

    def action_help(self) -> None:
        """Show help made from the bindings in force, first on the panel in focus."""
        from workbench.screens.help_screen import HelpScreen

        active = [item.binding for item in self.screen.active_bindings.values()]
        self.push_screen(HelpScreen(active, topic_of(self.screen)))


def show(options: argparse.Namespace) -> int:
    """Run the app until it is quit; return its exit status."""
    keymap = read_keymap()
    chosen = {name: getattr(options, name) for name in ("readonly", "quiet", "start", "theme")}
    try:
        if options.keys:
            return print_keys(keymap)
        app = Workbench(options.runs_root, keymap=keymap, **chosen)
    except MBPOError as error:
        return report(error)
    end_with_terminal()
    app.run()
    active, waiting = sum(row.active for row in app.rows), app.queueing.queue.read().count(WAITING)
    if (active or waiting) and not is_served():
        shown = shlex.join(["mbpo-workbench", "--runs-root", str(options.runs_root)])
        queued = f", {waiting} waiting to start" if waiting else ""
        say(f"{active} at work, and going on{queued}: {shown} shows them again.")
    return app.return_code or 0


def print_keys(keymap: Keymap) -> int:
    """Print every key as a file, and what is wrong with the one there is; return the exit status."""
    for text in keymap.wrong:
        print(text, file=sys.stderr)
    say(keys_toml(keymap))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; return its exit status."""
    return show(options_or_exit(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
