"""Draw what ``load_runs`` returned, in one line of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mbpo.comparison.bands import curve_of
from mbpo.comparison.picture_files import check_matplotlib, literal
from mbpo.comparison.plot import draw_curve, label_axes
from mbpo.comparison.runs import Curve
from mbpo.errors import ConfigError
from mbpo.settings.setting import nearest, shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

OF_A_RUN = ("run", "env_id", "seq", "env_steps", "time_s")  # columns that are needed besides


def plot_runs(
    frame: pd.DataFrame,
    y: str = "eval/return_mean",
    hue: str | Sequence[str] = "preset",
    *,
    x: Literal["env_steps", "time_s"] = "env_steps",
    ax: Axes | None = None,
    resamples: int = 2000,
) -> Axes:
    """Draw ``y`` over env steps: a line per group of runs, with a band; return matplotlib's axes.

    ``plot_runs(load_runs("runs/**"), hue="algo")``. The line is the interquartile mean (IQM) over the group's runs, the
    band its 95 % bootstrap interval, of ``resamples`` draws; one run has none. A value holds until the run's next one,
    and the line is dotted where some of the group's runs have no value or have ended.

    ``frame``: rows of :func:`mbpo.runs.load_runs`, all or those that you chose, of one environment.
    ``y``: a metric's column, in the metric's unit; returns are undiscounted sums of rewards.
    ``hue``: a column, or several, whose values make the groups; runs of a group should differ in their seed only.
    ``x``: env steps, or wall seconds since the run began.
    ``ax``: where to draw, else a new figure.

    Raises:
        ConfigError: matplotlib is not installed, a column is not there or empty, or runs cannot be told apart.
    """
    check_matplotlib("plot_runs")
    columns = [hue] if isinstance(hue, str) else list(hue)
    for name in (y, x, *columns, *OF_A_RUN):
        if name not in frame.columns:
            raise ConfigError(f"the frame has no column {shown(str(name))}{nearest(str(name), list(frame.columns))}")
    groups = {label: curves for label, curves in _groups(frame, y, columns).items() if curves}
    if not groups:
        raise ConfigError(f"expected at least one value of {shown(y)}, but no row of the frame has one")
    environments = list(dict.fromkeys(frame["env_id"]))
    if len(environments) > 1 and "env_id" not in columns:
        raise ConfigError(
            f"the frame has runs of {len(environments)} environments, whose returns do not compare: "
            f'frame[frame.env_id == "{shown(str(environments[0]))}"], or hue=["env_id", ...]'
        )
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=(7.6, 4.4), layout="constrained")[1]
    for index, (label, curves) in enumerate(groups.items()):
        runs = f"{len(curves)} run" + "s" * (len(curves) > 1)
        draw_curve(ax, curve_of(curves, x, resamples), f"{label} ({runs})", x, f"C{index % 10}")
    label_axes(ax, ", ".join(map(str, environments)), x, y, literal(", ".join(columns)))
    return ax


def _groups(frame: pd.DataFrame, y: str, columns: list[str]) -> dict[str, list[Curve]]:
    """Return the curves of each group by its name, in the order of the frame."""
    found: dict[str, list[Curve]] = {}
    for values, rows in frame.groupby(columns, sort=False, dropna=False):
        name = " ".join(str(value) for value in values)
        curves = (_curve(run, part, y) for run, part in rows.groupby("run", sort=False))
        found.setdefault(name, []).extend(curve for curve in curves if curve.values.size)
    return found


def _curve(run: Any, rows: pd.DataFrame, y: str) -> Curve:
    """Return ``y`` of one run where it has a finite value, of one env step the newest."""
    if rows["seq"].duplicated().any():
        raise ConfigError(
            f"several runs of the frame are called {shown(str(run))} and cannot be told apart; load them one by one"
        )
    rows = rows.sort_values("seq")
    known = rows[np.isfinite(rows[y].to_numpy(float))].drop_duplicates("env_steps", keep="last")
    steps, times, values = (known[name].to_numpy(float) for name in ("env_steps", "time_s", y))
    ends = float(rows["env_steps"].max()), float(rows["time_s"].max())
    return Curve(steps, times, values, *ends, without_value=len(rows) - len(known))
