"""Read what a study asks for from its file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RUN_ID
from mbpo.settings.config import SETTINGS
from mbpo.settings.grid import parse_seeds, symbol
from mbpo.settings.setting import nearest, shown
from mbpo.studies.ray_options import ray_options
from mbpo.studies.sbatch_options import sbatch_options
from mbpo.studies.space import Search, search_of
from mbpo.studies.study import Choice, Recipe, Study, StudyRun, slug

KEYS = ("name", "base", "axes", "seeds", "threshold", "slurm", "ray", "search")
NO_AXIS = {"seed": 'seeds = "0:8"', "threads": "one number in [base]: rounding is theirs", "preset": "a study for each"}
NOT_SEARCHED = {**NO_AXIS, "total_steps": "one number in [base]", "env_id": "one in [base], or a study for each"}
MOST_RUNS = 10_000
LONGEST_NAME = 40


def read_study(path: Path) -> Study:
    """Return the study of a file.

    Raises:
        ConfigError: it cannot be read, or asks for runs that no learner can do.
    """
    return study_of(read_config(path), path.name)


def study_of(content: Mapping[str, object], where: str) -> Study:
    """Return the study that a file's content asks for; ``where`` is what the file is called.

    Raises:
        ConfigError: it asks for what no learner can do.
    """
    try:
        return _study(content)
    except ConfigError as error:
        raise ConfigError(f"{error} (in {shown(where)})") from None


def _study(content: Mapping[str, object]) -> Study:
    for key in content:
        if key not in KEYS:
            hint = f"; is it a setting? then it belongs in [base]: {key}" if key in SETTINGS else nearest(key, KEYS)
            raise ConfigError(f"unknown key {shown(key)}{hint}")
    name, base = _name(content.get("name")), {**_table(content, "base")}
    if "seed" in base:
        raise ConfigError('seed belongs to no run alone: give seeds = "0:8" above [base]')
    if "threshold" in content:
        base["threshold"] = content["threshold"]
    preset = base.pop("preset", None)
    if preset is not None and not isinstance(preset, str):
        raise ConfigError(f"preset must be text, got {shown(preset)}")
    base = {"threads": 1, **base}  # however many cores a node has, the metrics are the same
    recipe = Recipe(base, preset)
    axes = {axis: _choices(axis, values) for axis, values in _table(content, "axes").items()}
    _check_apart(axes, base)
    seeds = _seeds(content.get("seeds", "0"))
    if (size := len(seeds) * math.prod(map(len, axes.values()))) > MOST_RUNS:
        raise ConfigError(f"a study has at most {MOST_RUNS:,} runs, got {size:,}")
    search = _search(content, recipe) if "search" in content else None
    products = () if search else tuple(itertools.product(*axes.values()))
    runs = tuple(recipe.run(chosen, seed) for seed in seeds for chosen in products)
    _check_names(runs)
    slurm, ray = sbatch_options(_table(content, "slurm")), ray_options(_table(content, "ray"))
    return Study(name, axes, seeds, runs, recipe, slurm, ray, search)


def _search(content: Mapping[str, object], recipe: Recipe) -> Search:
    if _table(content, "axes"):
        raise ConfigError("a study has [axes] or [search], not both: a list in [search.space] is an axis too")
    search = search_of(_table(content, "search"), recipe.config.total_steps, NOT_SEARCHED)
    twice = next((name for name in search.space if name in recipe.base), None)
    if twice is not None:
        raise ConfigError(f"{twice} stands in [search.space] and in [base]; give it once")
    return search


def _name(name: object) -> str:
    if not isinstance(name, str) or not RUN_ID.match(name) or len(name) > LONGEST_NAME:
        got = "no name" if name is None else shown(name)
        raise ConfigError(f'name must be 1 to {LONGEST_NAME} of A-Z a-z 0-9 . _ -, as name = "hopper-k", got {got}')
    return name


def _table(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = content.get(key, {})
    if not isinstance(found, dict):
        raise ConfigError(f"[{key}] must be a table of settings, got {shown(found)}")
    return found


def _seeds(given: object) -> tuple[int, ...]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, (str, int)) and not isinstance(text, bool) for text in texts):
        raise ConfigError(f'seeds must be like "0:8" or [0, 3, 7], got {shown(given)}')
    return parse_seeds(",".join(map(str, texts)), "seeds")


def _choices(axis: str, values: object) -> tuple[Choice, ...]:
    if not isinstance(values, list) or not values:
        raise ConfigError(f"axis {shown(axis)} must be a list of its values, like [1, 5, 15], got {shown(values)}")
    if axis in NO_AXIS:
        raise ConfigError(f"{axis} is no axis: give {NO_AXIS[axis]}")
    if all(isinstance(value, dict) for value in values) and not _takes_tables(axis):
        return tuple(_rule(axis, number, value) for number, value in enumerate(values, start=1))
    if axis not in SETTINGS:
        hint = nearest(axis, SETTINGS)
        raise ConfigError(f"axis {shown(axis)} is no setting{hint}; an axis of several settings is a list of tables")
    setting = SETTINGS[axis]
    checked = [setting.check(value) for value in values]
    prefix = "" if axis == "env_id" else symbol(setting)
    return tuple(Choice(slug(f"{prefix}{setting.text(value)}"), {axis: value}) for value in checked)


def _takes_tables(axis: str) -> bool:
    return axis in SETTINGS and SETTINGS[axis].kind is dict


def _rule(axis: str, number: int, table: Mapping[str, Any]) -> Choice:
    """Return a choice that sets several settings at once, as a rule of k does."""
    settings = {name: value for name, value in table.items() if name != "name"}
    name = table.get("name", f"{axis}{number}")
    if not isinstance(name, str) or not RUN_ID.match(name):
        raise ConfigError(f"the name of a choice of axis {shown(axis)} must be letters and digits, got {shown(name)}")
    for setting in settings:
        if setting in NO_AXIS:
            raise ConfigError(f"{setting} is no axis: give {NO_AXIS[setting]}")
        if setting not in SETTINGS:
            raise ConfigError(f"unknown setting {shown(setting)}{nearest(setting, SETTINGS)} in axis {shown(axis)}")
    return Choice(name, {name: SETTINGS[name].check(value) for name, value in settings.items()})


def _check_apart(axes: Mapping[str, Sequence[Choice]], base: Mapping[str, object]) -> None:
    """Check that no setting is given twice."""
    owners = {name: "[base]" for name in base if name != "threads"}
    for axis, choices in axes.items():
        for name in {name for choice in choices for name in choice.settings}:
            if name in owners:
                raise ConfigError(f"{name} stands in axis {shown(axis)} and in {owners[name]}; give it once")
            owners[name] = f"axis {shown(axis)}"


def _check_names(runs: Sequence[StudyRun]) -> None:
    known: dict[str, StudyRun] = {}
    for run in runs:
        if run.run_id in known:
            same = "the same run twice" if known[run.run_id].config == run.config else "two runs of one name"
            raise ConfigError(f"{run.run_id} would be {same}; name the choices apart")
        if not RUN_ID.match(run.run_id):
            raise ConfigError(f"{shown(run.run_id)} is too long for a run's name: name the choices of the axes shorter")
        known[run.run_id] = run
