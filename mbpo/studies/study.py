"""Read what a study asks for from its file: settings, axes of settings whose product is tried, and seeds."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RUN_ID
from mbpo.settings.config import SETTINGS, Config, resolve
from mbpo.settings.flags import flags_beside_preset
from mbpo.settings.grid import parse_seeds, symbol
from mbpo.settings.setting import Value, nearest, shown
from mbpo.studies.ray_options import RayOptions, ray_options
from mbpo.studies.sbatch_options import sbatch_options
from mbpo.studies.space import Search, search_of

KEYS = ("name", "base", "axes", "seeds", "threshold", "slurm", "ray", "search")
NO_AXIS = {"seed": 'seeds = "0:8"', "threads": "one number in [base]: rounding is theirs", "preset": "a study for each"}
NOT_SEARCHED = {**NO_AXIS, "total_steps": "one number in [base]", "env_id": "one in [base], or a study for each"}
MOST_RUNS = 10_000
LONGEST_NAME = 40
LONGEST_SAMPLE = 50  # with the seed behind it, it still is a run's name


@dataclass(frozen=True)
class Choice:
    """Hold one of the values of an axis: what it sets, and its part of a run's name."""

    name: str
    settings: Mapping[str, Value]
    given_up: bool = False  # a sample that the search does not go on with


@dataclass(frozen=True)
class StudyRun:
    """Hold one run of a study."""

    run_id: str
    config: Config
    given_up: bool = False  # by the search that it is of

    @property
    def flags(self) -> list[str]:
        """Return its settings as flags of ``python -m mbpo.train``."""
        return flags_beside_preset(vars(self.config), always=("seed", "threads"))


@dataclass(frozen=True)
class Recipe:
    """Hold what the runs of a study have in common."""

    base: Mapping[str, Any]
    preset: str | None

    @property
    def config(self) -> Config:
        """Return the settings with nothing chosen."""
        return resolve(self.base, self.preset)

    def run(self, chosen: Sequence[Choice], seed: int) -> StudyRun:
        """Return the run of some choices and a seed."""
        config = resolve({**self.base, **_joined(chosen), "seed": seed}, self.preset)
        return StudyRun(_run_id(chosen, seed), config, any(choice.given_up for choice in chosen))


@dataclass(frozen=True)
class Study:
    """Hold a study."""

    name: str  # of the folder of its runs, below the runs root
    axes: Mapping[str, tuple[Choice, ...]]
    seeds: tuple[int, ...]
    runs: tuple[StudyRun, ...]  # all choices of one seed before the next: an early look compares them
    recipe: Recipe
    slurm: Mapping[str, str | int | bool]  # options of sbatch
    ray: RayOptions
    search: Search | None  # what it is made of instead of axes; its runs are those of the samples drawn so far

    @property
    def cores(self) -> int:
        """Return the cores that each run has for itself; threads are the same in all, as no axis changes them."""
        threads = self.recipe.config.threads
        return threads if isinstance(threads, int) else 1

    def of_samples(self, samples: Sequence[Choice]) -> Study:
        """Return a search with the runs of these samples."""
        return replace(self, runs=tuple(self.recipe.run([sample], seed) for sample in samples for seed in self.seeds))

    def only(self, names: Sequence[str]) -> Study:
        """Return the study with some of its runs.

        Raises:
            ConfigError: it has no run of such a name.
        """
        known = {run.run_id: run for run in self.runs}
        for name in names:
            if name not in known:
                raise ConfigError(f"--only {shown(name)}: the study has no such run{nearest(name, known)}")
        return replace(self, runs=tuple(run for run in self.runs if run.run_id in names))

    @property
    def words(self) -> str:
        """Say what it is made of, as 3 k × 8 seeds."""
        parts = [f"{len(choices)} {symbol_of(name)}" for name, choices in self.axes.items()]
        parts += [f"{self.search.samples} samples"] if self.search else []
        return " × ".join([*parts, f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"])


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


def sample_of(settings: Mapping[str, Value]) -> Choice:
    """Return a sample of a search, called by its values; where these are too long, by what stands for them."""
    name = "-".join(_slug(f"{symbol(SETTINGS[name])}{SETTINGS[name].text(value)}") for name, value in settings.items())
    if len(name) > LONGEST_SAMPLE or not RUN_ID.match(name):
        name = f"x{sha256(repr(sorted(settings.items())).encode()).hexdigest()[:12]}"
    return Choice(name, settings)


def symbol_of(axis: str) -> str:
    """Return what an axis is called: the paper's letter of its setting, if it is one and has one."""
    return symbol(SETTINGS[axis]) if axis in SETTINGS else axis


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
    return tuple(Choice(_slug(f"{prefix}{setting.text(value)}"), {axis: value}) for value in checked)


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


def _joined(chosen: Sequence[Choice]) -> dict[str, Value]:
    return {name: value for choice in chosen for name, value in choice.settings.items()}


def _run_id(chosen: Sequence[Choice], seed: int) -> str:
    """Return the name of a run: it stays what it is when values and seeds are added to the study later."""
    return "-".join([*(choice.name for choice in chosen), f"s{seed}"])


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")
