"""Read what a search is to try: the space of settings, how many samples of it, and when a bad one is given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS
from mbpo.settings.setting import Setting, Value, nearest, shown

KEYS = ("samples", "grace_steps", "reduction", "seed", "space")
RANGE = ("low", "high", "log")
DIGITS = 3  # of a sampled number: what a run is called by says all of it


@dataclass(frozen=True)
class Range:
    """Hold numbers from which a sample is drawn, evenly or evenly in the logarithm."""

    low: float
    high: float
    log: bool
    whole: bool


@dataclass(frozen=True)
class Search:
    """Hold what a search is to do; ASHA's words are those of Li et al., 2020, A System for Massively Parallel HPT."""

    samples: int
    grace_steps: int  # env steps that every sample gets
    reduction: int  # of so many samples that came equally far, one goes on
    seed: int  # of the sampler
    space: Mapping[str, Range | tuple[Value, ...]]

    @property
    def told(self) -> dict[str, Any]:
        """Return what a search that was begun cannot change."""
        return {**vars(self), "space": {name: repr(values) for name, values in self.space.items()}}

    def settings_of(self, drawn: Mapping[str, Any]) -> dict[str, Value]:
        """Return the settings of a sample as the sampler drew it: numbers of ranges, texts of listed values."""
        return {name: _setting_of(SETTINGS[name], drawn[name], values) for name, values in self.space.items()}


def search_of(given: Mapping[str, object], total_steps: int, no_axis: Mapping[str, str]) -> Search:
    """Return the search that a study asks for.

    Raises:
        ConfigError: it asks for what no learner can do.
    """
    for key in given:
        if key not in KEYS:
            hint = "; it belongs in [search.space]" if key in SETTINGS else nearest(key, KEYS)
            raise ConfigError(f"unknown key {shown(key)} in [search]{hint}")
    space = given.get("space", {})
    if not isinstance(space, dict) or not space:
        raise ConfigError("[search.space] must name settings, as actor_lr = {low = 1e-4, high = 1e-3, log = true}")
    for name in space:
        if name in no_axis:
            raise ConfigError(f"{name} is not searched: give {no_axis[name]}")
        if name not in SETTINGS:
            raise ConfigError(f"{shown(name)} in [search.space] is no setting{nearest(name, SETTINGS)}")
    return Search(
        samples=_whole(given, "samples", 32, 1, 10_000),
        grace_steps=_whole(given, "grace_steps", max(1, total_steps // 9), 1, total_steps),
        reduction=_whole(given, "reduction", 3, 2, 100),
        seed=_whole(given, "seed", 0, 0, 2**31),
        space={name: _values(SETTINGS[name], wanted) for name, wanted in space.items()},
    )


def _whole(given: Mapping[str, object], name: str, default: int, low: int, high: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} of [search] must be a whole number in [{low:,}, {high:,}], got {shown(value)}")
    return value


def _values(setting: Setting, wanted: object) -> Range | tuple[Value, ...]:
    if isinstance(wanted, list) and wanted:
        return tuple(setting.check(value) for value in wanted)
    if not isinstance(wanted, dict):
        raise ConfigError(f"{setting.name} in [search.space] must be a list or {{low, high}}, got {shown(wanted)}")
    if setting.kind not in (int, float):
        raise ConfigError(f"{setting.name} must {setting.expected}: give a list of its values, and no range")
    for key in wanted:
        if key not in RANGE:
            raise ConfigError(f"a range of {setting.name} has low, high and log, got {shown(key)}")
    low, high = (setting.check(wanted.get(key)) for key in ("low", "high"))
    log = wanted.get("log", False)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or not isinstance(log, bool):
        raise ConfigError(f"a range of {setting.name} must be two numbers, and log true or false")
    if not low < high or (log and low <= 0):
        above = " above 0" if log else ""
        raise ConfigError(f"the range of {setting.name} must rise from low to high{above}, got {low:g} to {high:g}")
    return Range(float(low), float(high), log, setting.kind is int)


def _setting_of(setting: Setting, drawn: Any, values: Range | tuple[Value, ...]) -> Value:
    if not isinstance(values, Range):
        return setting.parse(drawn)
    if values.whole:
        return setting.check(int(drawn))
    return setting.check(min(max(float(f"{drawn:.{DIGITS}g}"), values.low), values.high))
