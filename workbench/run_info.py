"""Collect all that is known of one run, as sections of names and values. Pure functions."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS, defaults_of
from mbpo.settings.language import tr
from mbpo.settings.setting import Value
from workbench.format import byte_size, duration, has_words, number, safe_text, whole
from workbench.messages import RESUMABLE, RunRow

MOST_DEEP = 4  # levels of a manifest
MOST_LINES = 400
APART = frozenset({"versions", "machine", "op", "seal", "schema"})


@dataclass(frozen=True)
class Line:
    """Hold one fact, safe to show."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Hold facts of one kind."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Facts:
    """Hold what is read when the page opens."""

    path: Path
    manifest: Mapping[str, Any]
    own_bytes: int
    shared_bytes: int  # that other runs have under a second name


def sections_of(row: RunRow, facts: Facts | None) -> list[Section]:
    """Return the sections of the page, from what one looks for first."""
    found = facts if facts is not None and facts.path == row.path else None
    other, same = _settings(row)
    manifest = found.manifest if found else {}
    sections = [
        Section(tr("The run"), tuple(_about(row, found))),
        Section(tr("Settings that differ from preset {preset}", preset=safe_text(row.preset, 40)), tuple(other)),
        Section(tr("Commands"), tuple(_commands(row))),
        Section(tr("Where it comes from"), tuple(_flat({k: v for k, v in manifest.items() if k not in APART}))),
        Section(tr("Versions"), tuple(_flat(_mapping(manifest, "versions")))),
        Section(tr("Machine"), tuple(_flat({**_mapping(manifest, "machine"), **_mapping(manifest, "op")}))),
        Section(tr("Settings as the preset has them"), tuple(same)),
    ]
    return [section for section in sections if section.lines]


def with_words(sections: list[Section], asked: str) -> list[Section]:
    """Return the lines that have every word, in name, value or note."""
    kept = []
    for section in sections:
        lines = tuple(line for line in section.lines if has_words(f"{line.name} {line.value} {line.note}", asked))
        if lines or not asked:
            kept.append(replace(section, lines=lines))
    return kept


def _about(row: RunRow, facts: Facts | None) -> Iterator[Line]:
    yield Line(tr("directory"), safe_text(row.path, 1000))
    about = row.about
    for name, text in ((tr("title"), about.title), (tr("note"), about.note), (tr("tags"), " ".join(about.tags))):
        if text:
            yield Line(name, safe_text(text, 2000))
    if about.archived:
        yield Line(tr("archived"), tr("yes"))
    yield Line(tr("state"), safe_text(tr(row.state)), safe_text(row.reason, 300))
    steps = whole(row.env_steps)
    if row.total_steps:
        steps = tr("{steps} of {total}", steps=steps, total=whole(row.total_steps))
    yield Line(tr("env steps"), steps)
    yield Line(tr("evaluation"), number(row.eval_return), tr("best {best}", best=number(row.best_return)))
    if row.parent:
        yield Line(tr("branched off"), safe_text(row.parent))
    if 0 < row.started < 1e11:
        begun = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.started))
        yield Line(tr("begun"), begun, tr("{age} ago", age=duration(max(time.time() - row.started, 0))))
    if row.interactive:
        yield Line(tr("by hand"), tr("its settings were changed while it learned"))
    if facts is not None:
        shared = tr("{size} more shared with forks", size=byte_size(facts.shared_bytes)) if facts.shared_bytes else ""
        yield Line(tr("on disk"), byte_size(facts.own_bytes), shared)


def _settings(row: RunRow) -> tuple[list[Line], list[Line]]:
    """Return the settings that are others than the preset's, and the rest."""
    try:
        preset: Mapping[str, Value] = defaults_of(row.preset)
    except ConfigError:
        preset = {}
    other, same = list[Line](), list[Line]()
    for name, value in row.settings.items():
        setting = SETTINGS.get(name)
        shown = _spelled(name, value)
        notes = []
        if (now := row.setting(name)) is not None and _spelled(name, now) != shown:
            notes.append(tr("now {value}", value=_spelled(name, now)))
        differs = name in preset and _spelled(name, preset[name]) != shown
        if differs:
            notes.append(tr("the preset has {value}", value=_spelled(name, preset[name])))
        if setting is None:
            notes.append(tr("unknown to this version"))
        note = " · ".join([*notes, *([tr(setting.doc)] if setting is not None else [])])
        own = differs or setting is None or (bool(preset) and name not in preset)
        (other if own or notes else same).append(Line(name, shown, note))
    return other, same


def _spelled(name: str, value: Any) -> str:
    setting = SETTINGS.get(name)
    try:
        text = setting.text(setting.check(value)) if setting is not None else str(value)
    except ConfigError:
        text = str(value)
    return safe_text(text or "–", 300)


def _commands(row: RunRow) -> Iterator[Line]:
    run, train = str(row.path), ["python", "-m", "mbpo.train"]
    if row.state in RESUMABLE:
        yield _command(tr("resume"), [*train, "--resume", run], tr("g in the table"))
    if row.state != "launching":
        yield _command(
            tr("fork"), [*train, "--fork", f"{run}@{row.env_steps}"], tr("from its end; any env step, and any setting")
        )
        yield _command(tr("replay"), [*train, "--replay", run], tr("the same again, every record compared"))
        root = ["--runs-root", str(row.path.parent)]
        yield _command(
            tr("repeat"), [*train, "--config", f"{run}/config.toml", *root, "--seed", str(row.seed + 1)], tr("new luck")
        )
        yield _command(
            tr("evaluate"), ["python", "-m", "mbpo.evaluate", run, "--episodes", "100"], tr("the saved policy")
        )
        yield _command(tr("check"), ["python", "-m", "mbpo.doctor", run], tr("what is missing or damaged"))


def _command(name: str, words: list[str], note: str) -> Line:
    return Line(name, safe_text(shlex.join(words), 2000), note)


def _mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _flat(content: Mapping[str, Any]) -> list[Line]:
    return [Line(safe_text(name, 60), safe_text(value, 300)) for name, value in _pairs("", content, MOST_DEEP)][
        :MOST_LINES
    ]


def _pairs(before: str, content: Mapping[str, Any], deep: int) -> Iterator[tuple[str, Any]]:
    for name, value in list(content.items())[:MOST_LINES]:
        if isinstance(value, dict) and deep:
            yield from _pairs(f"{before}{name}.", value, deep - 1)
        elif isinstance(value, list):
            yield f"{before}{name}", ", ".join(str(part)[:100] for part in value[:20])
        else:
            yield f"{before}{name}", "–" if value is None else value
