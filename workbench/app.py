"""Open the workbench: ``mbpo-workbench [--runs-root DIR] [--read-only] [--start PRESET]``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
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
from mbpo.settings.language import tr
from mbpo.settings.stdout import say
from workbench.asker import Asker
from workbench.command_line import options_or_exit
from workbench.endings import Endings, StudyFaults
from workbench.fork_tree import in_tree
from workbench.format import safe_text
from workbench.group_figures import GroupAsked
from workbench.help_topic import topic_of
from workbench.last_selected import load_selected, save_selected
from workbench.launcher import Launcher, with_launches
from workbench.messages import CommandSent, ReaderFault, RunRow, RunsRead
from workbench.promises import Promise
from workbench.queueing import Queueing
from workbench.reporter import Reporter
from workbench.run_groups import is_run
from workbench.screens.bench import Bench
from workbench.screens.keymap import Keymap, keys_toml, read_keymap
from workbench.screens.keys import EVERYWHERE
from workbench.starting import StartingApp
from workbench.study_rows import path_of
from workbench.study_starter import StudyStarter
from workbench.terminal import end_with_terminal, is_served
from workbench.watcher import Watcher

if TYPE_CHECKING:
    from workbench.screens.log_screen import LogScreen

REMEMBER_S = 0.3


class Workbench(StartingApp[None]):
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
        super().__init__(
            theme,
            keymap or Keymap(),
            readonly,
            runs_root=runs_root,
            launcher=launcher,
            asker=asker,
            reporter=reporter,
            queueing=queueing,
            study_starter=study_starter,
        )
        self.quiet = quiet  # whether no bell is rung
        self.selected: Path | None = None
        self.compared: tuple[Path, ...] = ()
        self.asked_groups: tuple[GroupAsked, ...] = ()
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
        self.set_interval(REMEMBER_S, self._remember)
        self.watch_processes()
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

    def put_in_focus(self, path: Path) -> None:
        """Put a run in focus that was just started, and wait for it to be listed."""
        self._chosen = True
        self.select(path)

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

    def on_click(self, event: Click) -> None:
        """Close a page that only shows something when it is clicked beside."""
        if event.widget is self.screen and isinstance(self.screen, ModalScreen) and not self._typed_into:
            self.simulate_key("escape")

    @property
    def _typed_into(self) -> bool:
        """Return whether the screen has a line to type into."""
        return any(line.display for line in self.screen.query(Input))

    def action_queue(self) -> None:
        """Show what is queued."""
        from workbench.screens.queue_screen import QueueScreen

        self.push_screen(QueueScreen(self))

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
