"""Find where a run begins or goes on: fresh, resumed, forked or replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import Fork, Launch
from mbpo.lifecycle.earlier_run import check_config
from mbpo.lifecycle.forked import forked
from mbpo.lifecycle.replayed import replayed
from mbpo.lifecycle.starting_point import StartingPoint, live_settings
from mbpo.runs.history import History, add_change, read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.lease import check_free
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.rows import whole
from mbpo.runs.status import read_status
from mbpo.saving.store import CheckpointStore


def find_starting_point(launch: Launch) -> StartingPoint:
    """Return where the run that ``launch`` asks for begins or goes on.

    Raises:
        CheckpointError, ConfigError, RunInUseError, StorageError: it cannot.
    """
    if launch.resume:
        return _resumed(launch)
    if launch.fork:
        return forked(launch, launch.fork)
    if launch.replay:
        return replayed(launch, RunPaths(launch.replay))
    config = launch.config
    fresh = {"threads": config.threads}
    return StartingPoint(None, None, [], History(), live_settings(config), fresh)


def _resumed(launch: Launch) -> StartingPoint:
    """Return where a run goes on: after its newest whole checkpoint.

    Raises:
        ConfigError: it has finished, or its config.toml is not the one it began with.
        RunInUseError: a learner is at work in it.
        StorageError: it is no run directory.
    """
    assert launch.run_id is not None
    paths = RunPaths(launch.runs_root / launch.run_id)
    status = read_status(paths)
    if status is not None and status.state == "finished":
        raise ConfigError(f"{paths.root} has finished, at {status.env_steps:,} env steps")
    check_free(paths, status)
    manifest = read_manifest(paths.manifest).facts()
    check_config(paths, manifest)
    saved, damaged = CheckpointStore(paths.checkpoints).load_newest()
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    if saved is None and (parent := _origin(launch, manifest)):
        return _begun_again(parent, paths, damaged, history)
    begun = live_settings(launch.config)
    settings = {**begun, **(saved.loop["settings"] if saved else {})}
    since = saved.loop["env_steps"] if saved else 0
    history.changes = [change for change in history.changes if change[0] >= since]
    history.interactive |= manifest.get("fork_interactive") is True
    return StartingPoint(paths, saved, damaged, history, settings, manifest)


def _origin(launch: Launch, manifest: Mapping[str, Any]) -> StartingPoint | None:
    """Return where a fork or a replay that has no checkpoint of its own began."""
    if "replay_dir" in manifest:
        return replayed(launch, RunPaths(Path(manifest["replay_dir"])))
    if manifest.get("fork_env_steps"):  # at 0 it began as its config says
        parent, at = Path(manifest["parent_dir"]), manifest["fork_env_steps"]
        return forked(launch, Fork(parent, at, manifest["fork_changes"]))
    return None


def _begun_again(origin: StartingPoint, paths: RunPaths, damaged: list[str], own: History) -> StartingPoint:
    """Return ``origin`` as the next attempt of the run in ``paths``, which has come no further."""
    changes = [*origin.history.changes]
    for answer in own.answers:
        if answer.get("id") not in origin.history.answered:
            add_change(changes, whole(answer.get("at_env_steps")) or 0, answer["new"])
    history = dataclasses.replace(
        origin.history,
        attempts=own.attempts,
        changes=changes,
        answered=origin.history.answered | own.answered,
        answers=[a for a in origin.history.answers if a.get("id") not in own.answered],
        revision=max(origin.history.revision, own.revision),
        interactive=origin.history.interactive or own.interactive,
    )
    damaged = [*damaged, *origin.damaged]
    return dataclasses.replace(origin, paths=paths, damaged=damaged, history=history)
