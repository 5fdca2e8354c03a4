"""Read which runs are asked for at once: seeds, and several values of a setting, each with each of another."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS, resolve
from mbpo.settings.language import tr_n
from mbpo.settings.setting import Setting, Value, nearest, shown

MOST_RUNS = 1000
SEED_PART = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10})(?::([0-9]{1,10}))?)?")
WHOLE = (list, dict)  # kinds of which a text is one value, whatever is in it
LONGEST_END = 20  # of a run's name, which has 64 characters
NOT_IN_A_GRID = {  # and what to give for it
    "seed": "--seeds 0:5",
    "preset": "one command for each",
    "env_id": "one command for each",
    "threads": "one number: all runs share the cores",
}


@dataclass(frozen=True)
class Point:
    """Hold one of the runs."""

    changes: Mapping[str, Value]  # what it has otherwise, its seed too
    arm: str  # what it shares with those of other seeds, as "k=5"; nothing where only the seeds differ
    label: str  # tells it from all others, in words
    end: str  # tells it from all others, in its name

    @property
    def seed(self) -> int:
        """Return its seed."""
        seed = self.changes["seed"]
        assert isinstance(seed, int)
        return seed


@dataclass(frozen=True)
class Grid:
    """Hold seeds, and the values of settings; every seed goes with every value of each."""

    seeds: tuple[int, ...]
    values: Mapping[str, tuple[Value, ...]]

    @property
    def size(self) -> int:
        """Return how many runs it makes."""
        return math.prod(map(len, (self.seeds, *self.values.values())))

    @property
    def arms(self) -> list[dict[str, Value]]:
        """Return every choice of values, the last setting's turning first."""
        return [dict(zip(self.values, chosen, strict=True)) for chosen in itertools.product(*self.values.values())]

    @functools.cached_property
    def points(self) -> tuple[Point, ...]:
        """Return every run, all values of one seed before the next: an early look compares them."""
        arms, ends, width = self.arms, self._ends(), len(str(max(self.seeds)))
        return tuple(
            Point({**arm, "seed": seed}, arm_name(arm), _label(arm, seed), f"{end}s{seed:0{width}}")
            for seed in self.seeds
            for arm, end in zip(arms, ends, strict=True)
        )

    @property
    def words(self) -> str:
        """Say what it is made of, as 3 k × 5 seeds."""
        parts = [f"{len(values)} {symbol(SETTINGS[name])}" for name, values in self.values.items()]
        seeds = len(self.seeds)
        return " × ".join([*parts, *([tr_n("{n} seed", "{n} seeds", seeds)] if seeds > 1 or not parts else [])])

    def check(self, overrides: Mapping[str, object], preset: str) -> None:
        """Check that every run can be used with ``overrides``.

        Raises:
            ConfigError: one cannot, or there are too many.
        """
        if self.size > MOST_RUNS:
            raise ConfigError(f"at most {MOST_RUNS} runs at once, got {self.size}: {self.words}")
        for arm in self.arms:
            resolve({**overrides, **arm, "seed": self.seeds[0]}, preset)

    def flags(self, seeds: str = "") -> list[str]:
        """Return the command line's flags; ``seeds`` is how a person wrote the seeds, if at all."""
        written = ["--seeds", seeds.replace(" ", "")] if seeds else []
        grids = [["--grid", f"{name}={_spelled(SETTINGS[name], values)}"] for name, values in self.values.items()]
        return [*written, *itertools.chain.from_iterable(grids)]

    def _ends(self) -> list[str]:
        """Return what the names of each arm's runs have before the seed: its values, or its number where they cannot.

        They sort as the values do.
        """
        if not self.values:
            return [""]
        columns = [_slugs(SETTINGS[name], values) for name, values in self.values.items()]
        ends = ["-".join(chosen) + "-" for chosen in itertools.product(*columns)]
        if len(set(ends)) < len(ends) or max(map(len, ends)) > LONGEST_END - 1 - len(str(max(self.seeds))):
            return [f"g{number:0{len(str(len(ends)))}}-" for number in range(1, len(ends) + 1)]
        return ends


def values_of(setting: Setting, text: str) -> tuple[Value, ...]:
    """Return the values that ``text`` lists, often one: ``1,5,15``; of ``seed`` also ``0:5``.

    What can be read as one value is one. Numbers that belong together, as 20,150,1,15, are listed with ``|`` between
    them; lists, tables and texts of one's own are never split.

    Raises:
        ConfigError: one cannot be used, or stands twice.
    """
    if setting.name == "seed" and ("," in text or ":" in text):
        return parse_seeds(text, "seed")
    between = "|" if setting.kind is tuple else ","
    if setting.kind in WHOLE or between not in text:
        return (setting.parse(text),)
    try:
        return (setting.parse(text),)
    except ConfigError:
        values = tuple(setting.parse(part) for part in text.split(between))
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(f"{setting.name} must have each value once, got {setting.text(value)} twice")
    return values


def parse_grid(texts: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """Return the values of each setting that texts NAME=VALUE,VALUE name.

    Raises:
        ConfigError: a setting is unknown, named twice or the same in all runs, or a value cannot be used.
    """
    found: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        name, equals, listed = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals:
            raise ConfigError(f"--grid must be like rollout_length=1,5,15, got {shown(text)}")
        if name not in SETTINGS:
            raise ConfigError(f"unknown setting {shown(name)}{nearest(name, SETTINGS)} (from --grid)")
        if name in found:
            raise ConfigError(f"--grid must name {name} once; give all its values there")
        check_in_grid(name)
        try:
            found[name] = values_of(SETTINGS[name], listed)
        except ConfigError as error:
            raise ConfigError(f"{error} (from --grid)") from None
    return found


def check_in_grid(name: str) -> None:
    """Check that a setting may have several values.

    Raises:
        ConfigError: it may not.
    """
    if name in NOT_IN_A_GRID:
        raise ConfigError(f"{name} cannot have several values: give {NOT_IN_A_GRID[name]}")


def parse_seeds(text: str, whence: str = "--seeds") -> tuple[int, ...]:
    """Return the seeds that ``text`` names, in its order: 2, 0,3,7, 0:5 (without 5) or 0:10:2.

    Raises:
        ConfigError: it names none, one twice, one out of range, or more than 1000.
    """
    parts = [_seed_range(part.strip(), text, whence) for part in text.split(",")]
    if (count := sum(map(len, parts))) > MOST_RUNS:
        raise ConfigError(f"{whence} must name at most {MOST_RUNS} seeds, got {count}: {shown(text)}")
    seeds = tuple(itertools.chain.from_iterable(parts))
    try:
        SETTINGS["seed"].check(max(seeds))
    except ConfigError as error:
        raise ConfigError(f"{error} (from {whence})") from None
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise ConfigError(f"{whence} must name each seed once, got {twice[0]} twice: {shown(text)}")
    return seeds


def symbol(setting: Setting) -> str:
    """Return what a setting is called for short: the paper's letter where it has one."""
    return setting.dial.symbol or setting.name


def arm_name(arm: Mapping[str, Value]) -> str:
    """Return a choice of values in words, as ``k=5 real_ratio=0.1``."""
    return " ".join(f"{symbol(SETTINGS[name])}={SETTINGS[name].text(value)}" for name, value in arm.items())


def _label(arm: Mapping[str, Value], seed: int) -> str:
    return f"{arm_name(arm)} s{seed}" if arm else str(seed)


def _spelled(setting: Setting, values: Iterable[Value]) -> str:
    return ("|" if setting.kind is tuple else ",").join(setting.text(value) for value in values)


def _slugs(setting: Setting, values: Sequence[Value]) -> list[str]:
    counts = [value for value in values if type(value) is int and value >= 0]
    width = len(str(max(counts, default=0)))
    texts = [f"{v:0{width}}" if type(v) is int and v >= 0 else setting.text(v) for v in values]
    return [re.sub(r"[^A-Za-z0-9._]+", "-", symbol(setting) + text).strip("-.") for text in texts]


def _seed_range(part: str, text: str, whence: str) -> range:
    found = SEED_PART.fullmatch(part)
    if found is None:
        raise ConfigError(f"{whence} must be like 0:5, 0:10:2 or 0,3,7, got {shown(text)}")
    first, end, step = (None if number is None else int(number) for number in found.groups())
    assert first is not None
    if end is None:
        return range(first, first + 1)
    if end <= first or step == 0:
        raise ConfigError(
            f"{whence} A:B:STEP must have A < B and STEP ≥ 1, got {shown(part)}: no seed; 0:5 is 0,1,2,3,4"
        )
    return range(first, end, step or 1)
