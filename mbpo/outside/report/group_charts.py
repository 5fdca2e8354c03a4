"""Draw the charts of groups of runs: of each the interquartile mean of its seeds, and its band."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mbpo.comparison.bands import group_curve
from mbpo.comparison.chosen import counted
from mbpo.comparison.groups import Group
from mbpo.comparison.measure import union_grid
from mbpo.comparison.runs import Curve
from mbpo.outside.report.chart import Chart, Line, drawable, letter, styled, thinned
from mbpo.outside.report.in_force import curve_in_force

EVALUATION = "eval/return_mean"
RESAMPLES = 500  # for a band; the tables take more
MOST_POINTS = 150  # of a line; each one of a band costs a bootstrap
FAINT_POINTS = 100  # of a line for each run


@dataclass(frozen=True)
class Spec:
    """Describe a chart of one metric."""

    slug: str
    title: str
    says: str
    y_label: str
    metric: str
    log: bool = False
    held: bool = False
    from_zero: bool = False
    whole: bool = False


RETURNS = Spec(
    "returns",
    "Evaluations",
    "The interquartile mean of a group's seeds, which is the mean of their middle half, and its 95 % interval by "
    "bootstrap. Each thin line is a run.",
    "mean return",
    EVALUATION,
)
OTHERS = (
    Spec(
        "model-error",
        "Error of the model",
        "Mean squared error on rows collected since the last refit, before the model was trained on them.",
        "mean squared error",
        "model/new_data_mse",
        log=True,
    ),
    Spec(
        "horizon",
        "Horizon of the model",
        "Steps for which the model, left alone, errs less than one that expects no change.",
        "steps",
        "trust/horizon_steps",
        from_zero=True,
        whole=True,
    ),
    Spec(
        "epsilons",
        "ε_m' of the model",
        "The model's error as total variation, from 0 to 1, on episodes that it had not been trained on.",
        "total variation",
        "bound/eps_m_new",
        from_zero=True,
    ),
    Spec(
        "bound",
        "The bound",
        "C(k)/C(0) of Theorem 4.3 at the k in force: below 1 the theorem says that branched rollouts help. It is a "
        "worst case.",
        "C(k)/C(0)",
        "bound/c_ratio",
    ),
    Spec(
        "rollout-length",
        "k in force",
        "Imagined steps from each real state.",
        "steps",
        "rollout/length",
        held=True,
        from_zero=True,
        whole=True,
    ),
    Spec(
        "real-ratio",
        "real_ratio in force",
        "Share of real rows in each batch of the policy's updates.",
        "share",
        "mix/real_ratio",
        held=True,
        from_zero=True,
    ),
    Spec(
        "promises",
        "What the critics promise beyond what comes",
        "The discounted return that the critics promise at the start of an evaluation, less what came: above 0 they "
        "promise too much, below 0 too little.",
        "promised − came",
        "trust/q_bias",
    ),
)
METRICS = tuple(spec.metric for spec in OTHERS)


def returns_chart(groups: Sequence[Group], first: int, place: str, threshold: float | None) -> Chart:
    """Return the chart of evaluations, with a thin line for each run."""
    levels = {} if threshold is None else {"solved": threshold}
    chart = _chart(RETURNS, groups, first, place, levels)
    runs = [line for index, group in enumerate(groups, first) for line in _faint(group, index)]
    return replace(chart, lines=[*runs, *chart.lines])


def other_charts(groups: Sequence[Group], first: int, place: str) -> Iterator[Chart]:
    """Yield the charts of further metrics that some of the runs have."""
    for spec in OTHERS:
        known = [_of_metric(group, spec.metric) for group in groups]
        if any(group is not None for group in known):
            yield _chart(spec, known, first, place, {"no rollouts": 1.0} if spec.slug == "bound" else {})


def group_name(group: Group, index: int) -> str:
    """Return how a table names a group."""
    return f"{letter(index)}: {_seeds(group)}"


def _seeds(group: Group) -> str:
    return f"{group.name} ({counted(len(group.runs), 'seed')})"


def _chart(spec: Spec, groups: Sequence[Group | None], first: int, place: str, levels: Mapping[str, float]) -> Chart:
    lines = [_line(group, index, spec) for index, group in enumerate(groups, first) if group is not None]
    slug = f"{spec.slug}{place}"
    chart = Chart(
        slug,
        spec.title,
        spec.says,
        spec.y_label,
        lines,
        levels=levels,
        log=spec.log,
        axis=place,
        from_zero=spec.from_zero,
        whole=spec.whole,
    )
    return drawable(chart, MOST_POINTS)


def _line(group: Group, index: int, spec: Spec) -> Line:
    curve = group_curve(group, "env_steps", RESAMPLES, MOST_POINTS)
    thin = union_grid([run.curve for run in group.runs], "env_steps").size > MOST_POINTS
    ink, dash = styled(index)
    line = Line(
        f"group:{index}",
        _seeds(group),
        curve.x,
        curve.iqm,
        ink=ink,
        dash=dash,
        letter=letter(index),
        held=spec.held,
        thin=thin,
    )
    return replace(line, low=curve.low, high=curve.high) if np.isfinite(curve.low).any() else line


def _faint(group: Group, index: int) -> Iterator[Line]:
    if len(group.runs) > 1:
        ink, dash = styled(index)
        for run in group.runs:
            curve = run.curve
            line = Line(f"group:{index}", run.name, curve.env_steps, curve.values, ink=ink, dash=dash, faint=True)
            yield thinned(line, FAINT_POINTS)


def _of_metric(group: Group, metric: str) -> Group | None:
    """Return the group with the curves of another metric; None where no run has it."""
    curves: list[Curve] = [curve_in_force(run, metric) for run in group.runs]
    runs = [replace(run, curve=curve) for run, curve in zip(group.runs, curves, strict=True) if curve.values.size]
    return replace(group, runs=tuple(runs)) if runs else None
