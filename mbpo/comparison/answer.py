"""Answer a what-if: the figures of every arm, and in one sentence which was best or why that cannot be told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mbpo.comparison.arm_figures import ArmFigure, figures
from mbpo.comparison.fork_scores import ForkScore
from mbpo.comparison.table import shown_number, with_interval
from mbpo.runs.records.what_if import UNTOLD

SURE = 0.8  # P(best) from which an arm is called the best


@dataclass(frozen=True)
class Answer:
    """Hold what a what-if found."""

    final: tuple[ArmFigure, ...]  # by the evaluation at the end
    on_the_way: tuple[ArmFigure, ...]  # by the mean of all evaluations
    wall_s: Mapping[str, float]  # of a fork of each arm, mean
    verdict: str  # by the final score
    verdict_on_the_way: str
    notes: tuple[str, ...]


def answer(arms: Sequence[str], forks: Sequence[ForkScore], repeats: int) -> Answer:
    """Return how the arms did against the first of them."""
    scored = {arm: [fork for fork in forks if fork.arm == arm and fork.scored] for arm in arms}
    final = figures({arm: {f.repeat: f.final for f in own} for arm, own in scored.items()}, repeats)
    way = figures({arm: {f.repeat: f.on_the_way for f in own} for arm, own in scored.items()}, repeats)
    wall_s = {arm: sum(f.wall_s for f in own) / len(own) if own else math.nan for arm, own in scored.items()}
    return Answer(final, way, wall_s, verdict(final), verdict(way), tuple(_notes(arms, forks)))


def verdict(found: Sequence[ArmFigure]) -> str:
    """Return in one sentence which arm was best, or why that cannot be told; the first is what was in force."""
    first, scored = found[0], [figure for figure in found if figure.repeats]
    if not first.repeats or len(scored) < 2:
        lacking = first if not first.repeats else next(figure for figure in found if not figure.repeats)
        return f"{UNTOLD}: no fork of {lacking.arm} came to its end"
    if math.isnan(first.best):
        return f"{UNTOLD}: one repeat has no interval; give more --repeats"
    if all(figure.interval == (0.0, 0.0) for figure in scored[1:]):
        return "no difference: every arm did the same"
    leader = max(scored, key=lambda figure: (figure.best, figure.mean))
    if leader is first:
        return _first_leads(first, scored[1:])
    said = f"{over(leader)} over {first.arm}, P(best) {leader.best:.2f}"
    if not leader.interval.low > 0:
        return f"{UNTOLD}: {leader.arm} leads, {said}; more --repeats or --steps may tell"
    if leader.best >= SURE:
        return f"{leader.arm} was best here: {said}"
    rival = max((figure for figure in scored if figure is not leader), key=lambda figure: figure.best)
    return (
        f"{leader.arm} was better than {first.arm} here: {said}; "
        f"whether it is best cannot be told: {rival.arm} has P(best) {rival.best:.2f}"
    )


def over(figure: ArmFigure) -> str:
    """Return the difference to the first arm, with its sign and interval."""
    sign = "+" if figure.difference > 0 else ""
    return with_interval(sign + shown_number(figure.difference), figure.interval)


def _first_leads(first: ArmFigure, others: Sequence[ArmFigure]) -> str:
    nearest = max(others, key=lambda figure: figure.difference)
    said = f"P(best) {first.best:.2f}; {nearest.arm}, the nearest, differs by {over(nearest)}"
    if all(figure.interval.high < 0 for figure in others) and first.best >= SURE:
        return f"{first.arm} was best here, {said}"
    return f"{UNTOLD}: {first.arm} leads, {said}; more --repeats or --steps may tell"


def _notes(arms: Sequence[str], forks: Sequence[ForkScore]) -> Iterator[str]:
    """Say which arms lack repeats and how these ended, and what else is to be known of the forks."""
    for arm in arms:
        own = [fork for fork in forks if fork.arm == arm]
        lacking = [fork for fork in own if not fork.scored]
        if lacking:
            ends = ", ".join(dict.fromkeys(fork.state for fork in lacking))
            yield f"{arm}: {len(lacking)} of {len(own)} forks {ends}, without a score"
    for remark in dict.fromkeys(remark for fork in forks for remark in fork.remarks):
        yield f"{sum(remark in fork.remarks for fork in forks)} of {len(forks)} forks {remark}"
    commits = {str(fork.git_commit)[:7] for fork in forks if fork.run_dir}
    if len(commits) > 1:
        yield f"the forks are of different commits: {', '.join(sorted(commits))}"
