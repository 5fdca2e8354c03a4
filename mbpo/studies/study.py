"""Hold a study: settings, axes of settings whose product is tried, and seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.layout import RUN_ID
from mbpo.settings.config import SETTINGS, Config, resolve
from mbpo.settings.flags import flags_beside_preset
from mbpo.settings.grid import symbol
from mbpo.settings.setting import Value, nearest, shown
from mbpo.studies.ray_options import RayOptions
from mbpo.studies.space import Search

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


def sample_of(settings: Mapping[str, Value]) -> Choice:
    """Return a sample of a search, called by its values; where these are too long, by what stands for them."""
    name = "-".join(slug(f"{symbol(SETTINGS[name])}{SETTINGS[name].text(value)}") for name, value in settings.items())
    if len(name) > LONGEST_SAMPLE or not RUN_ID.match(name):
        name = f"x{sha256(repr(sorted(settings.items())).encode()).hexdigest()[:12]}"
    return Choice(name, settings)


def symbol_of(axis: str) -> str:
    """Return what an axis is called: the paper's letter of its setting, if it is one and has one."""
    return symbol(SETTINGS[axis]) if axis in SETTINGS else axis


def _joined(chosen: Sequence[Choice]) -> dict[str, Value]:
    return {name: value for choice in chosen for name, value in choice.settings.items()}


def _run_id(chosen: Sequence[Choice], seed: int) -> str:
    """Return the name of a run: it stays what it is when values and seeds are added to the study later."""
    return "-".join([*(choice.name for choice in chosen), f"s{seed}"])


def slug(text: str) -> str:
    """Return a text as a part of a run's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")
