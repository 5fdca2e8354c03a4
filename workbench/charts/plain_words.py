"""Say in plain sentences what a chart shows of a run just now, the most telling first. Pure functions.

They are for those who see such charts for the first time. A panel says as many as it has room for: the first has to
fit into two lines of 36 characters.
"""

from __future__ import annotations

import math

import numpy as np

from mbpo.settings.language import tr, tr_n
from mbpo.trust.bound import gap_ratio
from workbench.charts.best_length import best_length_of
from workbench.charts.scene import Scene
from workbench.format import number, whole
from workbench.messages import Points
from workbench.series import Floats

Sentences = tuple[str, ...]
MOST_AVERAGED = 5  # evaluations, on either side of a comparison
LEAST_AVERAGED = 3
CLEAR = 2.0  # standard errors, from which on a difference is called one
ALIKE = 0.05  # up to this share more, two bounds are called as good as each other
WORSE = 0.5  # from this share more on, one error is called larger than another


def said_of_returns(scene: Scene) -> Sentences:
    """Say whether the task is solved, or where the evaluations are heading."""
    points = scene.detail.series.get("eval/return_mean")
    known = np.isfinite(points.y) if points is not None else np.zeros(0, dtype=bool)
    if points is None or not known.any():
        first = scene.detail.config.get("eval_every")
        comes = type(first) is int and scene.env_steps < first
        when = (tr("The first comes at env step {first:,}.", first=first),) if comes else ()
        return tr("No evaluation yet: episodes that explore return less."), *when
    if scene.solved_at is not None and scene.threshold is not None:
        since, reach = whole(scene.solved_at), number(scene.threshold)
        return (tr("Solved: all evaluations since {since} returned {reach} or more.", since=since, reach=reach),)
    return *_trend(points.x[known], points.y[known]), *_short_of(scene, float(points.y[known][-1]))


def _trend(steps: Floats, returns: Floats) -> Sentences:
    averaged = min(MOST_AVERAGED, len(returns) // 2)
    top = int(np.argmax(returns))
    best, at = number(float(returns[top])), whole(float(steps[top]))
    if averaged < LEAST_AVERAGED:
        return (tr("Too few evaluations for a trend; the best, {best}, was at {at}.", best=best, at=at),)
    best_was = tr("The best, {best}, was at {at}.", best=best, at=at)
    before, after = returns[-2 * averaged : -averaged], returns[-averaged:]
    gained = float(after.mean() - before.mean())
    error = math.sqrt(float(before.var(ddof=1) + after.var(ddof=1)) / averaged)
    by = number(abs(gained))
    if gained > CLEAR * error:
        return (tr("Rising: the last {n} evaluations are {by} above the {n} before.", n=averaged, by=by),)
    if gained < -CLEAR * error:
        return tr("Falling: the last {n} evaluations are {by} below the {n} before.", n=averaged, by=by), best_was
    return tr("Level: no clear change over the last {n} evaluations.", n=2 * averaged), best_was


def _short_of(scene: Scene, newest: float) -> Sentences:
    if scene.threshold is None or newest >= scene.threshold:
        return ()
    return (
        tr("{reach} solves it: {more} more.", reach=number(scene.threshold), more=number(scene.threshold - newest)),
    )


def said_of_bound(scene: Scene, gamma: float) -> Sentences:
    """Say what the worst case allows, beside the k in use."""
    rho, k, best = scene.detail.last("bound/rho"), scene.k, best_length_of(scene.detail)
    if not rho >= 0:
        return ()
    if best.why_not or not best.ends:
        return (tr("The worst case names no best k; measured trust, on t, says more."),)
    if best.ends[-1] == 0:
        return (
            tr("At worst every imagined step costs: ρ, {rho}, is above 1.", rho=number(rho)),
            tr("New states surprise the model more than the policy has changed."),
        )
    told = tr("At worst, k = {best} is best", best=best.words)
    if not math.isfinite(k):
        return (tr("{said}.", said=told),)
    more = gap_ratio(k, gamma, rho) / min(gap_ratio(end, gamma, rho) for end in best.ends) - 1
    if more < ALIKE:
        return (tr("{told}; k = {k}, in use, is about as good.", told=told, k=number(k)),)
    return (tr("{told}; k = {k}, in use, could cost {more:.0%} more.", told=told, k=number(k), more=more),)


def said_of_errors(held: Points | None, new: Points | None) -> Sentences:
    """Say how the model does on new data: beside data held out, and since its first refit."""
    if new is None or not math.isfinite(new.last):
        return () if held is None else (tr("Its error on new data, which counts, comes with the second refit."),)
    return *_beside(new.last, held.last if held is not None else math.nan), *_since(new.y[np.isfinite(new.y)])


def _beside(new: float, held: float) -> Sentences:
    if not held > 0:
        return (tr("On new states the model errs by {new}.", new=number(new)),)
    if new > (1 + WORSE) * held:
        times = number(new / held, 2)
        return tr("On new states it errs {times} times as much as on held-out ones.", times=times), tr(
            "The policy goes where it is new."
        )
    return (tr("On new states it errs about as much as on held-out ones."),)


def _since(errors: Floats) -> Sentences:
    if len(errors) < 2 or not errors[0] > 0:
        return ()
    return (tr("The error on new states is {errors:.0%} of the first.", errors=errors[-1] / errors[0]),)


def said_of_mix(scene: Scene) -> Sentences:
    """Say what SAC learns from: how much of it is real, and how long the rest was imagined."""
    detail = scene.detail
    if detail.config.get("algo") == "sac":
        return (tr("A sac run has no model: all that it learns from is real."),)
    share, length = detail.last("mix/real_ratio_measured"), detail.last("rollout/length_measured")
    if not math.isfinite(length):
        return ()
    asked = detail.last("rollout/length")
    shorter = asked > (1 + ALIKE) * length
    more = (tr("They were to be {k}: some ended before.", k=number(asked)),) if shorter else ()
    steps = tr_n("{steps} step long", "{steps} steps long", length, steps=number(length))
    if not 0 <= share <= 1:
        return tr("Rollouts are {steps}.", steps=steps), *more
    real = number(100 * share)
    return tr("SAC learns from {real} % real rows; rollouts are {steps}.", real=real, steps=steps), *more
