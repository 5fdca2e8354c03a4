"""Say in plain sentences how the runs compared differ on a chart, the most telling first. Pure functions."""

from __future__ import annotations

import math

from mbpo.settings.language import tr
from workbench.charts.overlay import Overlay, mark_of
from workbench.charts.plain_words import Sentences
from workbench.format import number, whole
from workbench.side_by_side import Compared


def returns_compared(overlay: Overlay) -> Sentences:
    """Say who leads at the last env step at which all were evaluated, the one that is fair to compare."""
    comparison = overlay.comparison
    step = comparison.common_step
    if math.isnan(step):
        return (tr("They have no evaluation at the same env step yet."),)
    at = {run: run.evaluation_at(step) for run in comparison.runs}
    first, second, *_ = sorted(at, key=lambda run: -at[run][0])
    led = tr("{first} leads {second}", first=_figure(first, at[first][0]), second=_figure(second, at[second][0]))
    near = at[first][0] - at[second][0] < math.hypot(at[first][1], at[second][1])
    told = tr("At {step}, where all were evaluated, {led}.", step=whole(step), led=led)
    return told, *((tr("Single episodes differ more than that."),) if near else ())


def least_and_most(overlay: Overlay, key: str, said: str) -> Sentences:
    """Say, with ``{low}`` and ``{high}`` in ``said``, of which runs the newest value is the least and the most."""
    newest = {run: run.detail.last(key) for run in overlay.comparison.runs}
    known = sorted((run for run in newest if math.isfinite(newest[run])), key=lambda run: newest[run])
    if len(known) < 2:
        return ()
    low, high = known[0], known[-1]
    if number(newest[low]) == number(newest[high]):
        return (tr("The same for all: {newest}.", newest=number(newest[low])),)
    return (said.format(low=_figure(low, newest[low]), high=_figure(high, newest[high])),)


def _figure(run: Compared, value: float) -> str:
    return f"{mark_of(run)} ({number(value)})"
