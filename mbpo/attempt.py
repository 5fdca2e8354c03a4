"""Find where a run can be taken up again, and say what is known about it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mbpo.command_line import Fork, Launch
from mbpo.config import LIVE_SETTINGS, Auto, Config
from mbpo.errors import CheckpointError, ConfigError, RunInUseError, ShapeError, StorageError
from mbpo.learner import Learner
from mbpo.runs.command import Check
from mbpo.runs.history import History, read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.runs.writer import RunWriter
from mbpo.snapshots import Saved, Snapshots

CHECKS: Mapping[str, Check] = {name: setting.check for name, setting in LIVE_SETTINGS.items()}
MOVES_RESULTS = ("versions", "machine", "threads", "device", "op")  # of the manifest


@dataclass(frozen=True)
class Replay:
    """Say what a replay does besides following the config."""

    of: str  # run_id
    until: int | None  # env step where the run was stopped or cut off; None: it went to its end
    evaluations: tuple[int, ...]  # env steps of those that the config does not ask for


@dataclass(frozen=True)
class Attempt:
    """Hold where to go on with a run, and all that is known of what it did before."""

    paths: RunPaths | None  # None: the run has no directory yet
    saved: Saved | None  # None: from the beginning
    damaged: list[str]  # newer checkpoints that cannot be used, and why
    history: History
    settings: Mapping[str, Any]  # in force at the checkpoint
    manifest: Mapping[str, Any]  # of the first attempt
    lineage: Mapping[str, Any] = field(default_factory=dict)  # of a fork or a replay

    @property
    def env_steps(self) -> int:
        """Return the env step to go on from."""
        return 0 if self.saved is None else int(self.saved.loop["env_steps"])

    @property
    def threads(self) -> int | Auto:
        """Return the threads of the first attempt: another number would round differently."""
        threads: int | Auto = self.manifest.get("threads", "auto")
        return threads if type(threads) is int and threads > 0 else "auto"

    @property
    def parent(self) -> str:
        """Return RUN@STEP that the run is a fork of, or an empty text."""
        facts = self.lineage or self.manifest
        return f"{facts['parent']}@{facts['fork_env_steps']}" if "parent" in facts else ""

    @property
    def replay(self) -> Replay | None:
        """Return what is being done again, if this is no run of its own."""
        facts = (self.lineage or self.manifest).get("replay")
        return Replay(facts["of"], facts["until"], tuple(facts["evaluations"])) if facts else None

    @property
    def regenerated(self) -> bool:
        """Return whether the imagined rows were too many to save."""
        return self.saved is not None and "imagined" not in self.saved.parts

    def load(self, learner: Learner) -> None:
        """Bring ``learner`` to where the checkpoint was saved.

        Raises:
            CheckpointError: it is of another shape.
            EnvironmentFault: the environment does not repeat the episode under way.
        """
        if self.saved is None:
            return
        try:
            learner.load_state_dict(self.saved.parts)
        except (RuntimeError, KeyError, ShapeError) as error:
            what = f"{self.saved.name} does not fit these settings"
            raise CheckpointError(f"{what}: {error!s:.100}") from None

    def begin(self, run: RunWriter, now: Mapping[str, Any]) -> None:
        """Say in an event, and in lines on stdout, where the run goes on and what to expect."""
        if self.saved is None and not self.history.attempts and not self.lineage:
            run.event("started", env_steps=0, attempt=1)
            return
        name = "started" if self.lineage else "resumed"
        run.event(name, attempt=run.status.attempt, **self.lineage, **self._facts(now))
        for line in self._lines(now):
            print(line, flush=True)

    def changed(self, now: Mapping[str, Any]) -> list[str]:
        """Return what may make results differ from the first attempt's, in words."""
        then = self.manifest
        return sorted(_changes({k: then.get(k) for k in MOVES_RESULTS}, now))

    def _facts(self, now: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "env_steps": self.env_steps,
            "checkpoint": self.saved.name if self.saved else None,
            "to_compare": len(self.history.after),
            "damaged": self.damaged,
            "changed": self.changed(now),
            "imagined": "regenerated" if self.regenerated else "saved",
        }

    def _lines(self, now: Mapping[str, Any]) -> Iterator[str]:
        for wrong in self.damaged:
            yield f"warning: passed over: {wrong}"
        for change in self.changed(now):
            yield f"warning: {change}; results may differ from here on"
        if self.regenerated:
            yield "warning: the model buffer was too large to save: its rows are imagined anew"
        if self.lineage and self.replay:
            yield f"replay of {self.replay.of}; {len(self.history.after)} records to compare"
            return
        if self.lineage:
            yield f"forked from {self.lineage['parent']} at env step {self.env_steps:,}"
            return
        where = f"env step {self.env_steps:,}" if self.saved else "the beginning, no checkpoint yet"
        yield f"resumed from {where}; {len(self.history.after)} records to compare"


def find_attempt(launch: Launch) -> Attempt:
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
    return Attempt(None, None, [], History(), live_settings(config), fresh)


def _forked(launch: Launch, fork: Fork) -> Attempt:
    """Return the checkpoint of the parent from which a fork goes on, with settings of its own."""
    paths = RunPaths(fork.parent)
    snapshots, manifest = Snapshots(paths.checkpoints), _read_manifest(paths)
    if fork.at is None:
        saved, damaged = snapshots.load_newest()
    else:
        saved, damaged = snapshots.load_at(fork.at), []
    if saved is None:
        wrong = f": {damaged[0]}" if damaged else "; --checkpoint-every sets how often"
        raise CheckpointError(f"{paths.root} has no checkpoint to fork from{wrong}")
    at = int(saved.loop["env_steps"])
    if launch.config.total_steps <= at:
        raise ConfigError(
            f"total_steps must be more than the {at:,} of the checkpoint, got "
            f"{launch.config.total_steps:,}; give --total-steps"
        )
    saved = dataclasses.replace(saved, segments={})  # the files are the parent's
    saved.loop["best_return"] = None
    if "seed" in fork.changes:
        del saved.parts["streams"]
    earlier = read_history(paths, saved.loop["seq"])
    by_hand = any(then < at for then, _ in earlier.changes)
    new = {name: value for name, value in fork.changes.items() if name in LIVE_SETTINGS}
    settings = {**live_settings(launch.config), **saved.loop["settings"], **new}
    lineage = {"parent": paths.run_id, "parent_dir": str(paths.root), "fork_env_steps": at,
               "fork_changes": dict(fork.changes)}  # fmt: skip
    history = History(before=earlier.before, interactive=by_hand)
    return Attempt(None, saved, damaged, history, settings, manifest, lineage)


def _resumed(launch: Launch) -> Attempt:
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
    manifest = _read_manifest(paths)
    _check_config(paths, manifest)
    saved, damaged = Snapshots(paths.checkpoints).load_newest()
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    begun = live_settings(launch.config)
    settings = {**begun, **(saved.loop["settings"] if saved else {})}
    since = saved.loop["env_steps"] if saved else 0
    history.changes = [change for change in history.changes if change[0] >= since]
    return Attempt(paths, saved, damaged, history, settings, manifest)


def _replayed(launch: Launch, paths: RunPaths) -> Attempt:
    """Return the beginning of a run, or where it was forked, with all that was then changed live.

    Raises:
        CheckpointError: it is a fork, and the checkpoint it began from is gone.
        ConfigError: its config.toml is not the one it began with.
        StorageError: it is no run directory.
    """
    manifest, status = _read_manifest(paths), read_status(paths)
    _check_config(paths, manifest)
    forked_at = manifest.get("fork_env_steps")
    saved = Snapshots(paths.checkpoints).load_at(forked_at) if forked_at is not None else None
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    settings = live_settings(launch.config)
    if saved:
        saved = dataclasses.replace(saved, segments={})  # the files are the other's
        saved.loop["best_return"] = None
        settings |= saved.loop["settings"]
    last = history.after[-1]["env_steps"] if history.after else 0
    through = status is not None and status.state in ("finished", "diverged")
    every = launch.config.eval_every
    facts = {
        "of": paths.run_id,
        "until": None if through else max(last, status.env_steps if status else 0),
        "evaluations": [
            row["env_steps"]
            for row in history.after
            if "eval/return_mean" in row and row["env_steps"] % every
        ],
    }
    inherited = {k: v for k, v in manifest.items() if k.startswith(("parent", "fork_"))}
    history = dataclasses.replace(history, attempts=0, of_another=True)
    lineage = {**inherited, "replay": facts, "replay_dir": str(paths.root)}
    return Attempt(None, saved, [], history, settings, manifest, lineage)


def _check_config(paths: RunPaths, manifest: Mapping[str, Any]) -> None:
    if hashlib.sha256(paths.config.read_bytes()).hexdigest() != manifest.get("config_sha256"):
        raise ConfigError(
            f"{paths.config} is not the one the run began with: its hash is not manifest.json's"
        )


def live_settings(config: Config) -> dict[str, Any]:
    """Return the settings that can change while a run is on, as configured."""
    return {name: getattr(config, name) for name in LIVE_SETTINGS}


def new_status(config: Config, attempt: Attempt) -> RunStatus:
    """Return the status of a learner that begins."""
    until = attempt.replay.until if attempt.replay else None
    return RunStatus(
        env_id=config.env_id, preset=config.preset, seed=config.seed,
        total_steps=until or config.total_steps, parent=attempt.parent,
    )  # fmt: skip


def _read_manifest(paths: RunPaths) -> dict[str, Any]:
    try:
        manifest = json.loads(paths.manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise StorageError(f"{paths.root} is no run that began: it has no readable manifest.json")
    return manifest


def _changes(then: Any, now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, old in then.items():
        new, name = now.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{name}.")
        elif old != new:
            yield f"{name} was {old!s:.40}, is {new!s:.40}"
