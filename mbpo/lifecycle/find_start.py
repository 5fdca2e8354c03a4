"""Find where a run begins or goes on: fresh, resumed, forked or replayed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.errors import CheckpointError, ConfigError, RunInUseError
from mbpo.lifecycle.command_line import Fork, Launch
from mbpo.lifecycle.starting_point import LeadIn, StartingPoint, live_settings
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.config_file import read_config
from mbpo.runs.files import read_file
from mbpo.runs.history import History, add_change, read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.records.row import kind_of
from mbpo.runs.rows import Row, whole
from mbpo.runs.status import RunStatus, read_status
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.config import LIVE_SETTINGS, Config, resolve


def find_starting_point(launch: Launch) -> StartingPoint:
    """Return where the run that ``launch`` asks for begins or goes on.

    Raises:
        CheckpointError, ConfigError, RunInUseError, StorageError: it cannot.
    """
    if launch.resume:
        return _resumed(launch)
    if launch.fork:
        return _forked(launch, launch.fork)
    if launch.replay:
        return _replayed(launch, RunPaths(launch.replay))
    config = launch.config
    fresh = {"threads": config.threads}
    return StartingPoint(None, None, [], History(), live_settings(config), fresh)


def _forked(launch: Launch, fork: Fork) -> StartingPoint:
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
    if launch.config.total_steps <= at:
        raise ConfigError(
            f"total_steps must be more than the {at:,} where the fork begins, got "
            f"{launch.config.total_steps:,}; give --total-steps"
        )
    config = _config_of(paths, manifest) if at != here else launch.config
    lead_in = _lead_in(config, saved, earlier, at)
    mine = {name: value for name, value in fork.changes.items() if name in LIVE_SETTINGS}
    by_hand = any(then < at for then, _ in earlier.changes) or manifest.get("fork_interactive")
    history = History(
        before=earlier.before,
        after=[] if at == here else list(_repeated(earlier.after, config, at)),
        interactive=bool(by_hand),
        of_another="fork",
    )
    attempt = StartingPoint(
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
        return dataclasses.replace(attempt, saved=attempt.branched(saved))
    return attempt


def _lead_in(config: Config, saved: Saved | None, earlier: History, at: int) -> LeadIn:
    """Return how the parent, of ``config``, went from the checkpoint to env step ``at``."""
    here = int(saved.loop["env_steps"]) if saved else 0
    then = {**live_settings(config), **(saved.loop["settings"] if saved else {})}
    changes = [change for change in earlier.changes if here <= change[0] < at]
    return LeadIn(config, then, changes, at, _unasked(earlier.after, config, at))


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


def _check_reached(paths: RunPaths, at: int, after: Sequence[Row], status: RunStatus | None) -> None:
    last = max((row["env_steps"] for row in after), default=0)
    reached = max(last, status.env_steps if status else 0)
    if at > reached:
        raise CheckpointError(f"{paths.root} has come to env step {reached}: it cannot be forked at {at}")


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
    if status is not None and status.live:
        raise RunInUseError(f"{paths.root} is in use by process {status.pid}; stop it first")
    if status is not None and status.state == "finished":
        raise ConfigError(f"{paths.root} has finished, at {status.env_steps:,} env steps")
    manifest = read_manifest(paths.manifest).facts()
    _check_config(paths, manifest)
    saved, damaged = CheckpointStore(paths.checkpoints).load_newest()
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    if saved is None and (origin := _origin(launch, manifest)):
        return _begun_again(origin, paths, damaged, history)
    begun = live_settings(launch.config)
    settings = {**begun, **(saved.loop["settings"] if saved else {})}
    since = saved.loop["env_steps"] if saved else 0
    history.changes = [change for change in history.changes if change[0] >= since]
    history.interactive |= manifest.get("fork_interactive") is True
    return StartingPoint(paths, saved, damaged, history, settings, manifest)


def _origin(launch: Launch, manifest: Mapping[str, Any]) -> StartingPoint | None:
    """Return where a fork or a replay that has no checkpoint of its own began."""
    if "replay_dir" in manifest:
        return _replayed(launch, RunPaths(Path(manifest["replay_dir"])))
    if manifest.get("fork_env_steps"):  # at 0 it began as its config says
        parent, at = Path(manifest["parent_dir"]), manifest["fork_env_steps"]
        return _forked(launch, Fork(parent, at, manifest["fork_changes"]))
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


def _replayed(launch: Launch, paths: RunPaths) -> StartingPoint:
    """Return the beginning of a run, or where it was forked, with all that was then changed live.

    Raises:
        CheckpointError: it is a fork, and the checkpoint it began from is gone.
        ConfigError: its config.toml is not the one it began with.
        StorageError: it is no run directory.
    """
    manifest, status = read_manifest(paths.manifest).facts(), read_status(paths)
    _check_config(paths, manifest)
    forked_at = manifest.get("fork_env_steps")
    if forked_at == 0 and 0 not in checkpoint_steps(paths.checkpoints):
        forked_at = None  # it begins as its config says
    saved = None if forked_at is None else CheckpointStore(paths.checkpoints).load_at(forked_at)
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    settings = live_settings(launch.config)
    if saved:
        saved = dataclasses.replace(saved, segments={})  # the files are the other's
        saved.loop["best_return"] = None
        settings |= saved.loop["settings"]
    last = history.after[-1]["env_steps"] if history.after else 0
    through = status is not None and status.state in ("finished", "diverged")
    facts = {
        "of": paths.run_id,
        "until": None if through else max(last, status.env_steps if status else 0),
        "evaluations": list(_unasked(history.after, launch.config)),
    }
    inherited = {k: v for k, v in manifest.items() if k.startswith(("parent", "fork_"))}
    by_hand = history.interactive or manifest.get("fork_interactive") is True
    history = dataclasses.replace(history, attempts=0, of_another="replay", interactive=by_hand)
    lineage = {**inherited, "replay": facts, "replay_dir": str(paths.root)}
    return StartingPoint(None, saved, [], history, settings, manifest, lineage)


def _repeated(rows: Sequence[Row], config: Config, at: int) -> Iterator[Row]:
    """Return the rows that repeating up to env step ``at`` gives: those before its boundary."""
    for row in rows:
        if row["env_steps"] > at or (row["env_steps"] == at and kind_of(row) == "refit"):
            return
        if row["env_steps"] < at or not _unasked([row], config):
            yield row


def _unasked(rows: Sequence[Row], config: Config, before: float = float("inf")) -> tuple[int, ...]:
    """Return the env steps of evaluations that the config does not ask for, as a stop's."""
    evaluated = [row["env_steps"] for row in rows if kind_of(row) == "evaluation"]
    return tuple(at for at in evaluated if at % config.eval_every and at < before)


def _config_of(paths: RunPaths, manifest: Mapping[str, Any]) -> Config:
    _check_config(paths, manifest)
    values = read_config(paths.config)
    return resolve(values, str(values.pop("preset", "pendulum")))


def _check_config(paths: RunPaths, manifest: Mapping[str, Any]) -> None:
    if hashlib.sha256(read_file(paths.config)).hexdigest() != manifest.get("config_sha256"):
        raise ConfigError(f"{paths.config} is not the one the run began with: its hash is not manifest.json's")
