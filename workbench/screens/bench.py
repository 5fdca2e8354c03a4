"""Be the workbench: runs and controls on the left, charts on the right, events below."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.command import Provider
from textual.containers import Grid, Horizontal, Vertical
from textual.css.query import NoMatches
from textual.events import Resize
from textual.widgets import Button

from mbpo.settings.language import tr
from workbench.acting import changes_runs
from workbench.charts.view import View
from workbench.dials import keyed
from workbench.format import fitted, number
from workbench.groups_side_by_side import GroupComparison
from workbench.messages import Reading, RunDetail, RunRow
from workbench.screens.chart_keys import ChartScreen
from workbench.screens.chart_panels import ChartPanels
from workbench.screens.keys import bench_keys
from workbench.screens.pace import Pace
from workbench.screens.palette import RunCommands
from workbench.screens.run_pages import RunPages
from workbench.screens.run_shelf import RunShelf
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering
from workbench.side_by_side import Comparison
from workbench.study_rows import StudyRow
from workbench.tour import stop_of
from workbench.what_if_words import progress_word
from workbench.widgets.chart import Chart
from workbench.widgets.comparison_table import ComparisonTable
from workbench.widgets.controls import Controls, DialRow
from workbench.widgets.events import Events, LogTail
from workbench.widgets.header import Header
from workbench.widgets.key_line import KeyLine
from workbench.widgets.load import load_words
from workbench.widgets.runs_panel import RunsPanel
from workbench.widgets.runs_table import RunsTable
from workbench.widgets.tour_line import TourLine

SOON_S = 0.03
UNREAD_S = 0.4  # for which curves stay that are no longer in focus, rather than to blink


class Bench(ChartScreen, RunPages, RunShelf):
    """Show every run under the root, and one of them in full."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {RunCommands}

    def __init__(self, services: Services) -> None:
        super().__init__(View())
        # Not in BINDINGS: they follow the declared settings and charts.
        self._bindings = BindingsMap.merge([self._bindings, BindingsMap(bench_keys())])
        self.services = services
        self.selection = Selection(services)
        self.steering = Steering(self.selection, services)
        self._pace = Pace(self.set_timer, self.redraw)
        self._below_height: int | None = None
        self._redraw_due, self._redrawn_at = False, -math.inf

    @property
    def help_topic(self) -> str:
        """Return what help is asked for first where no panel in focus says it: the chart shown alone, else the runs."""
        return self.query_one(ChartPanels).help_topic or "runs"

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield Header(id="headline")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield RunsPanel(self.selection.view, self.services.select, id="runs-panel")
                yield Controls(id="controls")
            yield ChartPanels(self.view, id="charts")
        with Grid(id="below"):
            yield Events(id="events")
            yield LogTail(id="log-tail")
            yield ComparisonTable(id="comparing")
        yield TourLine(id="tour")
        yield KeyLine(compact=True)

    def on_mount(self) -> None:
        """Show the empty state, and send drafted changes when the keys rest."""
        self.query_one(RunsTable).focus()
        self.set_interval(0.05, self.steering.send_due)
        self.redraw()

    def on_resize(self, event: Resize) -> None:
        """Choose a layout for the terminal's size."""
        width, height = event.size
        self.set_class(width < 120 or height < 34, "-compact")
        self.set_class(width < 70 or height < 20, "-tiny")
        self.set_class(height < 40, "-low")
        self.set_class(width >= 120 and height >= 50, "-tall")
        self.set_class(width < 120, "-narrow")
        self.set_class(width >= 180, "-wide")
        self.call_after_refresh(self.draw_anew)

    def on_screen_resume(self) -> None:
        """Show the charts on the axis that was chosen on a page above."""
        self.redraw()

    def take(self, reading: Reading) -> None:
        """Show a new reading."""
        self.selection.take(reading)
        self.steering.settle()
        self.redraw()

    def redraw(self) -> None:
        """Bring every panel up to date, if the screen is neither being built nor taken down."""
        with contextlib.suppress(NoMatches):
            self._draw_panels()
            if self.above is not None and self.above.is_current:
                self.above.redraw()

    def redraw_soon(self) -> None:
        """Bring every panel up to date: next, but once for all that happens within a moment, as many key presses."""
        if not self._redraw_due:
            self._redraw_due = True
            wait = self._redrawn_at + SOON_S - monotonic()
            if wait > 0:
                self.set_timer(wait, self._redraw_now)
            else:
                self.call_later(self._redraw_now)
                self.set_timer(UNREAD_S, self.redraw)

    def _redraw_now(self) -> None:
        self._redraw_due, self._redrawn_at = False, monotonic()
        self.redraw()

    def _draw_panels(self) -> None:
        """Show what is known; charts are drawn again only when their data moved."""
        selection, steering, readonly = self.selection, self.steering, self.services.readonly
        rows, row, detail = selection.reading.rows, selection.row, selection.detail
        study = selection.study
        self.set_class(not rows and not selection.reading.studies, "-empty")
        self.set_class(study is not None and bool(study.troubles or study.reason), "-troubled")
        selection.ask_for_groups()
        grouped = selection.grouped
        scores = selection.reading.groups.scores
        self.query_one(RunsPanel).show(rows, self.services.selected, selection.marks.letters, scores)
        self._draw_header(grouped, study)
        self.query_one(Controls).show(row, detail, steering.own, steering.changes, readonly)
        if grouped.groups or study is not None:
            self._draw_groups(grouped, study)
            return
        if row is not None and detail is None and monotonic() - self._redrawn_at < UNREAD_S:
            return
        comparison = selection.comparison
        if self.has_class("-touring"):
            self.query_one(TourLine).show(stop_of(rows, row, len(comparison.runs)))
        shown = (
            detail and detail.path,
            row and (row.path, row.controls, row.state),
            self.size,
            self.view.x,
            [(run.letter, run.row.path, run.row.controls) for run in comparison.runs],
        )
        news = (detail and detail.version, row and row.env_steps, [run.detail.version for run in comparison.runs])
        if self._pace.is_due(shown, news):
            self._make_room(len(comparison.runs))
            self.query_one(Events).show(detail)
            self.query_one(LogTail).show(detail.log if detail else ())
            self.query_one(ComparisonTable).show(comparison)
            self.query_one(ChartPanels).show(row, detail, steering.changes, comparison)

    def _draw_header(self, grouped: GroupComparison, study: StudyRow | None) -> None:
        """Say in the first line how the run, group or study in focus is doing."""
        header, row, detail = self.query_one(Header), self.selection.row, self.selection.detail
        if study is not None:
            header.show_study(study)
        elif grouped.focus is not None and row is None:
            header.show_group(grouped.focus)
        else:
            asked = progress_word(detail.what_ifs) if detail is not None else ""
            load = "" if self.has_class("-tall") else load_words(detail)  # there the controls have it
            header.show(row, self._dials() if self.has_class("-tiny") else "", asked, load)

    def _draw_groups(self, grouped: GroupComparison, study: StudyRow | None) -> None:
        """Show the groups in focus and marked in place of a run, of a study its arms."""
        shown = (
            self.size,
            study and study.path,
            [(group.path, group.letter, group.focused) for group in grouped.groups],
        )
        news = (grouped.version, study and study.rows, [group.seeds for group in grouped.groups])
        if self._pace.is_due(shown, news):
            self._make_room(len(grouped.groups) + (study is None))
            if study is not None:
                self.query_one(Events).show_study(study)
            elif grouped.focus is not None and grouped.focus.folded:
                self.query_one(Events).show_seeds(grouped.focus)
            else:
                self.query_one(Events).show(self.selection.detail)
            if grouped.groups:
                self.query_one(ComparisonTable).show(grouped)
                self.query_one(ChartPanels).show_groups(grouped)
            else:
                self.query_one(ChartPanels).show(None, None, [], Comparison())

    def _make_room(self, compared: int) -> None:
        """Give the runs compared a line each, as far as the terminal has them."""
        most, least = (8, 5) if self.has_class("-compact") else (12, 9)
        height = min(max(compared + 3, least), most) if compared > 1 else None
        if height != self._below_height:  # setting it lays all out again
            self._below_height = self.query_one("#below").styles.height = height
        if self.has_class("-comparing") is not (compared > 1):
            self.set_class(compared > 1, "-comparing")
            self.call_after_refresh(self.draw_anew)

    def lead(self) -> Chart | None:
        """Return the chart whose axis the keys move on."""
        return self.query_one(ChartPanels).lead()

    def draw_anew(self) -> None:
        """Draw everything again."""
        self._pace.forget()
        self.redraw()

    def _dials(self) -> str:
        detail = self.selection.detail
        parts = []
        for setting in keyed():
            value = detail.last(setting.dial.metric) if detail is not None else math.nan
            parts.append(f"{setting.dial.key} {number(value)}")
        return " ".join(parts)

    @changes_runs
    def action_turn(self, setting: str, turns: int) -> None:
        """Turn a live setting by key presses."""
        self.steering.turn(setting, turns)

    @changes_runs
    def action_auto(self) -> None:
        """Give k back to its rule."""
        self.steering.ask("rollout_length", "auto")

    @changes_runs
    def action_pause(self) -> None:
        """Pause, or resume what is paused."""
        self.steering.pause()

    @changes_runs
    def action_stop(self) -> None:
        """Stop the run once confirmed."""
        from workbench.screens.dialogs import ConfirmStop

        row = self.steering.steerable()
        if row is not None:
            self.app.push_screen(ConfirmStop(row), lambda yes: self.steering.act("stop") if yes else None)

    @changes_runs
    def action_edit(self) -> None:
        """Open a form for exact values."""
        from workbench.screens.dialogs import EditValues

        row = self.steering.steerable()
        if row is not None:
            ask = self.steering.set_values
            self.app.push_screen(EditValues(row), lambda values: ask(values, row.revision) if values else None)

    @changes_runs
    def action_fork(self) -> None:
        """Open the form for a fork of the run in focus."""
        self._with_config(self.services.open_fork_form)

    @changes_runs
    def action_what_if(self) -> None:
        """Open the form for a what-if of the run in focus."""
        self._with_config(self.services.open_what_if_form)

    def _with_config(self, open_form: Callable[[RunRow, RunDetail], None]) -> None:
        row, detail = self.steering.usable(), self.selection.detail
        if row is None:
            return
        if detail is None or not detail.config:
            self.services.say(tr("{name} has no config to read.", name=fitted(row.run_id, 40)), "warning")
        else:
            open_form(row, detail)

    @changes_runs
    def action_go_on(self) -> None:
        """Go on with the run in focus, where its learner is gone before the end."""
        self.steering.go_on()

    def action_mark(self) -> None:
        """Mark the run in focus for comparison, or take its mark off."""
        self.selection.mark()

    def action_mark_family(self) -> None:
        """Mark the run in focus and all its kin, or take off every mark."""
        self.selection.mark_family()

    def action_mark_shown(self) -> None:
        """Mark every run that the table lists, or take off every mark."""
        self.selection.mark_shown()

    def action_chart(self, name: str) -> None:
        """Show one chart alone; again, all of them."""
        self.query_one(ChartPanels).choose(name)

    def action_view(self, name: str) -> None:
        """Turn a chart's view."""
        self.query_one(ChartPanels).toggle(name)
        self.draw_anew()

    def action_turn_log(self) -> None:
        """Turn the y axes to log scale, and back."""
        if not self.query_one(ChartPanels).turn_log():
            self.services.say(tr("No chart here has values above 0 only, as a log axis needs."))
        self.draw_anew()

    def action_filter(self) -> None:
        """Let a person say which runs to list."""
        self.query_one(RunsPanel).ask()

    def action_sort(self) -> None:
        """List the runs by the next field."""
        self.query_one(RunsPanel).sort()

    def action_tour(self) -> None:
        """Begin the tour, or leave it."""
        self.toggle_class("-touring")
        self.draw_anew()

    def action_wide_table(self) -> None:
        """Give the table the whole width, or take it back."""
        self.toggle_class("-wide-table")
        self.call_after_refresh(self.redraw)  # what was hidden knows its width again

    @on(DialRow.Turned)
    async def _turned(self, event: DialRow.Turned) -> None:
        await self.run_action(f"turn({event.setting!r}, {event.turns})")
        self.query_one(RunsTable).focus()

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.id or "")
        self.query_one(RunsTable).focus()
