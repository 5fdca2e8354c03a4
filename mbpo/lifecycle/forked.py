"""Find where a fork branches off its parent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.errors import CheckpointError, ConfigError
from mbpo.lifecycle.command_line import Fork, Launch
from mbpo.lifecycle.earlier_run import config_of, unasked_evaluations
from mbpo.lifecycle.starting_point import LeadIn, StartingPoint, live_settings
from mbpo.runs.history import History, read_history
from mbpo.runs.kept_rows import KeptRows
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.records.row import kind_of
from mbpo.runs.rows import Row
from mbpo.runs.status import RunStatus, read_status
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.config import LIVE_SETTINGS, Config


def forked(launch: Launch, fork: Fork) -> StartingPoint:
    """Return the checkpoint of the parent from which a fork goes on, with settings of its own.

    Between checkpoints it is the one before, and what the parent did from there is repeated.

    Raises:
        CheckpointError: there is nothing to branch off there.
        ConfigError: the fork would end before it begins.
        StorageError: the parent is no run directory.
    """
    paths = RunPaths(fork.parent)
    manifest, status = read_manifest(paths.manifest).facts(), read_status(paths)
    saved, damaged = CheckpointStore(paths.checkpoints).load_newest(fork.at)
    here = int(saved.loop["env_steps"]) if saved else 0
    earlier = read_history(paths, saved.loop["seq"] if saved else 0)
    at = here if fork.at is None else fork.at
    if saved is None:
        _check_beginning(paths, manifest, fork.at, damaged)
    if at != here:
        _check_reached(paths, at, earlier.after, status)
        _check_repeatable(launch.config, here, at)
    if launch.config.total_steps <= at:
        raise ConfigError(
            f"total_steps must be more than the {at:,} where the fork begins, got "
            f"{launch.config.total_steps:,}; give --total-steps"
        )
    config = config_of(paths, manifest) if at != here else launch.config
    lead_in = _lead_in(config, saved, earlier, at)
    mine = {name: value for name, value in fork.changes.items() if name in LIVE_SETTINGS}
    by_hand = any(then < at for then, _ in earlier.changes) or manifest.get("fork_interactive")
    history = History(
        before=earlier.before,
        after=KeptRows() if at == here else _repeated(earlier.after, config, at),
        interactive=bool(by_hand),
        of_another="fork",
    )
    begin = StartingPoint(
        None,
        saved,
        damaged,
        history,
        {**lead_in.settings_at(at), **mine},
        manifest,
        lineage={
            "parent": paths.run_id,
            "parent_dir": str(paths.root),
            "fork_env_steps": at,
            "fork_changes": dict(fork.changes),
            "fork_interactive": bool(by_hand),
        },
        lead_in=lead_in if at != here else None,
        new_seed="seed" in fork.changes,
    )
    if saved and at == here:
        return dataclasses.replace(begin, saved=begin.branched(saved))
    return begin


def _lead_in(config: Config, saved: Saved | None, earlier: History, at: int) -> LeadIn:
    """Return how the parent, of ``config``, went from the checkpoint to env step ``at``."""
    here = int(saved.loop["env_steps"]) if saved else 0
    then = {**live_settings(config), **(saved.loop["settings"] if saved else {})}
    changes = [change for change in earlier.changes if here <= change[0] < at]
    evaluations = unasked_evaluations(earlier.after, config, at) if here < at else ()
    return LeadIn(config, then, changes, at, evaluations)


def _check_beginning(paths: RunPaths, manifest: Mapping[str, Any], at: int | None, damaged: Sequence[str]) -> None:
    """Check that a fork can begin where its parent did, without a checkpoint."""
    if at is None:
        wrong = f": {damaged[0]}" if damaged else "; give an env step: --fork RUN_DIR@STEP"
        raise CheckpointError(f"{paths.root} has no checkpoint to fork from{wrong}")
    if manifest.get("fork_env_steps"):
        raise CheckpointError(
            f"{paths.root} began as {manifest['parent']}@{manifest['fork_env_steps']} and has no "
            f"whole checkpoint up to env step {at}: fork that run"
        )


def _check_repeatable(config: Config, here: int, at: int) -> None:
    if config.one_instance:
        raise CheckpointError(
            f"there is no checkpoint at env step {at}, and on one instance no steps are repeated: fork at {here}"
        )


def _check_reached(paths: RunPaths, at: int, after: KeptRows, status: RunStatus | None) -> None:
    reached = max(after.facts.reached, status.env_steps if status else 0)
    if at > reached:
        raise CheckpointError(f"{paths.root} has come to env step {reached}: it cannot be forked at {at}")


def _repeated(rows: KeptRows, config: Config, at: int) -> KeptRows:
    """Return the rows that repeating up to env step ``at`` gives: those before its boundary."""

    def beyond(row: Row) -> bool:
        return bool(row["env_steps"] > at or (row["env_steps"] == at and kind_of(row) == "refit"))

    def unasked(row: Row) -> bool:
        return row["env_steps"] == at and bool(unasked_evaluations([row], config))

    return rows.part(until=beyond, without=unasked)
