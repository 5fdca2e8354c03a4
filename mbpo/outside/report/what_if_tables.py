"""Show the answers to what was asked of a run by what-ifs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mbpo.errors import RecordError
from mbpo.outside.report.page import Section, Table
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.what_if import Answered, ArmAnswer, ArmScore, read_answered
from mbpo.runs.what_ifs import ANSWERED, WhatIfReader
from mbpo.settings.numbers import short

MOST_ANSWERS = 10
HEADS = ("arm", "repeats", "mean ± std", "difference [95 %]", "P(best)")


def what_if_sections(run: RunPaths) -> Iterator[Section]:
    """Yield a section for each answer, the newest first."""
    found = WhatIfReader(run.root).poll()
    if found.fault:
        yield Section("What if", [found.fault])
    if found.answer is not None:
        yield _section(found.answer)
    for folder in found.older[: MOST_ANSWERS - 1]:
        if (older := _answer(folder)) is not None:
            yield _section(older)


def _answer(folder: Path) -> Answered | None:
    try:
        return read_answered(folder / ANSWERED)
    except RecordError:
        return None


def _section(answer: Answered) -> Section:
    says = [
        f"Asked from env step {answer.step:,} on, for {answer.steps:,} env steps: {answer.metric} at the end of forks "
        "that share their luck. Differences are to the first arm, repeat by repeat.",
        f"The verdict: {answer.verdict}.",
    ]
    if answer.verdict_on_the_way and answer.verdict_on_the_way != answer.verdict:
        says.append(f"By the mean of the evaluations on the way: {answer.verdict_on_the_way}.")
    rows = [_row(arm) for arm in answer.arms]
    return Section(
        f"What if, from env step {answer.step:,} on",
        [*says, *answer.notes],
        [Table(HEADS, rows, frozenset({1, 2, 3, 4}))],
    )


def _row(arm: ArmAnswer) -> tuple[str, ...]:
    score = arm.final
    return (
        arm.arm,
        f"{score.repeats} of {score.of}" if score.repeats != score.of else str(score.of),
        _with_spread(score),
        _difference(score),
        "—" if score.best is None else f"{score.best:.2f}",
    )


def _with_spread(score: ArmScore) -> str:
    if score.mean is None:
        return "—"
    return short(score.mean, 4) + (f" ± {short(score.std)}" if score.std is not None else "")


def _difference(score: ArmScore) -> str:
    if score.difference is None:
        return "—"
    low, high = score.interval
    told = f" [{short(low)}, {short(high)}]" if low is not None and high is not None else ""
    return f"{score.difference:+,.4g}{told}"
