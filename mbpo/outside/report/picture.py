"""Draw a chart with matplotlib, as PNG or SVG, for a paper or a slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbpo.comparison.picture_files import KINDS, check_matplotlib, literal, new_figure, save_pictures
from mbpo.errors import ConfigError
from mbpo.outside.report.chart import GREY, Chart, Line, letters_apart, y_limits
from mbpo.outside.report.safe import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dotdash": "-."}
MOST_NAMED = 12  # lines in a legend


def write_charts(folder: Path, charts: Sequence[Chart]) -> list[Path]:
    """Draw each chart as PNG and as SVG; return the files.

    Raises:
        ConfigError: there is no matplotlib, or a file cannot be written.
    """
    check_matplotlib("--charts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {folder}: {error.strerror}; give --charts a folder that can be made") from None
    written: list[Path] = []
    for chart in charts:
        files = {kind: folder / f"{chart.slug}.{kind}" for kind in KINDS}
        save_pictures(drawn(chart), files, "--charts")
        written += files.values()
    return written


def drawn(chart: Chart) -> Figure:
    """Return the picture of a chart."""
    figure = new_figure(7.6, 4.4)
    ax = figure.subplots()
    for line, up in zip(chart.lines, letters_apart(chart), strict=True):
        _draw(ax, line, up)
    for name, value in chart.levels.items():
        ax.axhline(value, color=GREY[0], linestyle="--", linewidth=1)
        ax.annotate(
            _text(name), (0.01, value), xycoords=("axes fraction", "data"), va="bottom", fontsize=8, color=GREY[0]
        )
    for mark in chart.marks:
        ax.axvline(mark.x, color=GREY[0], linestyle="--", linewidth=1)
        ax.annotate(
            str(mark.number or ""), (mark.x, 0.01), xycoords=("data", "axes fraction"), fontsize=8, color=GREY[0]
        )
    if chart.log:
        ax.set_yscale("log")
    if chart.whole:
        ax.locator_params(axis="y", integer=True)
    ax.set_ylim(*y_limits(chart))
    ax.set_title(_text(chart.title), fontsize=10)
    ax.set_xlabel(chart.x_label)
    ax.set_ylabel(_text(chart.y_label))
    ax.grid(alpha=0.3)
    if 0 < sum(not line.faint for line in chart.lines) <= MOST_NAMED:
        ax.legend(fontsize=8)
    return figure


def _draw(ax: Axes, line: Line, up: float) -> None:
    named: dict[str, Any] = {} if line.faint else {"label": _text(f"{line.letter} {line.name}".strip())}
    if line.dots:
        ax.plot(line.x, line.y, ".", color=line.ink, markersize=4, alpha=0.6, **named)
    else:
        look: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.35} if line.faint else {"linewidth": 1.6}
        look |= {"marker": "o", "markersize": 5} if line.x.size == 1 else {}
        style = "steps-post" if line.held else "default"
        ax.plot(line.x, line.y, DASHES[line.dash], color=line.ink, drawstyle=style, **look, **named)
    if line.low is not None and line.high is not None:
        width = 5 if line.x.size == 1 else 0  # a band of one point has none of its own
        ax.fill_between(line.x, line.low, line.high, color=line.ink, alpha=0.18, linewidth=width)
    if line.letter:
        end = line.x[-1], line.y[-1]
        ax.annotate(line.letter, end, xytext=(4, up), textcoords="offset points", va="center", color=line.ink)


def _text(text: str) -> str:
    return literal(str(readable(text)).replace("\n", " "))
