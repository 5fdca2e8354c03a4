"""Write the answer to a what-if for other programs: everything that its table can be made from again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.comparison.answer import Answer
from mbpo.comparison.arm_figures import ArmFigure
from mbpo.comparison.fork_scores import METRIC, ForkScore
from mbpo.runs.records.what_if import Answered, ArmAnswer, ArmScore, ForkEnd


def answer_record(
    asked: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]], forks: Sequence[ForkScore], found: Answer
) -> Answered:
    """Return what was asked, each arm's settings and figures, each fork's evaluations, and the verdict.

    ``asked`` has the fields of :class:`mbpo.runs.records.what_if.Asked`.
    """
    final = {figure.arm: figure for figure in found.final}
    way = {figure.arm: figure for figure in found.on_the_way}
    return Answered(
        **asked,
        metric=METRIC,
        verdict=found.verdict,
        verdict_on_the_way=found.verdict_on_the_way,
        arms=[
            ArmAnswer(
                arm=arm,
                changes=dict(changes),
                final=_score(final[arm]),
                on_the_way=_score(way[arm]),
                wall_s=_finite(found.wall_s[arm]),
                forks=[_end(fork) for fork in forks if fork.arm == arm],
            )
            for arm, changes in arms.items()
        ],
        notes=list(found.notes),
    )


def _score(figure: ArmFigure) -> ArmScore:
    fields = _fields(figure)
    fields["differences"] = list(figure.differences.items())
    fields["interval"] = tuple(_finite(end) for end in figure.interval)
    return ArmScore(**fields)


def _end(fork: ForkScore) -> ForkEnd:
    return ForkEnd(**_fields(fork))


def _fields(found: ArmFigure | ForkScore) -> dict[str, Any]:
    """Return all but the arm; None is a figure there is none of."""
    return {name: _finite(value) for name, value in dataclasses.asdict(found).items() if name != "arm"}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
