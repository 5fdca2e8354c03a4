"""Declare the workbench's keys; each has an id, so that a keymap can move it."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding

from mbpo.settings.language import tr
from workbench.charts.table import CHARTS, toggles
from workbench.dials import keyed, short, turns
from workbench.screens.chart_keys import chart_keys

GROUPS = tr("fold runs that differ by their seed into groups, or not; enter or → unfolds one, ← folds it")
FILTER = tr("list only the runs that a filter lets through, as env=Hopper* and k>=5")
EVERYWHERE = [Binding("ctrl+q", "quit", tr("quit (runs go on)"), id="app.quit2", show=False, priority=True)]
PALETTE = Binding("ctrl+p", "command_palette", tr("palette"), id="app.palette", tooltip=tr("every command, by name"))
TURN_FIRST = (",minus", ",plus,equals_sign")  # turn the first dial too


def bench_keys() -> list[Binding]:
    """Return the keys in the order of the help; those of dials and charts come from their declarations."""
    return [
        Binding("n", "app.new_run", tr("new"), id="run.new", tooltip=tr("start a new run")),
        *_dial_keys(),
        Binding(
            "e", "edit", tr("edit"), id="run.edit", show=False, tooltip=tr("exact values of all that can change live")
        ),
        Binding("space", "pause", tr("pause"), id="run.pause", key_display="␣", tooltip=tr("pause, or resume")),
        Binding("s", "stop", tr("stop"), id="run.stop", tooltip=tr("stop the run, once confirmed")),
        Binding("f", "fork", tr("fork"), id="run.fork", tooltip=tr("fork the run: a new one from its checkpoint")),
        *_comparison_keys(),
        Binding(
            "t", "trust", tr("trust"), id="run.trust", tooltip=tr("how far to trust the model: what was measured of it")
        ),
        Binding(
            "w", "what_if", tr("what if"), id="run.what_if", tooltip=tr("what if: forks with other settings, compared")
        ),
        Binding(
            "g",
            "go_on",
            tr("go on"),
            id="run.resume",
            show=False,
            tooltip=tr("go on with a run that was lost, stopped or failed"),
        ),
        *_chart_keys(),
        Binding("slash", "filter", tr("filter"), id="runs.filter", key_display="/", tooltip=FILTER),
        Binding("o", "sort", tr("runs in another order: by evaluation, best, steps …"), id="runs.sort", show=False),
        Binding("O", "columns", tr("columns of the table: which, and in which order"), id="runs.columns", show=False),
        Binding("G", "group", GROUPS, id="runs.group", show=False),
        Binding("N", "about", tr("name, note and tags of the run"), id="run.about", show=False),
        Binding("A", "archive", tr("put the run away: listed no more, or again"), id="run.archive", show=False),
        Binding("D", "delete", tr("delete the run: into the trash, once confirmed"), id="run.delete", show=False),
        Binding("i", "info", tr("every setting of the run, and on what it runs"), id="run.info", show=False),
        Binding("M", "metrics", tr("every metric of the run, in pages"), id="run.metrics", show=False),
        Binding("Q", "app.queue", tr("queue: runs that wait, and what became of others"), id="queue.open", show=False),
        Binding("0", "wide_table", tr("runs in full width, or back"), id="runs.wide", show=False),
        Binding("x", "report", tr("write what is on screen as a report for a browser"), id="run.report", show=False),
        Binding("l", "app.log", tr("log"), id="run.log", show=False, tooltip=tr("the learner's log in full")),
        Binding("T", "tour", tr("a tour in five steps: solve Pendulum, fork it, compare"), id="app.tour", show=False),
        Binding("question_mark", "app.help", tr("help"), id="app.help", key_display="?"),
        Binding("q", "app.quit", tr("quit; runs go on"), id="app.quit", show=False),
    ]


def _dial_keys() -> Iterator[Binding]:
    for index, setting in enumerate(keyed()):
        name, key = short(setting), setting.dial.key
        down, up = turns(setting)
        more_down, more_up = TURN_FIRST if index == 0 else ("", "")
        yield Binding(
            key + more_down,
            f"turn('{setting.name}', -1)",
            name,
            id=f"{name}.down",
            key_display=f"{key}/{key.upper()}",
            tooltip=down,
        )
        yield Binding(key.upper() + more_up, f"turn('{setting.name}', 1)", up, id=f"{name}.up", show=False)
        if setting.name == "rollout_length":
            yield Binding("a", "auto", tr("k by its rule, k_policy"), id="k.auto", show=False)


def _comparison_keys() -> Iterator[Binding]:
    what = tr("mark the run's whole family of forks; where all are marked, take off every mark")
    yield Binding(
        "c", "mark", tr("compare"), id="compare.run", tooltip=tr("mark the run for comparison, or take its mark off")
    )
    yield Binding("C", "mark_family", what, id="compare.family", show=False)
    what = tr("mark every run that the table lists; where all are marked, take off every mark")
    yield Binding("asterisk,ctrl+a", "mark_shown", what, id="compare.listed", show=False)
    what = tr("what differs between the runs compared, in full")
    yield Binding("d", "differences", what, id="compare.differences", show=False)


def _chart_keys() -> Iterator[Binding]:
    for number, chart in enumerate(list(CHARTS.values())[:9], 1):
        yield Binding(str(number), f"chart('{chart.name}')", chart.help, id=f"chart.{chart.name}", show=False)
    for toggle in reversed([*toggles()]):
        yield Binding(toggle.key, f"view('{toggle.name}')", toggle.help, id=f"chart.{toggle.name}", show=False)
    what = tr("log y axis, and back, where all values are above 0")
    yield Binding("y", "turn_log", what, id="chart.log", show=False)
    yield from chart_keys()
    yield Binding("escape", "cursor_off", tr("the cursor off the charts"), id="view.off", show=False)
