"""Find the rule that says when an imagined state ends the episode.

To add one for an environment of your own, write a function of (obs, action, next_obs) and enter it
beside the environment's registration, under the same id:

    gymnasium.register("Name-v0", ...)

    from mbpo.envs.termination import RULES
    RULES["Name-v0"] = lambda obs, action, next_obs: next_obs[:, 0] < 0.3  # [N, O] -> bool [N]

Gymnasium's own environments have theirs, whatever id they are registered under; see
:mod:`mbpo.envs.known_rules`. Without one, :mod:`mbpo.dynamics.termination_head` learns when episodes end.
"""

from __future__ import annotations

import re
from functools import partial

import gymnasium
import torch
from torch import Tensor

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.known_rules import known_rule
from mbpo.envs.rules import Rule
from mbpo.envs.spaces import Array
from mbpo.errors import EnvironmentFault

RULES: dict[str, Rule] = {}  # users' own, by the id that gymnasium.register was given
ROWS = (1, 3)  # one row shows what squeeze() does


def find_rule(env: BoxEnv) -> Rule | None:
    """Return the rule entered for the id of ``env``, or that of what it made; None for a stranger.

    Raises:
        EnvironmentFault: a rule was entered under something like the id, which is nobody's id.
    """
    mine = env.registered_id
    if mine in RULES:
        return RULES[mine]
    for key in RULES:
        if _word(key) == _word(mine) and key not in gymnasium.registry:
            raise EnvironmentFault(
                f'RULES expected the id given to gymnasium.register, RULES["{mine}"], got RULES["{key}"]; '
                "a rule belongs to one environment, not to a name"
            )
    return known_rule(env)


def judged(rule: Rule, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:  # [N] bool
    """Return what ``rule`` says of N rows.

    Raises:
        EnvironmentFault: it raised, or returned something else than bool [N] on the rows' device.
    """
    try:
        found = rule(obs, action, next_obs)
    except Exception as error:
        raised = f"{type(error).__name__}: {error}"
        raise EnvironmentFault(f"the termination rule {rule_text(rule)} raised {raised}") from error
    expected = f"bool [{len(next_obs)}] on {next_obs.device}"
    if not isinstance(found, Tensor):
        got = f"a {type(found).__name__}"
    elif (found.dtype, found.shape, found.device) == (torch.bool, (len(next_obs),), next_obs.device):
        return found
    else:
        got = f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)} on {found.device}"
    raise EnvironmentFault(
        f"the termination rule {rule_text(rule)} must return {expected}, got {got}; mend it beside its RULES entry"
    )


def check_rule(rule: Rule, obs: Array, action_dim: int, device: torch.device) -> None:
    """Try ``rule`` on rows that stay at ``obs`` [O], as imagined rollouts will call it.

    Raises:
        EnvironmentFault: it raised, returned something else than bool [N], or wrote into its rows.
    """
    for count in ROWS:
        rows = torch.from_numpy(obs).to(device).repeat(count, 1)
        parts = rows, torch.zeros(count, action_dim, device=device), rows.clone()
        before = [part.clone() for part in parts]
        judged(rule, *parts)
        if not all(map(torch.equal, parts, before)):
            raise EnvironmentFault(
                f"the termination rule {rule_text(rule)} must leave obs, action and next_obs as they are, "
                "and wrote into them; let it work on a clone()"
            )


def rule_text(rule: Rule | None) -> str:
    """Name ``rule`` with its thresholds: ``hopper(z=(0.7, inf), ...)``, ``mine.rule``, ``learned``."""
    if rule is None:
        return "learned"
    if isinstance(rule, partial):
        given = [*map(repr, rule.args), *(f"{name}={value!r}" for name, value in rule.keywords.items())]
        text = f"{rule_text(rule.func)}({', '.join(given)})"
        return re.sub(r" at 0x\w+", "", text)  # another in each process
    named = rule if hasattr(rule, "__qualname__") else type(rule)
    return f"{named.__module__}.{named.__qualname__}".removeprefix("mbpo.envs.rules.")


def _word(env_id: str) -> str:
    """Return ``env_id`` without module, namespace and version."""
    return re.sub(r"^.*[:/]|-v\d+$", "", env_id)
