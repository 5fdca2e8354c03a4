"""Say what MBPO will trip over in an environment, from transitions played at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.environment.columns import columns
from mbpo.checks.environment.phrases import random_steps
from mbpo.checks.environment.play import Played
from mbpo.envs.rule_watch import MISTAKEN_SHARE
from mbpo.envs.rules import Rule, never
from mbpo.envs.termination import judged, rule_text
from mbpo.errors import EnvironmentFault

MOST_SHOWN = 3
WIDE = 1e3


def findings(played: Played, again: Played, rule: Rule | None) -> Iterator[Diagnostic]:
    """Judge the transitions, the first of them ``again`` from the same seed and actions, and the rule in use."""
    yield _steps(played)
    yield _actions(played)
    if not len(played):
        return
    yield from columns(played)
    yield _time_limit(played)
    yield _termination(played, rule)
    yield _repeats(played, again)


def _steps(played: Played) -> Diagnostic:
    episodes = int(played.ends.sum())
    numbers = {"env_steps": len(played), "episodes": episodes}
    if played.fault:
        text = f"After {random_steps(len(played))} it stopped: {played.fault}. Training would too."
        return Diagnostic("problem", "steps", text, numbers, fatal=True)
    text = f"{random_steps(len(played))}, {episodes:,} episodes ended; every value is finite."
    return Diagnostic("ok", "steps", text, numbers)


def _actions(played: Played) -> Diagnostic:
    low, high = played.action_low, played.action_high
    numbers = {"low": low.tolist(), "high": high.tolist()}
    text = f"{len(low)} bounded number{'s' * (len(low) != 1)}, from {low.min():g} to {high.max():g}."
    if max(-low.min(), high.max()) <= WIDE:
        return Diagnostic("ok", "actions", text, numbers)
    text += " Warm-up draws uniformly between them, so nearly all its actions are huge: wrap the "
    return Diagnostic("note", "actions", text + "environment with RescaleAction.", numbers)


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
    harmless = "truncated never cuts the bootstrap (only terminated does), so this is fine."
    if early.any():
        first = int(played.step[early][0])
        where = f"before the time limit of {limit:,} steps" if limit else "with no registered limit"
        text = (
            f"{early.sum():,} episodes were truncated {where}, the first after {first:,} steps. "
            f"{harmless} Where such an end is a failure, the environment should say terminated: "
            "as it is, the policy does not learn to avoid it."
        )
        return Diagnostic("note", "time limit", text, numbers)
    if limit is None:
        if played.terminated.any():
            return Diagnostic("ok", "time limit", "There is none; episodes terminate.", numbers)
        text = "There is none and no episode ended: training is one endless episode, and an "
        text += "evaluation stops after 10,000 steps. Register max_episode_steps."
        return Diagnostic("note", "time limit", text, numbers)
    seen = f"obs[{clock}] counts the steps" if clock is not None else "the time is not in obs"
    text = f"{limit:,} steps, reached by {cut.sum():,} episodes; {seen}. {harmless}"
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


def _termination(played: Played, rule: Rule | None) -> Diagnostic:
    name, terminal = played.registered_id, int(played.terminated.sum())
    numbers: dict[str, Any] = {"terminal": terminal, "rule": rule_text(rule)}
    if rule is None:
        text = (
            f"No rule is known for {name}: a learned termination head takes over, from the ends it "
            f"sees, {terminal:,} in {random_steps(len(played))}. A rule is exact from the start: "
            f'RULES["{name}"] = lambda obs, action, next_obs: … beside your registration, as the '
            "top of mbpo/envs/termination.py shows."
        )
        return Diagnostic("note", "termination", text, numbers)
    try:
        says = judged(rule, *map(torch.from_numpy, (played.obs, played.action, played.next_obs))).numpy()
    except EnvironmentFault as error:
        text = f"Training would stop: {error}."
        return Diagnostic("problem", "termination", text, numbers, fatal=True)
    wrong = np.flatnonzero(says != played.terminated)
    numbers["disagreements"] = [_disagreement(played, int(i)) for i in wrong[:MOST_SHOWN]]
    numbers["agreements"] = len(played) - len(wrong)
    text = f"The rule of {name}, {rule_text(rule)}, agrees on {len(played) - len(wrong):,} of "
    text += f"{random_steps(len(played))}, {terminal:,} of them ends."
    if not len(wrong):
        if not terminal and rule is not never:
            text += " Without an end only half of the rule was tried: give more --steps."
        return Diagnostic("ok", "termination", text, numbers)
    text += "".join(f" {_disagreement_text(d)}" for d in numbers["disagreements"])
    if len(wrong) <= MISTAKEN_SHARE * len(played):
        return Diagnostic("note", "termination", text + " So few are rounding at an edge.", numbers)
    text += " Imagined episodes would end at other states than real ones: mend the rule."
    return Diagnostic("problem", "termination", text, numbers)


def _disagreement(played: Played, index: int) -> dict[str, Any]:
    return {
        "step": index + 1,
        "environment": bool(played.terminated[index]),
        "next_obs": played.next_obs[index].tolist(),
    }


def _disagreement_text(found: Mapping[str, Any]) -> str:
    says = ("goes on", "ends")
    shown = ", ".join(f"{value:.4g}" for value in found["next_obs"][:4])
    more = ", …" if len(found["next_obs"]) > 4 else ""
    return (
        f"Step {found['step']:,} {says[found['environment']]}, the rule says it "
        f"{says[not found['environment']]}: next_obs = [{shown}{more}]."
    )


def _repeats(played: Played, again: Played) -> Diagnostic:
    count = min(len(played), len(again))
    same = np.ones(count, bool)
    for name in ("obs", "next_obs", "reward", "terminated", "truncated"):
        equal = getattr(played, name)[:count] == getattr(again, name)[:count]
        same &= equal.all(axis=tuple(range(1, equal.ndim)))
    if same.all() and not again.fault:
        text = f"The first {random_steps(count)} came out the same, bit for bit, when played again."
        return Diagnostic("ok", "determinism", text, {"replayed": count, "first_difference": None})
    first = count + 1 if same.all() else int(np.argmin(same)) + 1
    how = f"stopped: {again.fault}" if first > count else "differs"
    text = (
        f"Played again from the same seed with the same actions, step {first:,} {how}. Either "
        "reset(seed=…) does not seed all randomness, so that runs do not repeat; or something "
        "outside (obs, action) drives obs or reward, which no model of (obs, action) can predict."
    )
    return Diagnostic("note", "determinism", text, {"replayed": count, "first_difference": first})
