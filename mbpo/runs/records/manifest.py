"""``manifest.json``: on what a run ran, and what it branched off from or repeats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from mbpo.errors import ConfigError, RecordError, StorageError
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json
from mbpo.settings.config import LIVE_SETTINGS

SCHEMA = 1

EnvStep = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """Say where a fork left its parent, and with which settings of its own."""

    parent: str  # run_id
    parent_dir: str
    fork_env_steps: EnvStep
    fork_changes: dict[str, Any]
    fork_interactive: bool = False  # whether the parent's settings were changed by hand before


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Say what a replay repeats."""

    of: str  # run_id
    until: int | None = None  # env step where that run was stopped or cut off; None: it went to its end
    evaluations: list[int]  # env steps of those that the config does not ask for


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """Say what a replay repeats, and where that lies."""

    replay: Again
    replay_dir: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Hold the contents of ``manifest.json``, written once by a run's first attempt."""

    schema: int = SCHEMA
    versions: dict[str, Any] = {}  # of Python and of each package that moves results
    machine: dict[str, Any] = {}
    threads: int = 0
    device: str = ""
    op: dict[str, Any] = {}  # backend of each op, and why
    termination: str | None = None  # the rule, or the head; None where nothing is imagined
    git_commit: str | None = None
    config_sha256: str = ""
    preset: str = ""
    seed: int = 0
    unrepeated: str = ""  # why an episode of its environment may differ when played again
    started_in: str = ""  # folder, where its environment finds files by relative paths
    module_path: list[str] = []  # folders, where its modules are found
    seal: str = ""  # see mbpo.runs.origin
    branch: Branch | None = None
    repetition: Repetition | None = None

    def facts(self) -> dict[str, Any]:
        """Return by the names that the file has what it says; a key that it lacks is not there."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        branch, repetition = found.pop("branch", {}), found.pop("repetition", {})
        return {**found, **branch, **repetition}


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a run that began.

    Raises:
        StorageError: there is none to read, or its lineage is none that a learner writes.
        NewerRecordError: it is of a newer version.
    """
    try:
        content = read_json(path)
    except RecordError:
        raise StorageError(f"{path.parent} is no run that began: it has no readable manifest.json") from None
    check_version(path, content, SCHEMA)
    lineage = {"branch": _lineage(Branch, path, content), "repetition": _lineage(Repetition, path, content)}
    return msgspec.structs.replace(fitted(Manifest, content), **lineage)


def _lineage(kind: type[Branch | Repetition], path: Path, content: Mapping[str, Any]) -> Branch | Repetition | None:
    """Return the part of a manifest that says where a run comes from, None where it says nothing."""
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    there = [name for name in needed if name in content]
    if not there:
        return None
    try:
        lineage = msgspec.convert(content, kind)
        if isinstance(lineage, Branch):
            _check_changes(lineage.fork_changes)
    except (msgspec.ValidationError, ConfigError) as error:
        what = f"{path}: {there[0]} is not what a fork or a replay has there"
        raise StorageError(f"{what}: {str(error)[:80]}") from None
    return lineage


def _check_changes(changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if name in LIVE_SETTINGS:
            LIVE_SETTINGS[name].check(tuple(value) if isinstance(value, list) else value)
