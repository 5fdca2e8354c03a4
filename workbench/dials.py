"""Call, find and turn a live setting as its declaration says."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.language import tr
from mbpo.settings.setting import Setting, Value

ONE_BY_ONE = 1000  # values in the range of a whole number that is turned by 1
SHARE_OF_RANGE = 20  # stops in the range of a number that has a small one
SMALL_RANGE = 10.0


def label(name: str) -> str:
    """Return what a setting is called on screen: its symbol, else its name."""
    setting = LIVE_SETTINGS.get(name)
    return setting.dial.symbol or name if setting is not None else name


def short(setting: Setting) -> str:
    """Return the setting's symbol, else the last word of its name."""
    return setting.dial.symbol or setting.name.rpartition("_")[2]


def initials(name: str) -> str:
    """Return the first letters of the words of a name: ``rr`` for real_ratio."""
    return "".join(word[0] for word in name.split("_") if word)


def shortened(what: str) -> str:
    """Return words about live settings with initials in place of their names."""
    for name, setting in LIVE_SETTINGS.items():
        if not setting.dial.symbol and "_" in name:
            what = what.replace(name, initials(name))
    return what


def keyed() -> list[Setting]:
    """Return the live settings that have a key of their own, in the order of declaration."""
    return [setting for setting in LIVE_SETTINGS.values() if setting.dial.key]


def turnable() -> list[Setting]:
    """Return the live settings that can be turned: all but texts and lists of numbers."""
    return [s for s in LIVE_SETTINGS.values() if s.kind in (bool, int, float) or s.choices]


def turns(setting: Setting) -> tuple[str, str]:
    """Say what turning a setting down does, and up."""
    down, up = tr(setting.dial.down), tr(setting.dial.up)
    if setting.choices:
        return down or tr("previous {name}", name=setting.name), up or tr("next {name}", name=setting.name)
    return down or tr("less {name}", name=setting.name), up or tr("more {name}", name=setting.name)


def accepted(setting: Setting) -> str:
    """Return the values that ``setting`` takes, in a few characters."""
    if setting.kind is bool:
        return tr("true or false")
    if setting.choices:
        return functools.reduce(_or, setting.choices)
    if setting.kind is dict:
        return "key=value; key=value"
    if setting.kind in (str, list):
        return ""
    return _or(setting.range_text, "auto") if setting.auto else setting.range_text


def _or(one: str, other: str) -> str:
    return tr("{one} or {other}", one=one, other=other)


def facts(setting: Setting) -> str:
    """Return a setting's unit and what it takes, unless its doc names each of its choices already."""
    told = bool(setting.choices) and all(f"{choice}:" in setting.doc for choice in setting.choices)
    return ", ".join(fact for fact in (tr(setting.unit), "" if told else accepted(setting)) if fact)


def named(text: str) -> Setting | None:
    """Return the one live setting that a person may mean by ``text``: symbol, name, initials or a part of the name."""
    settings = LIVE_SETTINGS.values()
    exact = [s for s in settings if text in (s.name, s.dial.symbol)]
    by_initials = [s for s in settings if text == initials(s.name)]
    by_part = [s for s in settings if len(text) >= 3 and text in s.name]
    return next((found[0] for found in (exact, by_initials, by_part) if len(found) == 1), None)


def turned(setting: Setting, value: bool | int | float | str, turns: int) -> Value:
    """Return the value that many turns from ``value``: along its stops, as far as they reach."""
    if setting.choices:
        choices = list(setting.choices)
        index = choices.index(str(value)) if value in choices else 0
        return choices[min(max(index + turns, 0), len(choices) - 1)]
    if setting.kind is bool:
        return turns > 0
    at = float(value)
    for _ in range(abs(turns)):
        at = _next(setting, at, up=turns > 0)
    return setting.check(at)


def _next(setting: Setting, value: float, up: bool) -> float:
    slack = 1e-9 * max(abs(value), 1.0)
    stops = _stops(setting, value)
    if up:
        return min((stop for stop in stops if stop > value + slack), default=value)
    return max((stop for stop in stops if stop < value - slack), default=value)


def _stops(setting: Setting, value: float) -> list[float]:
    """Return stops around a value: those declared, else by 1, by a share of the range, or 1, 2, 5, 10."""
    extent = setting.high - setting.low
    stops: Iterable[float] = setting.dial.stops
    if not stops and setting.kind is int and extent <= ONE_BY_ONE:
        stops = (round(value) - 1, round(value) + 1)
    elif not stops and extent <= SMALL_RANGE:
        stops = (round(setting.low + extent * n / SHARE_OF_RANGE, 9) for n in range(SHARE_OF_RANGE + 1))
    elif not stops:
        stops = _decades(value, setting.low, setting.kind is int)
    bounded = [min(max(stop, setting.low), setting.high) for stop in stops]
    return [stop for stop in bounded if not (setting.open_low and stop == setting.low)]


def _decades(value: float, low: float, whole: bool) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten around a value, and 0; negative ones too where they are accepted."""
    exponent = math.floor(math.log10(abs(value))) if value else (0 if whole else -3)
    powers = range(max(exponent - 1, 0) if whole else exponent - 1, max(exponent, 0) + 2 if whole else exponent + 2)
    sizes = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [*(-size for size in sizes if low < 0), 0.0, *sizes]
