"""Draw curves of groups into a PNG. matplotlib is optional and is imported on use only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mbpo.comparison.figures import Axis, Figures, Question
from mbpo.comparison.groups import Group
from mbpo.comparison.measure import aligned, bootstrap_rng, union_grid
from mbpo.comparison.statistics import iqm, iqm_interval
from mbpo.errors import ConfigError
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_POINTS = 200  # of a line; each one of a band costs a bootstrap
AXIS_LABELS: dict[Axis, str] = {"env_steps": "env steps", "time_s": "wall time [s]"}


def check_matplotlib(wants: str = "--png") -> None:
    """Find out now, before the work, whether there is something to draw with for what ``wants`` it.

    Raises:
        ConfigError: matplotlib is not installed, or refuses MPLBACKEND.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError(f"{wants} needs matplotlib: {install_command('matplotlib')}") from None
    except ValueError:
        backend = shown(os.environ.get("MPLBACKEND", ""))
        raise ConfigError(f"{wants} needs matplotlib, and that knows no MPLBACKEND {backend}; unset it") from None


def write_png(path: Path, all_figures: Sequence[Figures], question: Question) -> None:
    """Draw a row per environment and a column per axis.

    Raises:
        ConfigError: the file cannot be written.
    """
    rows, columns = len(all_figures), len(question.axes)
    figure = new_figure(7.6 * columns, 4.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, figures in enumerate(all_figures):
        for column, by in enumerate(question.axes):
            _draw(axes[row, column], figures, by, question)
    save_png(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, to be saved whatever MPLBACKEND says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write ``figure``.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; give --png a file in a folder that exists") from None


def literal(text: str) -> str:
    """Return ``text`` so that matplotlib sees no formula in it."""
    return text.replace("$", r"\$")


def _draw(ax: Axes, figures: Figures, by: Axis, question: Question) -> None:
    for index, group in enumerate(figures.groups):
        _draw_group(ax, group, by, question, f"C{index % 10}")
    if question.threshold is not None:
        ax.axhline(question.threshold, color="0.4", linestyle="--", linewidth=1)
    ax.set_title(f"{literal(figures.env_id)}: interquartile mean of seeds, band: its 95 % interval", fontsize=10)
    ax.set_xlabel(AXIS_LABELS[by])
    ax.set_ylabel(question.metric)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)


def _draw_group(ax: Axes, group: Group, by: Axis, question: Question, color: str) -> None:
    """Draw a line that is solid where every seed of the group is there and dotted elsewhere."""
    grid = union_grid(group.runs, by)
    if grid.size > MAX_POINTS:
        grid = grid[np.linspace(0, grid.size - 1, MAX_POINTS).round().astype(int)]
    values = aligned(group.runs, by, grid)
    there = np.isfinite(values)
    known = [column[here] for column, here in zip(values.T, there.T, strict=True)]
    middle = np.array([iqm(scores) if scores.size else np.nan for scores in known])
    band = np.array([iqm_interval([scores], bootstrap_rng(), question.resamples) for scores in known])
    seeds = f"{len(group.runs)} seed" + "s" * (len(group.runs) > 1)
    everyone = np.where(there.all(axis=0), middle, np.nan)
    label = literal(f"{group.name} ({seeds})")
    # Seeds are measured at other times each: a value holds until the next one.
    held = by == "time_s"
    style = "steps-post" if held else "default"
    ax.plot(grid, middle, color=color, linestyle=":", linewidth=1.2, drawstyle=style)
    ax.plot(grid, everyone, color=color, marker=".", markersize=4, label=label, drawstyle=style)
    ax.fill_between(grid, band[:, 0], band[:, 1], color=color, alpha=0.2, linewidth=0, step="post" if held else None)
