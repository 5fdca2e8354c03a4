"""Say in words how far a model can be trusted, beside the charts that draw what each refit came to."""

from __future__ import annotations

from collections.abc import Iterator

from mbpo.settings.numbers import short
from mbpo.trust.bound import WIDEST, why_not_told
from mbpo.trust.verdict import Latest, measured, theorem

BIAS = "trust/q_bias"


def trusted(latest: Latest, has_theorem: bool) -> Iterator[str]:
    """Yield what was measured, a sentence each, and what the theorem says where it says something of this run."""
    yield from measured({key: value for key, value in latest.items() if key != BIAS})
    yield from _critics(latest)
    if has_theorem:
        yield theorem(latest)
        yield from _beside_charts(latest)


def _critics(latest: Latest) -> Iterator[str]:
    bias, came = latest.get(BIAS), latest.get("trust/return_discounted")
    if bias is None or came is None:
        return
    far = f"{short(abs(bias))} {'more' if bias > 0 else 'less'} than" if bias else "just"
    promised = short(came + bias, 4)
    yield f"The critics promise {promised} at an episode's start, and {short(came, 4)} came: {far} what came."


def _beside_charts(latest: Latest) -> Iterator[str]:
    """Say why the charts below may show a k* that the words do not tell, and a bound that seems to help."""
    keys = ("k_star", "c_ratio", "eps_m_new", "c_over_gap")
    star, ratio, error, gap = (latest.get(f"bound/{key}") for key in keys)
    if star is None or ratio is None or error is None:
        return
    reasons = []
    if why_not_told(error, latest.get("bound/k_star_low"), latest.get("bound/k_star_high")):
        reasons.append(f"k* is told in words only where the data narrow it down to {WIDEST} steps")
    if gap is not None and gap >= 1 > ratio:
        reasons.append("C(k)/C(0) below 1 compares the bound at k with that of no rollouts, and both promise nothing")
    if reasons:
        drawn = f"k* = {short(star)} and C(k)/C(0) = {short(ratio)}"
        yield f"The charts draw what each refit came to, the newest {drawn}: {'; '.join(reasons)}."
