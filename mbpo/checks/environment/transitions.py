"""Say what MBPO will trip over in an environment, from transitions played at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from mbpo.checks.diagnostic import Diagnostic, Level
from mbpo.checks.environment.columns import columns
from mbpo.checks.environment.ends import ends
from mbpo.checks.environment.phrases import named, random_steps
from mbpo.checks.environment.play import Played
from mbpo.envs.left_out import MOST, WINDOW
from mbpo.envs.repeats import Repeats
from mbpo.envs.rule_watch import MISTAKEN_SHARE
from mbpo.envs.rules import Rule, never
from mbpo.envs.termination import judged, rule_text
from mbpo.errors import EnvironmentFault

MOST_SHOWN = 3


def findings(played: Played, again: Played, rule: Rule | None, repeated: Repeats) -> Iterator[Diagnostic]:
    """Judge the transitions, the first of them ``again`` from the same seed and actions, and the rule in use.

    ``repeated`` is what short plays in other environments made alike said.
    """
    yield _steps(played)
    yield _actions(played)
    if not len(played):
        return
    yield _observations(played)
    yield from columns(played)
    yield from ends(played)
    yield _termination(played, rule)
    yield _repeats(played, again, repeated)


def _steps(played: Played) -> Diagnostic:
    episodes = int(played.ends.sum())
    numbers = {"env_steps": len(played), "episodes": episodes}
    if played.fault:
        text = f"After {random_steps(len(played))} it stopped: {played.fault}. Training would too."
        return Diagnostic("problem", "steps", text, numbers, fatal=True)
    if lost := played.left_out:
        taken = len(played) + len(lost)
        share = len(lost) / taken
        text = (
            f"{len(lost):,} of {random_steps(taken)} mean nothing, the first as {lost[0]}. Training leaves such steps "
        )
        text += f"out and ends their episode, up to {MOST} in {WINDOW:,}."
        level: Level = "problem" if share > MOST / WINDOW else "note"
        fatal = len(lost) > MOST and share > 0.5
        return Diagnostic(level, "steps", text, {**numbers, "left_out": len(lost)}, fatal=fatal)
    text = f"{random_steps(len(played))}, {episodes:,} episodes ended; every value is finite."
    return Diagnostic("ok", "steps", text, numbers)


def _actions(played: Played) -> Diagnostic:
    low, high = played.action_low, played.action_high
    numbers = {"low": low.tolist(), "high": high.tolist()}
    text = f"{len(low)} bounded number{'s' * (len(low) != 1)}, from {low.min():g} to {high.max():g}."
    if not played.adapted:
        return Diagnostic("ok", "actions", text, numbers)
    return Diagnostic("note", "actions", f"{text} {played.adapted[0].upper()}{played.adapted[1:]}.", numbers)


def _observations(played: Played) -> Diagnostic:
    """Hold observations to their space, and to the promise that nobody else writes into them."""
    slack = 1e-6 * np.maximum(1.0, np.abs(played.next_obs))
    outside = ((played.next_obs < played.obs_low - slack) | (played.next_obs > played.obs_high + slack)).any(axis=0)
    dims = np.flatnonzero(outside).tolist()
    numbers = {"outside": dims, "reuses_array": played.reuses_array}
    parts = []
    if dims:
        dim = dims[0]
        seen = played.next_obs[:, dim]
        parts.append(
            f"{named(dims)} leave their space: obs[{dim}] is declared from {played.obs_low[dim]:g} to "
            f"{played.obs_high[dim]:g} and went from {seen.min():.4g} to {seen.max():.4g}. MBPO takes what comes; a "
            "wrapper that scales by the space would not."
        )
    if played.reuses_array:
        parts.append(
            "The environment returns one array again and again and writes into it. MBPO copies; other code that keeps "
            "an observation sees the next one in its place."
        )
    if parts:
        return Diagnostic("note", "observations", " ".join(parts), numbers)
    return Diagnostic("ok", "observations", "Every one lies in its space, in an array of its own.", numbers)


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


def _repeats(played: Played, again: Played, repeated: Repeats) -> Diagnostic:
    if not repeated.exactly:
        facts = {"replayed": 0, "first_difference": None, "fresh_env": repeated.in_fresh}
        return Diagnostic("note", "determinism", f"{repeated.said[0].upper()}{repeated.said[1:]}.", facts)
    count = min(len(played), len(again))
    same = np.ones(count, bool)
    for name in ("obs", "next_obs", "reward", "terminated", "truncated"):
        equal = getattr(played, name)[:count] == getattr(again, name)[:count]
        same &= equal.all(axis=tuple(range(1, equal.ndim)))
    stopped = again.fault or ("" if played.left_out else "".join(again.left_out[:1]))
    if same.all() and not stopped:
        text = f"The first {random_steps(count)} came out the same, bit for bit, when played again."
        return Diagnostic("ok", "determinism", text, {"replayed": count, "first_difference": None})
    first = count + 1 if same.all() else int(np.argmin(same)) + 1
    how = f"stopped: {stopped}" if first > count else "differs"
    text = (
        f"Played again from the same seed with the same actions, step {first:,} {how}. Either "
        "reset(seed=…) does not seed all randomness, so that runs do not repeat; or something "
        "outside (obs, action) drives obs or reward, which no model of (obs, action) can predict."
    )
    return Diagnostic("note", "determinism", text, {"replayed": count, "first_difference": first})
