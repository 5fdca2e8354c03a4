"""Draw curves of groups into a picture. matplotlib is optional and is imported on use only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mbpo.comparison.bands import GroupCurve, group_curve
from mbpo.comparison.figures import Axis, Figures, Question
from mbpo.comparison.picture_files import literal, new_figure, save_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS_LABELS: dict[Axis, str] = {"env_steps": "env steps", "time_s": "wall time [s]"}


def draw_comparison(files: Mapping[str, Path], all_figures: Sequence[Figures], question: Question) -> None:
    """Draw a row per environment and a column per axis, into a file of each kind.

    Raises:
        ConfigError: the file cannot be written.
    """
    rows, columns = len(all_figures), len(question.axes)
    figure = new_figure(7.6 * columns, 4.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, figures in enumerate(all_figures):
        for column, by in enumerate(question.axes):
            _draw(axes[row, column], figures, by, question)
    save_pictures(figure, files)


def _draw(ax: Axes, figures: Figures, by: Axis, question: Question) -> None:
    for index, group in enumerate(figures.groups):
        curve = group_curve(group, by, question.resamples)
        seeds = f"{len(group.runs)} seed" + "s" * (len(group.runs) > 1)
        draw_curve(ax, curve, f"{group.name} ({seeds})", by, f"C{index % 10}")
    if question.threshold is not None:
        ax.axhline(question.threshold, color="0.4", linestyle="--", linewidth=1)
    label_axes(ax, figures.env_id, by, question.metric)


def label_axes(ax: Axes, title: str, by: Axis, metric: str, legend: str | None = None) -> None:
    """Say what :func:`draw_curve` drew."""
    ax.set_title(f"{literal(title)}: interquartile mean of seeds, band: its 95 % interval", fontsize=10)
    ax.set_xlabel(AXIS_LABELS[by])
    ax.set_ylabel(literal(metric))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, title=legend, title_fontsize=8)


def draw_curve(ax: Axes, curve: GroupCurve, label: str, by: Axis, color: str) -> None:
    """Draw a line that is solid where every seed of the group is there and dotted elsewhere."""
    everyone = np.where(curve.whole, curve.iqm, np.nan)
    # Seeds are measured at other times each: a value holds until the next one.
    held = by == "time_s"
    style: Literal["steps-post", "default"] = "steps-post" if held else "default"
    ax.plot(curve.x, curve.iqm, color=color, linestyle=":", linewidth=1.2, drawstyle=style)
    ax.plot(curve.x, everyone, color=color, marker=".", markersize=4, label=literal(label), drawstyle=style)
    ax.fill_between(curve.x, curve.low, curve.high, color=color, alpha=0.2, linewidth=0, step="post" if held else None)
