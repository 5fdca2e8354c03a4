"""Say what ``python -m mbpo.train --help`` says: the defaults that would really hold, the presets, examples."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mbpo.runs.config_file import read_config
from mbpo.settings import config
from mbpo.settings.config import SETTINGS, choose_preset
from mbpo.settings.parser import OneLineParser
from mbpo.settings.presets import PRESETS, Preset, how_chosen
from mbpo.settings.setting import Setting, Value, shown
from mbpo.settings.typed_path import typed_path

USAGE = """\
%(prog)s [--env-id NAME] [--preset NAME] [--FLAG VALUE ...]
       %(prog)s --resume RUN_DIR
       %(prog)s --fork RUN_DIR[@STEP] [--FLAG VALUE ...]
       %(prog)s --replay RUN_DIR"""
DESCRIPTION = """\
Learn a model of an environment and a policy from both. Prints the run directory
first. A flag beats the file given by --config, which beats the preset. Where
neither names a preset, the environment's id chooses it: see the end.
"""
EXAMPLES = """\
examples:
  python -m mbpo.train                               # Pendulum, in a minute
  python -m mbpo.train --env-id Hopper-v5            # with the preset hopper
  python -m mbpo.train --env-id Hopper-v5 --help     # and its defaults
  python -m mbpo.train --env-id Hopper-v5 --algo sac --seeds 0:3
  python -m mbpo.train --seeds 0:3 --grid rollout_length=1,5,15     # 9 runs
  python -m mbpo.train --env-id my_module:Robot-v0 --total-steps 50000
  python -m mbpo.train --env-id Pendulum-v1 --env-kwargs g=9.81
  python -m mbpo.train --resume runs/RUN             # after a kill or a stop
"""
EXIT_CODES = """\
exit codes: 0 finished or stopped on request, 2 configuration, 3 environment,
4 diverged, 5 storage, 6 checkpoint, 7 run directory in use, 8 out of memory,
130 SIGINT, 143 SIGTERM"""

METAVARS = {
    bool: "true|false",
    int: "N",
    float: "X",
    str: "NAME",
    tuple: "E0,E1,K0,K1",
    list: "MODULE:CLASS",
    dict: "KEY=VALUE",
}


@dataclass(frozen=True)
class Defaults:
    """Hold what each setting is where its flag is not given."""

    values: Mapping[str, Value]  # no env_id where --preset default stands without one
    origin: str


def defaults_beside(arguments: Sequence[str]) -> Defaults:
    """Return what holds beside the ``--preset``, ``--env-id`` and ``--config`` among ``arguments``.

    Raises:
        ConfigError: one of these three, or what the file gives, cannot be used.
    """
    parser = OneLineParser(add_help=False, allow_abbrev=False)
    for flag in ("--config", "--preset", "--env-id"):
        parser.add_argument(flag)
    given = vars(parser.parse_known_args(arguments)[0])
    file = given.pop("config")
    found = {} if file is None else read_config(typed_path(file), pipe=True)
    found |= {name: SETTINGS[name].parse(text) for name, text in given.items() if text is not None}
    values = {name: SETTINGS[name].check(value) for name, value in found.items() if name in SETTINGS}
    preset = str(values["preset"]) if "preset" in values else choose_preset(values)
    held = {**config.defaults_beside(preset, values), **values}
    origin = f"preset {preset}" if "preset" in values else how_chosen(str(held["env_id"]))
    return Defaults(held, origin + ("" if file is None else f", and of {shown(file)}"))


def description(defaults: Defaults) -> str:
    """Return what stands above the flags."""
    return f"{DESCRIPTION}\n{textwrap.fill(f'The defaults shown here are those of {defaults.origin}.', 80)}"


def epilog() -> str:
    """Return what stands below the flags."""
    presets = "\n".join(f"  {p.name:<24}  {_chooses(p)}\n      {p.doc}" for p in PRESETS.values())
    return f"presets, and what chooses each:\n{presets}\n\n{EXAMPLES}\n{EXIT_CODES}"


def help_of(setting: Setting, defaults: Defaults) -> str:
    """Return a flag's help: meaning, unit, range, and the default that would hold."""
    unit = f" [{setting.unit}]" if setting.unit else ""
    within = f" in {setting.range_text}" if setting.kind in (int, float, tuple) else ""
    live = ", live" if setting.live else ""
    value = defaults.values.get(setting.name)
    default = "no default" if value is None else f"default {setting.text(value) or 'none'}"
    return f"{setting.doc}{unit}{within} ({default}{live})".replace("%", "%%")


def metavar(setting: Setting) -> str:
    """Return what stands for a value."""
    return METAVARS[setting.kind]


def _chooses(preset: Preset) -> str:
    if not preset.env_id:
        return "any other environment"
    return ", ".join(preset.chosen_by) or f"its name only: {preset.env_id}"
