"""Draw the charts of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mbpo.outside.report.chart import DASHES, INKS, Chart, Line, Mark, drawable
from mbpo.outside.report.run_facts import RunFacts
from mbpo.runs.solved import solved_words
from mbpo.settings.numbers import short

MOST_POINTS = 1000  # of a line
SKY, ORANGE, GREEN, OLIVE, RED, PURPLE, BLUE, WINE = (light for light, _ in INKS)


@dataclass(frozen=True)
class Drawn:
    """Say which metric becomes which line of a chart."""

    key: str
    name: str
    ink: str
    dash: str = DASHES[0]
    band: tuple[str, str] = ("", "")  # metrics of both ends of its band
    spread: str = ""  # the metric of what the band is on either side
    held: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Spec:
    """Describe a chart of metrics."""

    slug: str
    title: str
    says: str
    y_label: str
    drawn: Sequence[Drawn]
    log: bool = False
    levels: Mapping[str, float] | None = None
    from_zero: bool = False
    whole: bool = False


RETURNS = Spec(
    "returns",
    "Episodes and evaluations",
    "An evaluation is the mean return of the policy without its noise; its band is one standard deviation of its "
    "episodes to either side. Each dot is an episode of training.",
    "return",
    (
        Drawn("episode/return", "training episodes", ORANGE, dots=True),
        Drawn("eval/return_mean", "evaluations", SKY, spread="eval/return_std"),
    ),
)
MODEL = (
    Spec(
        "model-error",
        "Error of the model",
        "Mean squared error of the next state and the reward, each in units of its spread: on rows held out for good, "
        "and on rows collected since the last refit, before the model was trained on them.",
        "mean squared error",
        (
            Drawn("model/holdout_mse", "on held-out rows", SKY),
            Drawn("model/new_data_mse", "on new rows", ORANGE, DASHES[1]),
        ),
        log=True,
    ),
    Spec(
        "error-by-steps",
        "Error of the model left alone",
        "How far the state is off after so many imagined steps from a real one, in units of its spread.",
        "error [spread of the state]",
        tuple(
            Drawn(f"trust/error_{n}", f"after {n} step" + "s" * (n > 1), ink, dash)
            for n, ink, dash in zip((1, 5, 10, 20), (SKY, GREEN, ORANGE, RED), DASHES, strict=True)
        ),
        log=True,
    ),
)
TRUST = (
    Spec(
        "bound",
        "The bound",
        "C(k)/C(0) of Theorem 4.3 at the k in force: below 1 the theorem says that branched rollouts help. It is a "
        "worst case.",
        "C(k)/C(0)",
        (Drawn("bound/c_ratio", "C(k)/C(0)", SKY),),
        levels={"no rollouts": 1.0},
    ),
    Spec(
        "rollout-length",
        "How far is imagined",
        "k, the imagined steps from each real state, beside the k* at which the theorem's bound is smallest (band: "
        "over resampled episodes) and the horizon up to which the model errs less than one that expects no change.",
        "steps",
        (
            Drawn("rollout/length", "k in force", SKY, held=True),
            Drawn("rollout/length_mean", "steps stored per state", GREEN, DASHES[2]),
            Drawn("bound/k_star", "k* of the theorem", ORANGE, DASHES[1], ("bound/k_star_low", "bound/k_star_high")),
            Drawn("trust/horizon_steps", "horizon of the model", PURPLE, DASHES[3]),
        ),
        from_zero=True,
        whole=True,
    ),
    Spec(
        "epsilons",
        "What the bound is made of",
        "ε_m is the model's error and ε_π how far the policy moved from the one that collected the data, both as total "
        "variation, from 0 to 1. ε_m' is measured on episodes that the model had not been trained on.",
        "total variation",
        (
            Drawn("bound/eps_m_new", "ε_m' on new episodes", SKY),
            Drawn("bound/eps_m", "ε_m on held-out rows", GREEN, DASHES[1]),
            Drawn("bound/eps_pi", "ε_π of the policy", ORANGE, DASHES[2]),
        ),
        from_zero=True,
    ),
    Spec(
        "coverage",
        "Honesty of the model",
        "Share of what happened inside the model's own intervals: an honest model has 50 % inside its 50 % intervals.",
        "share of outcomes",
        (
            Drawn("trust/coverage_90", "inside 90 %", SKY),
            Drawn("trust/coverage_90_worst", "inside 90 %, worst target", RED, DASHES[2]),
            Drawn("trust/coverage_50", "inside 50 %", ORANGE, DASHES[1]),
        ),
        levels={"50 %": 0.5, "90 %": 0.9},
        from_zero=True,
    ),
    Spec(
        "promises",
        "What the critics promise",
        "The discounted return that the critics promise at the start of an evaluation, beside what came.",
        "discounted return",
        (Drawn("trust/q_mean", "promised", ORANGE, DASHES[1]), Drawn("trust/return_discounted", "came", SKY)),
    ),
)
LEARNING = (
    Spec(
        "real-ratio",
        "Share of real rows",
        "real_ratio, the share of real rows in each batch of the policy's updates: as set, and as drawn.",
        "share",
        (
            Drawn("mix/real_ratio", "real_ratio in force", SKY, held=True),
            Drawn("mix/real_ratio_measured", "as drawn", ORANGE, DASHES[2]),
        ),
        from_zero=True,
    ),
    Spec(
        "critics",
        "Loss of the critics",
        "The soft Bellman error of both critics.",
        "loss",
        (Drawn("sac/critic_loss", "critics", SKY),),
        log=True,
    ),
    Spec(
        "entropy",
        "Entropy of the policy",
        "How random the policy's actions are.",
        "entropy [nats]",
        (Drawn("sac/entropy", "entropy", SKY),),
    ),
    Spec(
        "temperature",
        "Temperature of the policy",
        "α, the weight of entropy beside return, which holds the entropy at its target.",
        "temperature α",
        (Drawn("sac/alpha", "α", ORANGE),),
    ),
)


def returns_chart(facts: RunFacts) -> Chart:
    """Return the chart of returns, with the threshold and the best evaluation."""
    chart = _chart(facts, RETURNS)
    threshold = facts.status.threshold
    return replace(
        chart,
        says=" ".join(filter(None, (_result(facts), chart.says))),
        levels={"solved": threshold} if threshold is not None else {},
    )


def run_charts(facts: RunFacts, specs: Sequence[Spec]) -> Iterator[Chart]:
    """Yield those charts that have something to show."""
    return (chart for chart in (_chart(facts, spec) for spec in specs) if chart.lines)


def marks_of(facts: RunFacts) -> list[Mark]:
    """Return where settings were changed by hand, numbered as the table of changes is."""
    return [
        Mark(change.at, number, f"{number}: {said_of(change.new)}") for number, change in enumerate(facts.changes, 1)
    ]


def said_of(settings: Mapping[str, object]) -> str:
    """Return settings as name = value."""
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def _chart(facts: RunFacts, spec: Spec) -> Chart:
    lines = [_line(facts, spec, drawn) for drawn in spec.drawn if facts.has(drawn.key)]
    chart = Chart(
        spec.slug,
        spec.title,
        spec.says,
        spec.y_label,
        lines,
        marks=marks_of(facts),
        levels=spec.levels or {},
        log=spec.log,
        from_zero=spec.from_zero,
        whole=spec.whole,
    )
    return drawable(chart, MOST_POINTS)


def _line(facts: RunFacts, spec: Spec, drawn: Drawn) -> Line:
    x, y = facts.in_force(drawn.key) if drawn.held else facts.points(drawn.key)
    low, high = (_at(facts, key, x) for key in drawn.band)
    if drawn.spread:
        spread = _at(facts, drawn.spread, x)
        low, high = (None, None) if spread is None else (y - spread, y + spread)
    look = {"ink": drawn.ink, "dash": drawn.dash, "held": drawn.held, "dots": drawn.dots}
    return Line(f"{spec.slug}:{drawn.key}", drawn.name, x, y, low, high, **look)  # type: ignore[arg-type]


def _at(facts: RunFacts, key: str, x: np.ndarray) -> np.ndarray | None:
    """Return another metric where one has values; NaN where it has none, None where it has none at all."""
    if not key or not facts.has(key):
        return None
    known = dict(zip(*facts.points(key), strict=True))
    return np.array([known.get(step, np.nan) for step in x])


def _result(facts: RunFacts) -> str:
    steps, values = facts.points("eval/return_mean")
    if not values.size:
        return "It has not been evaluated yet."
    best = int(np.argmax(values))
    said = f"The newest evaluation is {short(values[-1], 4)} at {steps[-1]:,.0f} env steps"
    if best != values.size - 1:
        said += f", the best was {short(values[best], 4)} at {steps[best]:,.0f}"
    solved = solved_words(facts.status.threshold, facts.status.solved_at)
    return f"{said}; {solved}." if solved else f"{said}."
