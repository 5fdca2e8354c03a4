"""Declare the workbench's keys; each has an id, so that a keymap can move it."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BENCH_KEYS: list[BindingType] = [
    Binding("n", "new_run", "new", id="run.new", tooltip="start a new run"),
    Binding("k,minus", "nudge('rollout_length', -1)", "k", id="k.down", key_display="k/K", tooltip="k one shorter"),
    Binding("K,plus,equals_sign", "nudge('rollout_length', 1)", "k one longer", id="k.up", show=False),
    Binding("a", "auto", "k by its schedule", id="k.auto", show=False),
    Binding(
        "r",
        "nudge('real_ratio', -1)",
        "ratio",
        id="ratio.down",
        key_display="r/R",
        tooltip="less real data in each batch",
    ),
    Binding("R", "nudge('real_ratio', 1)", "more real data in each batch", id="ratio.up", show=False),
    Binding("e", "edit", "edit", id="run.edit", show=False, tooltip="exact values of all that can change live"),
    Binding("space", "pause", "pause", id="run.pause", tooltip="pause, or resume"),
    Binding("s", "stop", "stop", id="run.stop", tooltip="stop the run, once confirmed"),
    Binding("f", "fork", "fork", id="run.fork", tooltip="fork the run: a new one from its checkpoint"),
    Binding("c", "compare", "compare", id="compare.run", tooltip="mark the run for comparison, or take its mark off"),
    Binding(
        "C",
        "compare_family",
        "mark the run's whole family of forks; where all are marked, take off every mark",
        id="compare.family",
        show=False,
    ),
    Binding(
        "d", "differences", "what differs between the runs compared, in full", id="compare.differences", show=False
    ),
    Binding(
        "g", "resume", "go on", id="run.resume", show=False, tooltip="go on with a run that was lost, stopped or failed"
    ),
    Binding("1", "chart(1)", "chart", id="chart.return", show=False, tooltip="chart of returns alone; again for all"),
    Binding("2", "chart(2)", "chart of the bound", id="chart.bound", show=False),
    Binding("3", "chart(3)", "chart of the model's error", id="chart.error", show=False),
    Binding("4", "chart(4)", "chart of k and real_ratio", id="chart.mix", show=False),
    Binding("v", "squared", "model error as MSE, or total variation", id="chart.view", show=False),
    Binding("m", "smooth", "smoothing on or off", id="chart.smooth", show=False),
    Binding("0", "wide_table", "runs in full width, or back", id="runs.wide", show=False),
    Binding("l", "log", "log", id="run.log", show=False, tooltip="the learner's log in full"),
    Binding("question_mark", "help", "help", id="app.help", key_display="?"),
    Binding("q", "app.quit", "quit; runs go on", id="app.quit", show=False),
]
