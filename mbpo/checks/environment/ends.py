"""Judge how episodes end: by time, by a state, or by time in the guise of a state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.environment.play import Played
from mbpo.envs.evaluation import MOST_STEPS

PILE = 3  # episodes that end on one and the same step, from where that is no chance
HARMLESS = "truncated never cuts the bootstrap (only terminated does), so this is fine."


def ends(played: Played) -> Iterator[Diagnostic]:
    """Judge time limits, and ends that come on one step of the episode."""
    yield _time_limit(played)
    if found := time_sent_as_end(played):
        yield found


def _time_limit(played: Played) -> Diagnostic:
    limit, cut = played.time_limit, played.truncated & ~played.terminated
    early = cut & (played.step < limit) if limit else cut
    clock = _clock(played)
    numbers = {
        "time_limit": limit,
        "truncated": int(cut.sum()),
        "truncated_early": int(early.sum()),
        "clock_dim": clock,
    }
    if early.any():
        first = int(played.step[early][0])
        where = f"before the time limit of {limit:,} steps" if limit else "with no registered limit"
        text = (
            f"{early.sum():,} episodes were truncated {where}, the first after {first:,} steps. "
            f"{HARMLESS} Where such an end is a failure, the environment should say terminated: "
            "as it is, the policy does not learn to avoid it."
        )
        return Diagnostic("note", "time limit", text, numbers)
    if limit is None:
        if played.terminated.any():
            return Diagnostic("ok", "time limit", "There is none; episodes terminate.", numbers)
        text = "There is none and no episode ended: training is one endless episode, and an "
        text += f"evaluation stops after {MOST_STEPS:,} steps. Give --time-limit N."
        return Diagnostic("note", "time limit", text, numbers)
    seen = f"obs[{clock}] counts the steps" if clock is not None else "the time is not in obs"
    text = f"{limit:,} steps, reached by {cut.sum():,} episodes; {seen}. {HARMLESS}"
    if limit > MOST_STEPS:
        text += f" An evaluation plays whole episodes, {limit:,} steps each: give a shorter --time-limit, or few "
        return Diagnostic("note", "time limit", text + "--eval-episodes.", numbers)
    return Diagnostic("ok", "time limit", text, numbers)


def _clock(played: Played) -> int | None:
    """Return a dim of obs that is a straight line in the step of the episode."""
    step = played.step - played.step.mean()
    if not step.any():
        return None
    values = played.next_obs - played.next_obs.mean(axis=0, dtype=np.float64)
    slope = step @ values / (step @ step)
    rest = np.abs(values - np.outer(step, slope)).max(axis=0)
    found = np.flatnonzero(rest < 1e-4 * np.abs(values).max(axis=0))
    return int(found[0]) if len(found) else None


def time_sent_as_end(played: Played) -> Diagnostic | None:
    """Find episodes that say terminated where their time is up: all, or the longest, on one step, or both flags."""
    both = played.step[played.terminated & played.truncated]
    lengths = played.step[played.terminated]
    longest = int(lengths.max()) if len(lengths) else 0
    count, near = int((lengths == longest).sum()), int(((lengths < longest) & (lengths > 0.9 * longest)).sum())
    if len(both) >= 2 and np.ptp(both) == 0:
        what = f"{len(both):,} episodes said terminated and truncated at once, all after {both[0]:,} steps"
        at = int(both[0])
    elif count >= PILE and count > 3 * near and longest >= int(played.step.max()):
        which = "all" if count == len(lengths) else "the longest"
        what, at = (
            f"{count:,} of {len(lengths):,} ends, {which}, came as terminated after exactly {longest:,} steps",
            longest,
        )
    else:
        return None
    text = (
        f"{what}: that looks like a time limit. Terminated tells the critics that nothing is lost or won after it, and "
        f"the model that states end there. If time is up there, give --time-limit {at}."
    )
    return Diagnostic("problem", "time as an end", text, {"steps": at, "both": len(both), "count": count})
