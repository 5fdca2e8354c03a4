"""Read and write what a person types of an environment: ``key=value`` and ``module:Class(key=value)``.

Values are TOML, else text. Nothing here is ever evaluated or imported.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import tomli_w

from mbpo.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WRAPPER = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)(?:\((.*)\))?\Z", re.ASCII)
PART = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^;"'])+""")
DEEPEST = 8


class Table(dict[str, Any]):
    """Hold keyword arguments: a dict that is never changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(sorted(self.items())))


def value_of(text: str) -> Any:
    """Return the TOML value that ``text`` spells, or ``text`` itself where it spells none."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return found["value"] if found.keys() == {"value"} and plain(found["value"]) is not None else text


def plain(value: object, depth: int = 0) -> Any:
    """Return ``value`` if it is a bool, number, text, or a list or table of such; else None."""
    if isinstance(value, (bool, int, float)):
        return None if isinstance(value, float) and math.isnan(value) else value
    if isinstance(value, str):
        return value if value.isprintable() or not value else None
    if depth > DEEPEST:
        return None
    if isinstance(value, (list, tuple)):
        parts = [plain(part, depth + 1) for part in value]
        return None if any(part is None for part in parts) else parts
    if isinstance(value, Mapping):
        table = {key: plain(part, depth + 1) for key, part in value.items() if isinstance(key, str)}
        return None if len(table) < len(value) or any(part is None for part in table.values()) else table
    return None


def table_of(texts: list[str]) -> dict[str, Any]:
    """Return the keyword arguments that ``key=value`` texts spell.

    Raises:
        ConfigError: one is no such text, or names a key again.
    """
    table: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise ConfigError(f"env_kwargs must be key=value, values as in TOML, got {text!a:.50}")
        if key in table:
            raise ConfigError(f"env_kwargs must name each key once, got {key:.40} twice")
        table[key] = value_of(value.strip())
    return table


def inline(table: Mapping[str, Any]) -> list[str]:
    """Return ``table`` as ``key=value`` texts, values in one line of TOML."""
    return [f"{key}={_inline(value)}" for key, value in table.items()]


def parts_of(text: str) -> list[str]:
    """Return the parts of ``text`` that ``;`` separates, outside of quotes and brackets."""
    return [part.strip() for part in PART.findall(text) if part.strip()]


def parse_wrapper(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return module, class and keyword arguments of ``module:Class(key=TOML)``.

    Raises:
        ConfigError: it is none.
    """
    expected = f"wrapper must be like 'module:Class(key=1.0)', values as in TOML, got {text!a:.80}"
    found = WRAPPER.match(text.strip())
    if found is None:
        raise ConfigError(expected)
    module, name, given = found.groups()
    try:
        values = tomllib.loads(f"given = {{{given or ''}}}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{expected}: {str(error)[:60]}") from None
    if values.keys() != {"given"}:
        raise ConfigError(expected)
    return module, name, values["given"]


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_inline(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")
