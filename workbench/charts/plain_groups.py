"""Say in plain sentences how groups of seeds do on the return chart, the most telling first. Pure functions."""

from __future__ import annotations

import math

from mbpo.settings.language import tr
from workbench.charts.grouped import mark_of
from workbench.charts.plain_words import Sentences
from workbench.format import number, whole
from workbench.groups_side_by_side import GroupCompared, GroupComparison


def said_of_groups(comparison: GroupComparison) -> Sentences:
    """Say what one group returns, or which of several leads and how sure that is."""
    known = [group for group in comparison.groups if math.isfinite(group.score.iqm)]
    if len(comparison.groups) == 1 and known:
        return _alone(known[0])
    ranked = sorted(known, key=lambda group: -group.score.iqm)
    if len(ranked) < 2 or ranked[0].score.at != ranked[1].score.at:
        return ()
    first, second = ranked[:2]
    told = tr("At {step}, {one} leads {other}.", step=whole(first.score.at), one=_figure(first), other=_figure(second))
    versus = comparison.better(first, second)
    if versus is None or math.isnan(versus.better):
        return (told,)
    low, high = versus.interval
    if low <= 0.5 <= high:
        return told, tr("These seeds cannot tell which is better.")
    names = {"one": mark_of(first), "other": mark_of(second)}
    return told, tr("A seed of {one} beats one of {other} in {share:.0%}.", **names, share=versus.better)


def _alone(group: GroupCompared) -> Sentences:
    score = group.score
    said = {"step": whole(score.at), "n": score.seeds, "iqm": number(score.iqm)}
    told = tr("At {step}, the middle half of {n} seeds returned {iqm}.", **said)
    low, high = score.band
    if not math.isfinite(low + high):
        return (told,)
    return told, tr("95 %: {low} to {high}.", low=number(low), high=number(high))


def _figure(group: GroupCompared) -> str:
    return f"{mark_of(group)} ({number(group.score.iqm)})"
