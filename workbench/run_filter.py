"""Read a filter for runs, as a user of SQL or W&B would write it: ``env=Hopper* and k>=5 and best>1000``.

A word alone is looked for in the run's name, environment, preset and state. Words beside each other must all hold.
"""

from __future__ import annotations

import fnmatch
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mbpo.errors import ConfigError
from workbench.messages import RunRow

Test = Callable[[RunRow], bool]
Known = str | float | bool | None

TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<op>!=|<>|<=|>=|==|=|<|>|~|:)|(?P<bang>!)|"""
    r""""(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s()"'=<>!~:]+(?::(?=[A-Z])[^\s()"'=<>!~:]+)?))"""
)
WORDS = {"&&": "and", "||": "or", "&": "and", "|": "or"}
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

FIELDS: Mapping[str, Callable[[RunRow], Known]] = {
    "name": lambda row: row.run_id,
    "env": lambda row: row.env_id,
    "preset": lambda row: row.preset,
    "state": lambda row: row.state,
    "parent": lambda row: row.parent,
    "seed": lambda row: float(row.seed),
    "steps": lambda row: float(row.env_steps),
    "total": lambda row: float(row.total_steps),
    "eval": lambda row: row.eval_return,
    "best": lambda row: row.best_return,
    "solved": lambda row: row.solved_at,
    "return": lambda row: row.last_return,
    "speed": lambda row: row.steps_per_s,
    "hand": lambda row: row.interactive,
}
ALIASES = {
    "run": "name",
    "id": "name",
    "env_id": "env",
    "environment": "env",
    "fork": "parent",
    "env_steps": "steps",
    "step": "steps",
    "total_steps": "total",
    "evaluation": "eval",
    "eval_return": "eval",
    "best_return": "best",
    "solved_at": "solved",
    "last_return": "return",
    "steps_per_s": "speed",
    "interactive": "hand",
    "k": "rollout_length",
}
SETTINGS = ("rollout_length", "real_ratio", "k_policy", "updates_per_step", "model_train_freq")


@dataclass(frozen=True)
class Token:
    """Hold a piece of a filter: an operator, a parenthesis, or a word, which quotes make one whatever it says."""

    text: str
    kind: str  # op, paren, word or quoted


def parse_filter(text: str) -> Test:
    """Return what ``text`` asks of a run; nothing asked holds of all.

    Raises:
        ConfigError: it cannot be read; the message says where, and what would do.
    """
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if found is None or not found.group().strip():
            raise ConfigError(f"a quote is not closed: {text[at:].strip()[:20]}")
        at = found.end()
        kind = found.lastgroup or "word"
        if kind in ("double", "single"):
            tokens.append(Token(found[kind], "quoted"))
        elif kind == "bang":
            tokens.append(Token("not", "word"))
        else:
            tokens.append(Token(WORDS.get(found[kind], found[kind]), kind))
    return tokens


class _Parser:
    """Read ``or`` of ``and`` of ``not`` of comparisons, words and parentheses."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Test:
        if not self._tokens:
            return lambda row: True
        test = self._any()
        if self._next() is not None:
            raise ConfigError(f"{self._tokens[self._at].text} stands too much")
        return test

    def _next(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, word: str) -> bool:
        found = self._next()
        taken = found is not None and found.kind in ("word", "paren") and found.text.lower() == word
        self._at += taken
        return taken

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("and") or self._goes_on():
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _goes_on(self) -> bool:
        found = self._next()
        if found is None or found.text == ")" or found.kind == "op":
            return False
        return found.kind != "word" or found.text.lower() != "or"

    def _one(self) -> Test:
        if self._take("not"):
            negated = self._one()
            return lambda row: not negated(row)
        if self._take("("):
            inside = self._any()
            if not self._take(")"):
                raise ConfigError("a ) is missing")
            return inside
        found = self._next()
        joins = found is not None and found.kind == "word" and found.text.lower() in ("and", "or")
        if found is None or joins or found.kind in ("op", "paren"):
            raise ConfigError("a name or a comparison is missing, as in env=Hopper* and k>=5")
        self._at += 1
        after = self._next()
        if after is None or after.kind != "op":
            return _mentions(found.text)
        self._at += 1
        value = self._next()
        if value is None or value.kind in ("op", "paren"):
            raise ConfigError(f"a value is missing after {found.text}{after.text}")
        self._at += 1
        return _comparison(found.text.lower(), after.text, value.text)


def _mentions(word: str) -> Test:
    wanted = word.lower()
    return lambda row: any(wanted in text.lower() for text in (row.run_id, row.env_id, row.preset, row.state))


def _comparison(name: str, op: str, wanted: str) -> Test:
    read = _reader(ALIASES.get(name, name), name)
    if op in ORDERS:
        number = _number(wanted)
        if number is None:
            raise ConfigError(f"{name}{op} needs a number, got {wanted}")
        order = ORDERS[op]
        return lambda row: (value := _number(read(row))) is not None and order(value, number)
    if op in ("~", ":"):
        try:
            pattern = re.compile(wanted if op == "~" else re.escape(wanted), re.IGNORECASE)
        except re.error as error:
            raise ConfigError(f"{wanted} is no regular expression: {error}") from None
        return lambda row: pattern.search(_text(read(row))) is not None
    differs = op in ("!=", "<>")
    return lambda row: _equal(read(row), wanted) is not differs


def in_order(rows: Iterable[RunRow], field: str) -> list[RunRow]:
    """Return ``rows`` sorted by a field of ``FIELDS``: numbers from the greatest, texts from A, nothing last."""
    read = FIELDS[field]

    def place(row: RunRow) -> tuple[bool, float, str]:
        value = read(row)
        number = _number(value)
        missing = value is None or (number is not None and math.isnan(number))
        return missing, 0.0 if number is None or missing else -number, _text(value).lower() if number is None else ""

    return sorted(rows, key=place)


def _reader(field: str, name: str) -> Callable[[RunRow], Known]:
    if field in FIELDS:
        return FIELDS[field]
    if field in SETTINGS:
        return lambda row: row.controls.get(field)
    raise ConfigError(f"{name} is no field; there are {', '.join((*FIELDS, 'k', *SETTINGS))}")


def _equal(value: Known, wanted: str) -> bool:
    one, other = _number(value), _number(wanted)
    if one is not None and other is not None:
        return one == other
    return fnmatch.fnmatchcase(_text(value).lower(), wanted.lower())


def _number(value: Known) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except ValueError:
        return None


def _text(value: Known) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
