"""Read what a what-if tries: an arm for each value of each ``--set NAME=VALUE,VALUE``, and one for what is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS, Config, resolve_run
from mbpo.settings.setting import Setting, Value, nearest, shown

AS_IT_IS = "as it is"
STEPS = Setting("--steps", int, 2000, "", "what if", low=1, high=10**9)
REPEATS = Setting("--repeats", int, 4, "", "what if", low=1, high=100)
NOT_OF_A_FORK = ("resume", "replay", "config", "seeds", "grid", "jobs", "preset", "env_id")
INSTEAD = {  # what every fork has alike, and the flag that says it
    "seed": "--repeats",
    "total_steps": "--steps",
    "eval_every": "--eval-every",
    "threads": "--threads",
    "checkpoint_every": "nothing: a what-if has its own",
}
# A number in force for k is the user's hand and would overrule both: the arm would change nothing.
OF_THE_RULE_FOR_K = ("k_policy", "rollout_schedule")


@dataclass(frozen=True)
class Arm:
    """Hold one way to go on."""

    name: str
    changes: Mapping[str, Value]  # none: as it is


def arms_of(given: Sequence[str], config: Config, in_force: Mapping[str, Any]) -> tuple[tuple[Arm, ...], list[str]]:
    """Return the arms that ``given`` texts NAME=VALUE,VALUE ask for, as it is first, and notes on what is left out.

    ``in_force`` has each setting of the run where the arms part.

    Raises:
        ConfigError: an unknown setting, one that a fork cannot change, a bad value, or no arm beside as it is.
    """
    arms = {AS_IT_IS: Arm(AS_IT_IS, {})}
    notes = []
    for text in given:
        name, _, values = text.partition("=")
        setting = _setting(name.strip(), text)
        for value in _values(setting, values):
            arm = _arm(setting, value)
            resolve_run({**config.to_dict(), **arm.changes})  # raises where it does not go with the others
            if all(in_force[name] == value for name, value in arm.changes.items()):
                notes.append(f"{arm.name} is in force already: that is {AS_IT_IS}")
            else:
                arms[arm.name] = arm
    if len(arms) < 2:
        raise ConfigError(f"nothing to compare: {'; '.join(notes) or 'give --set NAME=VALUE,VALUE'}"[:160])
    return tuple(arms.values()), notes


def check_end(config: Config, step: int, steps: int) -> None:
    """Check that forks that part at ``step`` learn before they end.

    Raises:
        ConfigError: they would end within warm-up.
    """
    if step + steps <= config.warmup_steps:
        raise ConfigError(
            f"the forks would end at env step {step + steps:,}, within warmup_steps {config.warmup_steps:,} in which "
            f"nothing is learned; give --steps {config.warmup_steps - step + steps}"
        )


def _setting(name: str, text: str) -> Setting:
    """Return the setting of that name, if the arms may differ in it."""
    if "=" not in text:
        raise ConfigError(f"--set must be like rollout_length=1,5,15, got {shown(text)}")
    if name not in SETTINGS:
        raise ConfigError(f"unknown setting {shown(name)}{nearest(name, SETTINGS)} (from --set)")
    if name in INSTEAD:
        raise ConfigError(f"--set cannot change {name}, which all forks have alike; give {INSTEAD[name]}")
    if name in NOT_OF_A_FORK:
        raise ConfigError(f"--set cannot change {name}: a fork goes on with its run; train anew with another {name}")
    return SETTINGS[name]


def _values(setting: Setting, text: str) -> list[Value]:
    """Return the values that ``text`` lists; a tuple, a list and a table are one whole value."""
    whole = setting.kind in (tuple, list, dict)
    values = []
    for part in [text] if whole else text.split(","):
        try:
            value = setting.parse(part)
        except ConfigError as error:
            raise ConfigError(f"{error} (from --set)") from None
        if not setting.words(value):
            raise ConfigError(f"{setting.name} must have a part at least, got nothing (from --set)")
        values.append(value)
    return values


def _arm(setting: Setting, value: Value) -> Arm:
    changes: dict[str, Value] = {setting.name: value}
    if setting.name in OF_THE_RULE_FOR_K:
        changes["rollout_length"] = "auto"
    return Arm(f"{setting.name}={setting.text(value)}", changes)
