"""Judge each column that the model reads or predicts: obs, Δobs and reward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.environment.phrases import named
from mbpo.checks.environment.play import Played

UNEQUAL = 10.0  # times the smallest standard deviation, from where targets are better normalised
FIRST_SMALLEST_STD = float(np.exp(-5.0))  # of the model's Gaussians: its first min_logvar is −10
CLIPPED_SHARE = 0.005  # of the values of a dim, exactly at its extreme
LARGE = 1e6
LOST_SHARE = 0.01  # of the std of Δobs, by rounding to float32
STILL = 1e-5  # range of a dim, below which it is as good as constant: a quaternion's 1 that trembles, say
WITHOUT_FORCES = {"Ant-v5": "mbpo/AntTruncated-v5", "Humanoid-v5": "mbpo/HumanoidTruncated-v5"}
STEADY_SHARE = 1e-3  # of its mean, below which the std of Δobs is rounding


def columns(played: Played) -> Iterator[Diagnostic]:
    """Judge the columns of at least one transition."""
    yield _constant(played)
    yield _clipped(played)
    yield _precision(played)
    yield _scale(played)


def _constant(played: Played) -> Diagnostic:
    delta, still = _delta(played), ~_moved(played).astype(bool)
    fixed = np.ptp(np.concatenate((played.obs, played.next_obs)), axis=0) == 0
    steady = still & delta.any(axis=0)
    kinds = {"constant": fixed, "constant_in_each_episode": still & ~steady & ~fixed, "steady": steady}
    numbers = {name: np.flatnonzero(kind).tolist() for name, kind in kinds.items()}
    parts = [
        f"{named(dims)} {what}."
        for dims, what in zip(
            numbers.values(),
            (
                f"never changed ({fixed.sum()} of {len(fixed)} dims)",
                "changed only at a reset: a goal, perhaps",
                "changed by the same amount each step: a clock, perhaps",
            ),
            strict=True,
        )
        if dims
    ]
    if not parts:
        text = f"Each of the {len(fixed)} dims of obs changes within an episode."
        return Diagnostic("ok", "constant dims", text, numbers)
    parts.append(
        "MBPO runs, but predicts these differences without error: model/holdout_rmse and "
        "model/holdout_nll look better than they would on the other dims alone."
    )
    if steady.any():
        parts.append("With normalize_targets their rounding counts as if it were a change.")
    return Diagnostic("note", "constant dims", " ".join(parts), numbers)


def _clipped(played: Played) -> Diagnostic:
    piles = {dim: pile for dim in range(played.obs.shape[1]) if (pile := _piled(played, dim))}
    numbers = {"share_at_extreme": {dim: list(pile.items()) for dim, pile in piles.items()}}
    if not piles:
        return Diagnostic("ok", "clipping", "No dim of obs piles up at its extremes.", numbers)
    worst = max(piles, key=lambda dim: max(piles[dim].values()))
    shares = " and ".join(f"{value:g} in {share:.1%}" for value, share in piles[worst].items())
    text = (
        f"{named(piles)} look clipped: obs[{worst}] is exactly {shares} of the steps. What goes on "
        "beyond a limit is hidden, so what looks like the same (obs, action) leads to different "
        "next_obs, and the model can only answer with noise."
    )
    if shorter := WITHOUT_FORCES.get(played.env_id):
        text += f" {shorter} leaves forces out, as the papers do."
    return Diagnostic("note", "clipping", text, numbers)


def _piled(played: Played, dim: int) -> dict[float, float]:
    """Return the share of values at each extreme where it is far more than at other values."""
    values, counts = np.unique(played.next_obs[:, dim], return_counts=True)
    if len(values) < 3:
        return {}
    usual, least = float(np.mean(counts[1:-1])), CLIPPED_SHARE * len(played)
    return {
        float(values[end]): float(counts[end] / len(played))
        for end in (0, -1)
        if counts[end] > max(5 * usual, least, 5)
    }


def _precision(played: Played) -> Diagnostic:
    largest = np.abs(played.next_obs).max(axis=0)
    moved = _moved(played)
    ranges = np.ptp(played.next_obs.astype(np.float64), axis=0)
    rounded = (moved > 0) & (np.spacing(largest) > LOST_SHARE * moved)
    lost, trembling = np.flatnonzero(rounded & (ranges >= STILL)), np.flatnonzero(rounded & (ranges < STILL))
    large = np.flatnonzero(largest > LARGE)
    numbers = {"largest": float(largest.max()), "above_1e6": large.tolist(), "lost": lost.tolist()}
    if len(lost):
        dim = int(lost[0])
        text = (
            f"{named(lost)}: values near {largest[dim]:.3g} are {np.spacing(largest[dim]):.2g} "
            f"apart in float32, and one step moves them by {moved[dim]:.2g}: the difference that "
            "the model learns is lost in rounding. Shift or scale them in a wrapper."
        )
        return Diagnostic("problem", "float32", text, numbers)
    if len(large):
        text = f"{named(large)} reach {largest.max():.3g}; scale such values in a wrapper."
        return Diagnostic("note", "float32", text, numbers)
    if len(trembling):
        dim = int(trembling[0])
        text = (
            f"{named(trembling)} move by rounding only, as good as constant: obs[{dim}] stays within {ranges[dim]:.2g} "
            "of one value. MBPO runs; a wrapper may leave such dims out."
        )
        return Diagnostic("note", "float32", text, numbers)
    text = f"The largest value of obs is {largest.max():.3g}: float32 resolves every step."
    return Diagnostic("ok", "float32", text, numbers)


def _scale(played: Played) -> Diagnostic:
    """Compare the standard deviations of what the model predicts: reward and Δobs."""
    stds = {"reward": float(played.reward.std())}
    stds |= {f"Δobs[{dim}]": float(std) for dim, std in enumerate(_moved(played))}
    moving = {name: std for name, std in stds.items() if std > 0}
    if not moving:
        text = "Neither reward nor obs ever changes: there is nothing to learn."
        return Diagnostic("problem", "scale", text, {"std": stds})
    least, most = min(moving, key=moving.__getitem__), max(moving, key=moving.__getitem__)
    ratio = moving[most] / moving[least]
    ends = bool(played.terminated.any())
    numbers = {"std": stds, "ratio": ratio, "normalize_targets": ratio > UNEQUAL and not ends}
    text = (
        f"What the model predicts has standard deviations from {moving[least]:.3g} ({least}) to "
        f"{moving[most]:.3g} ({most}), {ratio:.3g} times as large; reward {stds['reward']:.3g}. "
    )
    if ratio <= UNEQUAL:
        return Diagnostic("ok", "scale", text + "normalize_targets can stay false.", numbers)
    total = sum(std**2 for std in moving.values())
    largest, smallest = 100 * moving[most] ** 2 / total, 100 * moving[least] ** 2 / total
    text += (
        "A refit stops, and elites are chosen, by squared errors summed over all of these: "
        f"{most} weighs {largest:.2g} %, {least} {smallest:.2g} %, so its errors go unnoticed. "
    )
    if moving[least] < FIRST_SMALLEST_STD:
        text += "That is also below e⁻⁵ = 0.0067, the smallest std the model can say at first. "
    # Measured, docs/results.md, docs/study.md: better on Pendulum, alike on HalfCheetah. Where episodes end, worse on
    # the inverted pendulums, whose rare last reward then weighs more, and with next_obs far better on Hopper.
    if ends:
        text += "--normalize-targets true makes them weigh alike; where episodes end it helped on Hopper, with "
        return Diagnostic("note", "scale", text + "--model-predicts next, and hurt on pendulums: compare.", numbers)
    return Diagnostic("note", "scale", text + "Use --normalize-targets true.", numbers)


def _delta(played: Played) -> NDArray[np.float64]:  # [N, O]
    return played.next_obs.astype(np.float64) - played.obs


def _moved(played: Played) -> NDArray[np.float64]:  # [O]
    """Return the standard deviations of Δobs, 0 where all but rounding is the same each step."""
    delta = _delta(played)
    std = delta.std(axis=0)
    return np.where(std < STEADY_SHARE * np.abs(delta.mean(axis=0)), 0.0, std)
