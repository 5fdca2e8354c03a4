"""Say in tables what a run was asked to do, on what it ran, where it comes from and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.errors import ConfigError
from mbpo.outside.report.event_words import event_words
from mbpo.outside.report.page import Table
from mbpo.outside.report.plain import told
from mbpo.outside.report.run_charts import said_of
from mbpo.outside.report.run_facts import RunFacts
from mbpo.runs.status import ENDED
from mbpo.settings.config import SETTINGS, defaults_of

MOST_ROWS = 100  # of a table
TOLD = ("started", "resumed", "resume_verified", "replay_verified", "fork_verified", "warning", *ENDED)
DECIDED: Mapping[str, str] = {"precision": "bfloat16"}
"""Settings whose auto a run's start decides for good, and what it takes where the machine can."""


def cut(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int] = frozenset()) -> Table:
    """Return a table of no more rows than a person reads."""
    return Table(heads, rows[:MOST_ROWS], numbers, max(len(rows) - MOST_ROWS, 0))


def written(name: str, value: Any) -> str:
    """Return a setting's value as a form shows it."""
    if name not in SETTINGS:
        return str(value)
    return SETTINGS[name].text(value) or "none"


def as_asked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the preset's auto in place of what that takes where the machine can.

    A config.toml does not tell it from what a person gave, and on the same machine both are the same. What auto takes
    elsewhere stays, as a person may have wanted it on a machine that can.
    """
    preset = _preset(settings)
    left = {name for name, best in DECIDED.items() if preset.get(name) == "auto" and settings.get(name) == best}
    return {name: "auto" if name in left else value for name, value in settings.items()}


def settings_apart(settings: Mapping[str, Any]) -> Table:
    """Return the settings that are not the preset's."""
    preset = _preset(settings)
    rows = [
        (name, _here(name, value, preset), written(name, preset[name]) if name in preset else "—", _doc(name))
        for name, value in as_asked(settings).items()
        if name != "preset" and value != preset.get(name)
    ]
    return Table(("setting", "here", "preset", "meaning"), rows)


def versions_table(facts: RunFacts) -> Table:
    """Return on what the run ran."""
    manifest = facts.manifest
    found = {
        "git commit": manifest.git_commit,
        "device": manifest.device,
        "threads": manifest.threads or None,
        **_decided(facts.settings),
        "termination": manifest.termination,
        **manifest.machine,
        **{f"op: {name}": _without_name(value) for name, value in manifest.op.items()},
        **manifest.versions,
        "config.toml": f"sha256 {manifest.config_sha256}" if manifest.config_sha256 else None,
    }
    return cut(("what", "which"), list(told(found).items()))


def changes_table(facts: RunFacts) -> Table:
    """Return what was changed by hand while the run learned."""
    rows = [
        (str(number), f"{change.at:,}", said_of(change.old), said_of(change.new), change.by)
        for number, change in enumerate(facts.changes, 1)
    ]
    return cut(("", "env step", "from", "to", "by"), rows, frozenset({0, 1}))


def events_table(facts: RunFacts) -> Table:
    """Return what else happened to it, up to its end."""
    rows = [
        (_at(event), str(event.get("event")).replace("_", " "), event_words(event)) for event in facts.events(*TOLD)
    ]
    return cut(("env step", "event", "what"), rows, frozenset({0}))


def _doc(name: str) -> str:
    return SETTINGS[name].doc if name in SETTINGS else "not known to this version"


def _preset(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of the run's preset; of one of another version the defaults."""
    try:
        return defaults_of(str(settings["preset"]))
    except ConfigError:
        return {name: setting.default for name, setting in SETTINGS.items()}


def _here(name: str, value: Any, preset: Mapping[str, Any]) -> str:
    by_auto = name in DECIDED and preset.get(name) == "auto"
    return f"{written(name, value)}, perhaps by auto" if by_auto else written(name, value)


def _decided(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what auto came to."""
    asked = as_asked(settings)
    return {name: f"{settings[name]} (auto)" for name in DECIDED if asked.get(name) == "auto" != settings[name]}


def _without_name(value: Any) -> Any:
    """Return what is said of an op beside its name."""
    return {key: part for key, part in value.items() if key != "op"} if isinstance(value, Mapping) else value


def _at(event: Mapping[str, Any]) -> str:
    at = event.get("env_steps")
    return f"{at:,}" if type(at) is int else "—"
