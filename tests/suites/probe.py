"""Say as JSON what a suite's environment is like: run by the suite's own Python."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

from mbpo.checks.environment.play import Played, play
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.repeats import repeats
from mbpo.envs.spec import EnvSpec
from mbpo.lifecycle.command_line import parse_launch


def main() -> None:
    """Play at random; argv[1] is JSON: flags, steps and packages."""
    asked = json.loads(sys.argv[1])
    env = BoxEnv(EnvSpec.of(parse_launch(asked["flags"]).config))
    played = play(env, asked["steps"], 0)
    found = {
        "versions": {name: importlib.metadata.version(name) for name in ["gymnasium", "numpy", *asked["packages"]]},
        "obs": env.obs_dim,
        "adapted": env.adapted,
        "actions": env.action_dim,
        "bounds": _bounds(env),
        "ends": _ends(played),
        "repeats": repeats(env, 0).said,
    }
    env.close()
    print(json.dumps(found), file=sys.__stdout__)


def _bounds(env: BoxEnv) -> str:
    low, high = env.action_low, env.action_high
    if (low == low[0]).all() and (high == high[0]).all():
        return f"{low[0]:.4g} to {high[0]:.4g}"
    return f"{min(low):.4g} … to {max(high):.4g} …"


def _ends(played: Played) -> str:
    """Say in words what ended the episodes of a random play."""
    ended, cut = played.step[played.terminated], played.step[played.truncated & ~played.terminated]
    said = []
    if len(cut):
        said.append(f"{len(cut)} by time, after {_range(cut)} steps")
    if len(ended):
        said.append(f"{len(ended)} terminated, after {_range(ended)}")
    return "; ".join(said) or f"none in {len(played):,} random steps"


def _range(steps: Any) -> str:
    low, high = int(steps.min()), int(steps.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


if __name__ == "__main__":
    main()
