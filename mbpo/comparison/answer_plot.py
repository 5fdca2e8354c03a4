"""Draw the answer to a what-if: the paired differences of every arm, a dot for each repeat, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mbpo.comparison.answer import Answer
from mbpo.comparison.arm_figures import ArmFigure
from mbpo.comparison.picture_files import check_matplotlib, literal, new_figure, save_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARM_INCHES = 0.5


def write_answer_png(path: Path, found: Answer, title: str, end: int) -> None:
    """Draw a column for each score and a row for each arm but the first, which is the zero line.

    Raises:
        ConfigError: there is no matplotlib, or the file cannot be written.
    """
    check_matplotlib(path.name)
    others = len(found.final) - 1
    figure = new_figure(9.2, 1.8 + ARM_INCHES * others)
    axes = figure.subplots(1, 2, sharey=True)
    figure.suptitle(literal(title), fontsize=10)
    _draw(axes[0], found.final, f"at env step {end:,}")
    _draw(axes[1], found.on_the_way, "mean of the evaluations on the way")
    save_pictures(figure, {"png": path})


def _draw(ax: Axes, figures: Sequence[ArmFigure], score: str) -> None:
    first, *others = figures
    for row, figure in enumerate(others):
        color = f"C{row % 10}"
        values = list(figure.differences.values())
        ax.plot(values, [row] * len(values), "o", color=color, markersize=4, alpha=0.5)
        ax.plot(figure.interval, [row, row], color=color, linewidth=2)
        ax.plot([figure.difference], [row], "|", color=color, markersize=16, markeredgewidth=2)
    ax.axvline(0, color="0.4", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(others)), [literal(figure.arm) for figure in others])
    ax.set_ylim(len(others) - 0.5, -0.5)
    ax.set_title(score, fontsize=10)
    ax.set_xlabel(f"over {first.arm}, 95 % interval")
    ax.grid(axis="x", alpha=0.3)
