"""Say what is typed to have a run again, or to go on from it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from typing import Any

from mbpo.errors import ConfigError
from mbpo.outside.report.branches import parent_of
from mbpo.outside.report.page import Lines
from mbpo.outside.report.run_facts import RunFacts
from mbpo.outside.report.run_tables import as_asked
from mbpo.runs.records.manifest import Branch
from mbpo.settings.config import SETTINGS
from mbpo.settings.flags import flags_beside_preset, flags_of

TRAIN = ("python", "-m", "mbpo.train")


def commands(facts: RunFacts) -> Lines:
    """Return what is typed in the folder that holds the run's folder."""
    run = shlex.quote(f"{facts.paths.root.parent.name}/{facts.run_id}")
    lines = [_train(facts), f"python -m mbpo.train --replay {run}"]
    if facts.state != "finished":
        lines.append(f"python -m mbpo.train --resume {run}")
    lines.append(f"python -m mbpo.train --fork {run}@{facts.env_steps} --total-steps {2 * facts.env_steps}")
    if facts.settings["algo"] != "pets":
        lines.append(f"python -m mbpo.evaluate {run}")
    if facts.settings["algo"] != "sac":
        lines.append(f"python -m mbpo.trust {run} --png trust.png")
    return Lines(lines)


def train_flags(settings: Mapping[str, Any]) -> list[str]:
    """Return the flags that make a run of these settings."""
    asked = as_asked(settings)
    try:
        return flags_beside_preset(asked)
    except ConfigError:  # its preset is of another version
        return _flags(asked)


def fork_flags(branch: Branch) -> list[str]:
    """Return the flags with which a fork left its parent."""
    return _flags(branch.fork_changes)


def _train(facts: RunFacts) -> str:
    branch = facts.manifest.branch
    if branch is None:
        return shlex.join([*TRAIN, *train_flags(facts.settings)])
    parent = parent_of(facts.paths, branch).root
    beside = parent.parent == facts.paths.root.parent or not parent.exists()
    place = f"{facts.paths.root.parent.name}/{branch.parent}" if beside else str(parent)
    return shlex.join([*TRAIN, "--fork", f"{place}@{branch.fork_env_steps}", *fork_flags(branch)])


def _flags(values: Mapping[str, Any]) -> list[str]:
    """Return the settings that this version knows and takes, as flags."""
    found = {}
    for name, value in values.items():
        with contextlib.suppress(ConfigError, KeyError):
            found[name] = SETTINGS[name].check(value)
    return flags_of(found)
