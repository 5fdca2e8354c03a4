"""Say in words what the events of a run tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mbpo.comparison.chosen import counted
from mbpo.outside.report.plain import plainly
from mbpo.outside.report.run_charts import said_of

Event = Mapping[str, Any]
NAMED = frozenset({"event", "env_steps", "time", "schema"})  # in columns of their own, or of no use to a reader
EMPTY: tuple[Any, ...] = (None, "", [], {})


def event_words(event: Event) -> str:
    """Return what an event says beside its name and its env step; facts that say nothing are left out."""
    facts = {key: value for key, value in event.items() if key not in NAMED and value not in EMPTY}
    said: list[str] = []
    for keys, words in WORDS:
        if not keys.isdisjoint(facts):
            said += filter(None, [words(facts)])
            facts = {key: value for key, value in facts.items() if key not in keys}
    return "; ".join([*said, *(f"{key}: {plainly(value)}" for key, value in facts.items())])


def _left(facts: Event) -> str:
    changes = facts.get("fork_changes")
    said = f"branched off {plainly(facts.get('parent'))} at env step {plainly(facts.get('fork_env_steps'))}"
    said += f" with {said_of(changes)}" if isinstance(changes, Mapping) else ""
    return said + (", which was changed by hand before" if facts.get("fork_interactive") is True else "")


def _again(facts: Event) -> str:
    of = facts.get("replay")
    return f"a replay of {plainly(of.get('of'))}" if isinstance(of, Mapping) else plainly(of)


def _attempt(facts: Event) -> str:
    return "" if facts["attempt"] == 1 else f"attempt {plainly(facts['attempt'])}"


def _compared(facts: Event) -> str:
    count = facts["to_compare"]
    return f"{counted(count, 'record')} to compare" if type(count) is int and count else ""


def _identical(facts: Event) -> str:
    return f"{plainly(facts.get('identical'))} of {plainly(facts.get('total'))} records were the same again"


def _exact(facts: Event) -> str:
    return "" if facts.get("exact") is True else f"not exact{_after(': ', facts.get('why'))}"


def _imagined(facts: Event) -> str:
    return "" if facts["imagined"] == "saved" else "the imagined rows were made anew"


def _exit_code(facts: Event) -> str:
    return "" if facts["exit_code"] == 0 else f"exit code {plainly(facts['exit_code'])}"


def _after(sign: str, value: Any) -> str:
    return "" if value in EMPTY else sign + plainly(value)


def _fact(key: str, before: str = "") -> tuple[frozenset[str], Callable[[Event], str]]:
    """Return how one fact is said: its value, after some words."""
    return frozenset({key}), lambda facts: before + plainly(facts[key])


WORDS: tuple[tuple[frozenset[str], Callable[[Event], str]], ...] = (
    (frozenset({"parent", "parent_dir", "fork_env_steps", "fork_changes", "fork_interactive"}), _left),
    (frozenset({"replay", "replay_dir"}), _again),
    (frozenset({"attempt"}), _attempt),
    _fact("checkpoint", "goes on from checkpoint "),
    (frozenset({"to_compare"}), _compared),
    (frozenset({"identical", "total"}), _identical),
    (frozenset({"exact", "why"}), _exact),
    (frozenset({"imagined"}), _imagined),
    _fact("damaged", "passed over: "),
    _fact("changed", "not as before: "),
    _fact("reason"),
    (frozenset({"exit_code"}), _exit_code),
)
"""How facts that belong together are said, in this order."""
