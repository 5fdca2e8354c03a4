"""Find out what a tracker is told of a run as a whole: name, group, parent, settings, what people say of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mbpo.comparison.alike import RESOLVED, history_key, key_of
from mbpo.comparison.groups import names_apart, settings_of_group
from mbpo.errors import StorageError
from mbpo.outside.trackers.texts import in_one_line
from mbpo.outside.trackers.tracker import Facts, Plain
from mbpo.runs.about import read_about
from mbpo.runs.config_file import read_settings
from mbpo.runs.files import open_to_read
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Manifest, read_manifest
from mbpo.runs.rows import MAX_LINE_BYTES, JsonLines, plain_number
from mbpo.runs.status import RunStatus, read_status
from mbpo.settings.config import SETTINGS, defaults_of
from mbpo.settings.presets import PRESETS

MOST_VALUE = 200  # characters of a setting's value


def identity_of(paths: RunPaths) -> str:
    """Return what tells this run from every other: of its manifest and its first event, which are written once."""
    content = b""
    for path in (paths.manifest, paths.events):
        try:
            with open_to_read(path) as file:
                content += file.readline(MAX_LINE_BYTES) if path == paths.events else file.read(MAX_LINE_BYTES)
        except OSError:
            content += b"none"
    return hashlib.sha256(content).hexdigest()[:16]


def has_begun(paths: RunPaths) -> bool:
    """Return whether what identifies the run is written: a learner writes it before the first row."""
    status = read_status(paths)
    if status is None or not status.live:
        return True
    first = JsonLines(paths.events)
    return paths.manifest.exists() and paths.config.exists() and bool(first.poll_lines())


def facts_of(paths: RunPaths, name: str) -> Facts:
    """Return what is said of a run that was found as ``name``.

    Raises:
        ConfigError: its config.toml cannot be used.
    """
    settings, status, manifest = read_settings(paths), read_status(paths) or RunStatus(), _manifest(paths)
    about, in_group = read_about(paths), settings_of_group(settings, manifest, status, paths.run_id)
    kind, parent = "run", status.parent
    if manifest.repetition is not None:
        kind, parent = "replay", manifest.repetition.replay.of
    elif manifest.branch is not None or parent:
        kind = "fork"
    return Facts(
        paths=paths,
        identity=identity_of(paths),
        name=in_one_line(name),
        title=in_one_line(about.title),
        note=in_one_line(about.note, 2000),
        tags=about.tags,
        settings={key: _plain(value) for key, value in settings.items() if key in SETTINGS},
        shared=frozenset(SETTINGS.keys() & in_group.keys()),
        group=_group(in_group, history_key(paths, status.parent)),
        kind=kind,
        parent=in_one_line(parent),
        begun=_begun(paths, status),
    )


def _group(settings: Mapping[str, Any], history: str) -> str:
    """Name a group by what sets it apart from its preset, so that the name stays when other runs come."""
    preset = settings["preset"]
    base = {**defaults_of(preset), "env_id": settings["env_id"], "preset": preset} if preset in PRESETS else settings
    own, plain = ({key: value for key, value in of.items() if key not in RESOLVED} for of in (settings, base))
    name = names_apart([own, {key: value for key, value in plain.items() if key in own}])[0]
    digest = hashlib.sha256(f"{key_of(settings)}{history}".encode()).hexdigest()[:6]
    named = name if name == preset else f"{preset} {name}"
    return f"{in_one_line(named, 100)} {digest}"


def _plain(value: object) -> Plain:
    if isinstance(value, (bool, int, float)):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return in_one_line(text, MOST_VALUE)


def _manifest(paths: RunPaths) -> Manifest:
    try:
        return read_manifest(paths.manifest)
    except StorageError:
        return Manifest()


def _begun(paths: RunPaths, status: RunStatus) -> float:
    """Return when the run began, of the first event that says so."""
    events = JsonLines(paths.events).poll()
    at = events[0].get("time") if events else None
    return float(at) if plain_number(at) else status.started  # type: ignore[arg-type]
