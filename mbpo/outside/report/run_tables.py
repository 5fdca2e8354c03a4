"""Say in tables what a run was asked to do, on what it ran, where it comes from and what was done to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mbpo.errors import ConfigError
from mbpo.outside.report.page import Lines, Table
from mbpo.outside.report.run_charts import said_of
from mbpo.outside.report.run_facts import RunFacts
from mbpo.settings.config import SETTINGS, defaults_of
from mbpo.settings.flags import flags_beside_preset, flags_of

MOST_ROWS = 100  # of a table
TOLD = ("started", "resumed", "resume_verified", "replay_verified", "fork_verified", "warning")


def cut(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int] = frozenset()) -> Table:
    """Return a table of no more rows than a person reads."""
    return Table(heads, rows[:MOST_ROWS], numbers, max(len(rows) - MOST_ROWS, 0))


def written(name: str, value: Any) -> str:
    """Return a setting's value as a form shows it."""
    if name not in SETTINGS:
        return str(value)
    return SETTINGS[name].text(value) or "none"


def settings_apart(settings: Mapping[str, Any]) -> Table:
    """Return the settings that are not the preset's."""
    try:
        preset = defaults_of(str(settings["preset"]))
    except ConfigError:  # of a version that knew others
        preset = {name: setting.default for name, setting in SETTINGS.items()}
    rows = [
        (name, written(name, value), written(name, preset[name]) if name in preset else "—", _doc(name))
        for name, value in settings.items()
        if name != "preset" and value != preset.get(name)
    ]
    return Table(("setting", "here", "preset", "meaning"), rows)


def versions_table(facts: RunFacts) -> Table:
    """Return on what the run ran."""
    manifest = facts.manifest
    whole = {
        "git commit": manifest.git_commit,
        "device": manifest.device,
        "threads": manifest.threads or None,
        "termination": manifest.termination,
        **manifest.machine,
        **{f"op: {name}": value for name, value in manifest.op.items()},
        **manifest.versions,
        "config.toml": f"sha256 {manifest.config_sha256}" if manifest.config_sha256 else None,
    }
    return cut(("what", "which"), [(name, _plainly(value)) for name, value in whole.items() if value not in (None, "")])


def changes_table(facts: RunFacts) -> Table:
    """Return what was changed by hand while the run learned."""
    rows = [
        (str(number), f"{change.at:,}", said_of(change.old), said_of(change.new), change.by)
        for number, change in enumerate(facts.changes, 1)
    ]
    return cut(("", "env step", "from", "to", "by"), rows, frozenset({0, 1}))


def events_table(facts: RunFacts) -> Table:
    """Return what else happened to it."""
    rows = [(str(event.get("event")), _plainly(_facts_of(event))) for event in facts.events(*TOLD)]
    return cut(("event", "what"), rows)


def commands(facts: RunFacts) -> Lines:
    """Return what is typed to have the run again, or to go on from it."""
    run = shlex.quote(f"{facts.paths.root.parent.name}/{facts.run_id}")
    lines = [_train(facts), f"python -m mbpo.train --replay {run}"]
    if facts.state != "finished":
        lines.append(f"python -m mbpo.train --resume {run}")
    lines.append(f"python -m mbpo.train --fork {run}@{facts.env_steps} --total-steps {2 * facts.env_steps}")
    if facts.settings["algo"] != "pets":
        lines.append(f"python -m mbpo.evaluate {run}")
    if facts.settings["algo"] != "sac":
        lines.append(f"python -m mbpo.trust {run} --png trust.png")
    return Lines(lines)


def _train(facts: RunFacts) -> str:
    branch = facts.manifest.branch
    if branch is not None:
        parent = f"{facts.paths.root.parent.name}/{branch.parent}@{branch.fork_env_steps}"
        known = {name: value for name, value in branch.fork_changes.items() if name in SETTINGS}
        return shlex.join(["python", "-m", "mbpo.train", "--fork", parent, *_flags(known)])
    try:
        flags = flags_beside_preset(facts.settings)
    except ConfigError:
        flags = _flags({name: value for name, value in facts.settings.items() if name in SETTINGS})
    return shlex.join(["python", "-m", "mbpo.train", *flags])


def _flags(values: Mapping[str, Any]) -> list[str]:
    return flags_of({name: SETTINGS[name].check(value) for name, value in values.items()})


def _doc(name: str) -> str:
    return SETTINGS[name].doc if name in SETTINGS else "not known to this version"


def _facts_of(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("event", "time", "schema") and value != {}}


def _plainly(value: Any) -> str:
    """Return facts as text: of a table name and value, of a list its parts."""
    if isinstance(value, Mapping):
        return ", ".join(_pairs(value))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plainly, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _pairs(value: Mapping[str, Any]) -> Iterator[str]:
    for name, part in value.items():
        yield f"{name}: {_plainly(part)}"
