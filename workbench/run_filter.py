"""Read a filter for runs, as a user of SQL or W&B would write it: ``env=Hopper* and k>=5 and best>1000``.

A word alone is looked for in the run's name, title, tags, environment, preset and state; ``archived`` alone asks for
runs that are put away. Words beside each other must all hold.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mbpo.errors import ConfigError
from mbpo.settings.language import tr
from workbench.messages import RunRow
from workbench.run_fields import Field, Known, as_number, field_named, text_of

Test = Callable[[RunRow], bool]

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
            raise ConfigError(tr("a quote is not closed: {text}", text=text[at:].strip()[:20]))
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
            raise ConfigError(tr("{text} stands too much", text=self._tokens[self._at].text))
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
                raise ConfigError(tr("a ) is missing"))
            return inside
        found = self._next()
        joins = found is not None and found.kind == "word" and found.text.lower() in ("and", "or")
        if found is None or joins or found.kind in ("op", "paren"):
            raise ConfigError(tr("a name or a comparison is missing, as in env=Hopper* and k>=5"))
        self._at += 1
        after = self._next()
        if after is None or after.kind != "op":
            return _mentions(found.text)
        self._at += 1
        value = self._next()
        if value is None or value.kind in ("op", "paren"):
            raise ConfigError(tr("a value is missing after {before}", before=f"{found.text}{after.text}"))
        self._at += 1
        return _comparison(found.text.lower(), after.text, value.text)


def asks_for_archived(text: str) -> bool:
    """Return whether a filter speaks of archived runs, so that they are to be listed."""
    try:
        return any(token.kind == "word" and token.text.lower() == "archived" for token in _tokens(text))
    except ConfigError:
        return False


def _mentions(word: str) -> Test:
    wanted = word.lower()
    if wanted == "archived":
        return lambda row: row.about.archived

    def test(row: RunRow) -> bool:
        texts = (row.run_id, row.env_id, row.preset, row.state, tr(row.state), row.about.title, *row.about.tags)
        return any(wanted in text.lower() for text in texts)

    return test


def _comparison(name: str, op: str, wanted: str) -> Test:
    field = field_named(name)
    read = field.read
    if op in ORDERS:
        number = field.parse(wanted)
        if number is None:
            needed = field.example or tr("a number")
            raise ConfigError(
                tr("{field} needs {needed}, got {wanted}", field=f"{name}{op}", needed=needed, wanted=wanted)
            )
        order = ORDERS[op]
        return lambda row: (value := as_number(read(row))) is not None and order(value, number)
    if op in ("~", ":"):
        try:
            pattern = re.compile(wanted if op == "~" else re.escape(wanted), re.IGNORECASE)
        except re.error as error:
            raise ConfigError(tr("{wanted} is no regular expression: {error}", wanted=wanted, error=error)) from None
        return lambda row: any(pattern.search(text) for text in _texts(read(row), field))
    differs = op in ("!=", "<>")
    return lambda row: _equal(read(row), wanted, field) is not differs


def _equal(value: Known, wanted: str, field: Field) -> bool:
    if isinstance(value, tuple):
        return any(fnmatch.fnmatchcase(part.lower(), wanted.lower()) for part in value or ("none",))
    one, other = as_number(value), field.parse(wanted)
    if one is not None and other is not None:
        return one == other
    return any(fnmatch.fnmatchcase(text.lower(), wanted.lower()) for text in _texts(value, field))


def _texts(value: Known, field: Field) -> set[str]:
    """Return a value as a filter compares it, and as the app's language has it."""
    return {text_of(value), field.write(value)} if isinstance(value, str) else {text_of(value)}
