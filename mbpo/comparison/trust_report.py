"""Show how far a run's model can be trusted: as tables, JSON and a picture."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mbpo.comparison.picture_files import literal, new_figure, save_pictures
from mbpo.comparison.table import FigureTable, figures_console, shown_number
from mbpo.settings.stdout import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50)
TICKS = (0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)  # of an axis of steps; k is 1,000 at most
Points = tuple[list[float], list[float]]  # env steps, values


@dataclass(frozen=True)
class TrustReport:
    """Hold what is known of a run's model at an env step."""

    run: str
    env_steps: int
    rows: int  # real rows that it was scored on before it was trained on them
    episodes: int
    by_step: Sequence[Mapping[str, float]]  # of open loops; see mbpo.trust.scores.Measured.by_step
    by_target: Sequence[Mapping[str, float | str]]
    latest: Mapping[str, float | None]  # metrics, the newest up to there
    measured: Sequence[str]  # the verdict in words
    theorem: str
    history: Mapping[str, Points]  # metrics over env steps

    def as_json(self) -> str:
        """Return everything but the history, which metrics.jsonl has."""
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "history"}
        return json.dumps(_plain(content), allow_nan=False)


def print_report(report: TrustReport) -> None:
    """Print the tables and the verdict on stdout."""
    console = figures_console()
    where = f"{report.run} at env step {report.env_steps:,}"
    rows = f"{report.rows:,} real rows of {report.episodes} episodes, scored before they were trained on"
    _print_words(console, f"{where}: {rows}")
    console.print(_by_step(report))
    say("states in units of their spread, rewards summed; root mean squares")
    console.print(_by_target(report))
    for sentence in (*report.measured, report.theorem):
        _print_words(console, sentence)


def _print_words(console: Console, sentence: str) -> None:
    """Print a sentence, on a terminal broken between its words; in a pipe it stays one line."""
    console.print(Text(sentence), soft_wrap=not console.is_terminal)


def _by_step(report: TrustReport) -> FigureTable:
    steps = [row for row in report.by_step if row["step"] in SHOWN_STEPS or row is report.by_step[-1]]
    rows = [
        [
            f"{row['step']:.0f} step{'s' * (row['step'] > 1)}",
            shown_number(row["error"]),
            shown_number(row["no_model"]),
            f"{shown_number(row['reward'])} of {shown_number(row['real_reward'])}",
            f"{row['missed']:.1%}, {row['invented']:.1%}",
        ]
        for row in steps
    ]
    heads = ["left alone for", "state is off by", "mean change is off by", "reward off by", "ends missed, invented"]
    return FigureTable(heads, rows, names=(0,))


def _by_target(report: TrustReport) -> FigureTable:
    rows = [[str(row["target"]), f"{row['inside_50']:.1%}", f"{row['inside_90']:.1%}"] for row in report.by_target]
    return FigureTable(["of what happens to", "inside the 50 % interval", "inside the 90 %"], rows, names=(0,))


def draw_trust(files: Mapping[str, Path], report: TrustReport) -> None:
    """Draw error by horizon, intervals, the horizon and k over time, and what the critics promised.

    Raises:
        ConfigError: the file cannot be written.
    """
    figure = new_figure(13, 8)
    axes = figure.subplots(2, 2)
    _draw_by_step(axes[0, 0], report)
    _draw_by_target(axes[0, 1], report)
    lengths = {"trust/horizon_steps": "horizon", "rollout/length_mean": "k in use", "bound/k_star": "k* of the theorem"}
    _draw_history(axes[1, 0], report, lengths, "steps")
    scale_steps(axes[1, 0])
    promises = {"trust/q_mean": "promised by the critics", "trust/return_discounted": "came"}
    _draw_history(axes[1, 1], report, promises, "discounted return")
    figure.suptitle(literal(f"{report.run} at env step {report.env_steps:,}"))
    save_pictures(figure, files)


def scale_steps(ax: Axes) -> None:
    """Count steps one by one up to 10, and beyond by their logarithm; every tick is a number that is read."""
    top = max(1.0, float(ax.dataLim.y1)) if ax.has_data() else 1.0
    ax.set_yscale("symlog", linthresh=10)
    ax.set_ylim(-0.2, 1.2 * top)
    shown = [step for step in TICKS if step <= 1.2 * top]
    ax.set_yticks(shown, [f"{step:,}" for step in shown])
    ax.set_yticks([], minor=True)


def _draw_by_step(ax: Axes, report: TrustReport) -> None:
    steps = [row["step"] for row in report.by_step]
    for of, label, style in (("error", "the model", "-"), ("no_model", "mean change", "--")):
        ax.plot(steps, [row[of] for row in report.by_step], style, label=label)
    ax.set_xlabel("imagined steps")
    ax.set_ylabel("error of the state [its spread]")
    ax.set_yscale("log")
    ax.legend()
    ax.grid(alpha=0.3)


def _draw_by_target(ax: Axes, report: TrustReport) -> None:
    places = range(len(report.by_target))
    for share, mark in ((50, "o"), (90, "s")):
        ax.plot(places, [float(row[f"inside_{share}"]) for row in report.by_target], mark, label=f"inside {share} %")
        ax.axhline(share / 100, color="0.5", linewidth=1, linestyle=":")
    names = [str(row["target"]) for row in report.by_target]
    every = math.ceil(len(names) / 24)
    ax.set_xticks(list(places)[::every], names[::every], rotation=90, fontsize=7)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("share of outcomes")
    ax.legend()


def _draw_history(ax: Axes, report: TrustReport, labels: Mapping[str, str], unit: str) -> None:
    for key, label in labels.items():
        steps, values = report.history.get(key, ([], []))
        ax.plot(steps, values, marker=".", markersize=3, label=label)
    ax.set_xlabel("env steps")
    ax.set_ylabel(unit)
    ax.legend()
    ax.grid(alpha=0.3)


def _plain(value: Any) -> Any:
    """Return ``value`` for JSON: NaN is null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
