"""Write the answer to a what-if for other programs: everything that its table can be made from again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.comparison.answer import Answer
from mbpo.comparison.arm_figures import ArmFigure
from mbpo.comparison.fork_scores import METRIC, ForkScore

SCHEMA = 1


def answer_record(
    asked: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]], forks: Sequence[ForkScore], found: Answer
) -> dict[str, Any]:
    """Return what was asked, each arm's settings and figures, each fork's evaluations, and the verdict.

    null is a figure there is none of.
    """
    final = {figure.arm: figure for figure in found.final}
    way = {figure.arm: figure for figure in found.on_the_way}
    return {
        "schema": SCHEMA,
        **asked,
        "metric": METRIC,
        "verdict": found.verdict,
        "verdict_on_the_way": found.verdict_on_the_way,
        "arms": [
            {
                "arm": arm,
                "changes": dict(changes),
                "final": _plain(final[arm]),
                "on_the_way": _plain(way[arm]),
                "wall_s": _finite(found.wall_s[arm]),
                "forks": [_fork(fork) for fork in forks if fork.arm == arm],
            }
            for arm, changes in arms.items()
        ],
        "notes": list(found.notes),
    }


def _plain(figure: ArmFigure) -> dict[str, Any]:
    fields = {name: value for name, value in dataclasses.asdict(figure).items() if name != "arm"}
    fields["differences"] = [[repeat, value] for repeat, value in figure.differences.items()]
    fields["interval"] = [_finite(end) for end in figure.interval]
    return {name: _finite(value) for name, value in fields.items()}


def _fork(fork: ForkScore) -> dict[str, Any]:
    fields = {name: value for name, value in dataclasses.asdict(fork).items() if name != "arm"}
    return {name: _finite(value) for name, value in fields.items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
