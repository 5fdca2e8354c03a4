"""Describe a setting: what it accepts, and how to say so when a value is refused."""

from __future__ import annotations

import difflib
import math
import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.toml_text import Table, inline, parts_of, plain, table_of

Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...] | Table
MOST_TEXT = 1000  # characters of a list or table


@dataclass(frozen=True)
class Dial:
    """Say how a person turns a live setting. What is left empty follows from its name, kind and range."""

    symbol: str = ""  # what the paper calls it
    key: str = ""  # a letter that turns it down; its capital turns it up
    down: str = ""  # what turning it down does, in words
    up: str = ""
    stops: tuple[float, ...] = ()  # the values that a turn goes to, rising
    metric: str = ""  # logs the value in force; what sampling did is this key with _measured


@dataclass(frozen=True)
class Setting:
    """Describe one setting of a run, as its field in :class:`Config` declares it."""

    name: str
    kind: type  # bool, int, float, str; tuple for some numbers, list for any number of texts, dict for a table
    default: Value
    doc: str
    group: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False  # whether ``low`` itself is outside the range
    auto: bool = False  # whether the word "auto" is a value
    live: bool = False  # whether a running learner accepts a change
    dial: Dial = Dial()  # of a live setting
    choices: Collection[str] = ()
    length: int = 0  # how many numbers a tuple has
    also: Callable[[Any], str] | None = None  # says what else is wrong with a value, or ""
    flag: str = ""  # the command line's spelling; where empty it follows from the name

    def __post_init__(self) -> None:
        if not self.flag:
            object.__setattr__(self, "flag", "--" + self.name.replace("_", "-"))

    @property
    def expected(self) -> str:
        """Say in words what the setting accepts."""
        if self.choices:
            return "be one of " + ", ".join(self.choices)
        if self.kind is bool:
            return "be true or false"
        if self.kind is str:
            return "be text"
        if self.kind is tuple:
            return f"be {self.length} numbers in {self.range_text}, like 20,150,1,15"
        if self.kind in (dict, list):
            return "be a table of TOML values" if self.kind is dict else "be a list of texts"
        noun = "be a whole number in " if self.kind is int else "lie in "
        return noun + self.range_text + (' or be "auto"' if self.auto else "")

    @property
    def range_text(self) -> str:
        """Write the range as an interval."""
        left = "(" if self.open_low or math.isinf(self.low) else "["
        right = ")" if math.isinf(self.high) else "]"
        return f"{left}{_number(self.low)}, {_number(self.high)}{right}"

    def check(self, value: object) -> Value:
        """Return ``value`` in the setting's own type.

        Raises:
            ConfigError: it is of another type, non-finite or outside the range.
        """
        checked = self._convert(value)
        if checked is None:
            raise ConfigError(f"{self.name} must {self.expected}, got {shown(value)}")
        if self.also is not None and (wrong := self.also(checked)):
            raise ConfigError(f"{self.name} must {wrong}")
        return checked

    def parse(self, text: str) -> Value:
        """Return the value that ``text`` spells on a command line or in a form.

        Raises:
            ConfigError: as :meth:`check`.
        """
        if self.kind in (dict, list):
            return self.parse_each(parts_of(text))
        return self.check(_from_text(text.strip(), self.kind))

    def parse_each(self, texts: list[str]) -> Value:
        """Return the table or list whose parts ``texts`` spell.

        Raises:
            ConfigError: as :meth:`check`.
        """
        return self.check(table_of(texts) if self.kind is dict else texts)

    def words(self, value: Value) -> list[str]:
        """Spell ``value`` as a command line takes it: one word, or one for each part of a table or list."""
        if isinstance(value, dict):
            return inline(value)
        if self.kind is list and isinstance(value, tuple):
            return [str(part) for part in value]
        if isinstance(value, bool):
            return [str(value).lower()]
        if isinstance(value, tuple):
            return [",".join(_spelled(part) for part in value)]
        return [str(value)]  # a float's is the shortest text that gives the same float back

    def text(self, value: Value) -> str:
        """Spell ``value`` as a form takes it, in one line."""
        return "; ".join(self.words(value))

    def _convert(self, value: object) -> Value | None:
        if self.auto and value == "auto":
            return "auto"
        if self.kind is bool:
            return value if isinstance(value, bool) else None
        if self.kind is str:
            ok = isinstance(value, str) and value.isprintable() and 0 < len(value) <= 200
            return str(value) if ok and (not self.choices or value in self.choices) else None
        if self.kind in (dict, list):
            return self._convert_parts(value)
        if self.kind is tuple:
            return self._convert_numbers(value)
        return self._convert_number(value)

    def _convert_parts(self, value: object) -> Table | tuple[str, ...] | None:
        found = plain(value)
        if found is None or len(repr(found)) > MOST_TEXT:
            return None
        if self.kind is dict:
            ok = isinstance(found, dict) and all(key.isidentifier() for key in found)
            return Table(found) if ok else None
        ok = isinstance(found, list) and all(isinstance(part, str) and part for part in found)
        return tuple(found) if ok else None

    def _convert_numbers(self, value: object) -> tuple[float, ...] | None:
        if not isinstance(value, (list, tuple)) or len(value) != self.length:
            return None
        numbers = tuple(v for v in map(self._convert_number, value) if v is not None)
        return numbers if len(numbers) == self.length else None

    def _convert_number(self, value: object) -> int | float | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if not self.low <= value <= self.high or (self.open_low and value == self.low):
            return None  # NaN fails the first comparison
        if isinstance(value, float) and math.isinf(value):
            return None
        if self.kind is int:
            return int(value) if isinstance(value, int) or value.is_integer() else None
        return float(value)


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"


def shown(value: object) -> str:
    """Write a refused value in at most 40 printable characters."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)
    return (text if len(text) <= 40 else text[:37] + "...") or "nothing"


def _spelled(number: Any) -> str:
    return short if float(short := f"{number:.12g}") == number else repr(number)


def _from_text(text: str, kind: type) -> object:
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind is tuple:
        return [_from_text(part.strip(), float) for part in text.strip("[]").split(",")]
    if kind in (int, float):
        for number in (int, float):
            try:
                return number(text) if "_" not in text else text
            except ValueError:
                continue
    return text


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean X?"`` for the closest valid name, else the list of names."""
    names = list(valid)
    begun = [n for n in names if len(name) > 3 and n.startswith(name)]
    close = begun or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; valid: {_some(names)}"


def _some(names: Iterable[str]) -> str:
    """Return names in a list that fits into a line; where not all do, dots stand for the rest."""
    return textwrap.shorten(", ".join(names), 90, placeholder=" …")
