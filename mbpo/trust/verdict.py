"""Say in words what was measured of the model, and what the theorem says. No torch.

The two are kept apart: the theorem's k* follows from its bound, a worst case; the rest was measured on real rows that
the model had not been trained on.
"""

from __future__ import annotations

from collections.abc import Mapping

from mbpo.settings.language import tr, tr_n
from mbpo.settings.numbers import short
from mbpo.trust.bound import why_not_told

Latest = Mapping[str, float | None]  # the newest value under each metric key
BY_STEP = (1, 5, 10, 20)  # at which the error is a metric
HONEST = 0.05  # of a share of outcomes, up to which intervals are called right


def measured(latest: Latest) -> list[str]:
    """Return what was measured, a sentence each; nothing of what is not known yet."""
    return [said for said in (_horizon(latest), _intervals(latest), _critics(latest)) if said]


def theorem(latest: Latest) -> str:
    """Return what Theorem 4.3 says of k, as far as the data tells it."""
    error, low, high = (latest.get(f"bound/{key}") for key in ("eps_m_new", "k_star_low", "k_star_high"))
    if error is None:
        return tr("The theorem: nothing yet; ε_m' comes with the second refit.")
    gap, length = latest.get("bound/c_over_gap"), latest.get("rollout/length")
    if why := why_not_told(error, low, high):
        told = tr("The theorem: k* cannot be told, {why}", why=why)
    elif low == high:
        told = tr("The theorem: its bound is smallest at k* = {k:.0f}", k=low)
    else:
        told = tr("The theorem: its bound is smallest at k* = {low:.0f} to {high:.0f}", low=low, high=high)
    if gap is not None and gap >= 1 and length is not None:
        nothing = tr("At k = {k:.0f} it promises nothing: it allows a larger loss than there can be.", k=length)
        return tr("{told}. {more}", told=told, more=nothing)
    return tr("{said}.", said=told)


def error_at(latest: Latest, steps: float) -> float | None:
    """Return the state's error after so many imagined steps, in units of its spread, between the steps measured."""
    known = [(h, e) for h in BY_STEP if (e := latest.get(f"trust/error_{h}")) is not None]
    for (h, e), (after, worse) in zip([(0, 0.0), *known], known, strict=False):
        if h <= steps <= after:
            return e + (worse - e) * (steps - h) / (after - h)
    return None


def _horizon(latest: Latest) -> str:
    horizon, longest = latest.get("trust/horizon_steps"), latest.get("trust/horizon_longest")
    if horizon is None or not longest:
        return ""
    steps = tr_n("{n:.0f} step", "{n:.0f} steps", horizon)
    far = tr("{steps} or more", steps=steps) if horizon >= longest else steps
    said = tr("Left alone for {steps}, the model errs less than a guess by the mean change", steps=far)
    used = latest.get("rollout/length_mean")
    if used is None or (error := error_at(latest, used)) is None:
        return tr("{said}.", said=said)
    off = tr(
        "rollouts of length {used} are in use, where it is off by {error} of a state's spread",
        used=short(used),
        error=short(error, 2),
    )
    return tr("{said}; {more}.", said=said, more=off)


def _intervals(latest: Latest) -> str:
    share, worst = latest.get("trust/coverage_90"), latest.get("trust/coverage_90_worst")
    if share is None or worst is None:
        return ""
    which = latest.get("trust/coverage_90_worst_target")
    word = tr("honest")
    if abs(share - 0.9) > HONEST:
        word = tr("too narrow: it is surer than it should be") if share < 0.9 else tr("wider than they need be")
    if which is None:
        return tr(
            "Its 90 % intervals hold {share:.0%} of what happens, {worst:.0%}: they are {word}.",
            share=share,
            worst=worst,
            word=word,
        )
    target = tr("reward") if not which else tr("obs dim {n:.0f}", n=which - 1)
    return tr(
        "Its 90 % intervals hold {share:.0%} of what happens, {worst:.0%} of the {target}: they are {word}.",
        share=share,
        worst=worst,
        target=target,
        word=word,
    )


def _critics(latest: Latest) -> str:
    bias, came = latest.get("trust/q_bias"), latest.get("trust/return_discounted")
    if bias is None or came is None:
        return ""
    promised, more = short(came + bias, 4), f"{'+' if bias >= 0 else ''}{short(bias)}"
    return tr(
        "The critics promise {promised} at an episode's start, and {came} came: {more}.",
        promised=promised,
        came=short(came, 4),
        more=more,
    )
