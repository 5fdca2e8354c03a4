"""Find where a run can be taken up again, and say what is known about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mbpo.command_line import Launch
from mbpo.config import LIVE_SETTINGS, Auto, Config
from mbpo.errors import ConfigError, RunInUseError, StorageError
from mbpo.runs.command import Check
from mbpo.runs.history import History, read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.snapshots import Saved, Snapshots

CHECKS: Mapping[str, Check] = {name: setting.check for name, setting in LIVE_SETTINGS.items()}
MOVES_RESULTS = ("versions", "machine", "threads", "device", "op")  # of the manifest


@dataclass(frozen=True)
class Attempt:
    """Hold where to go on with a run, and all that is known of what it did before."""

    paths: RunPaths
    saved: Saved | None  # None: from the beginning
    damaged: list[str]  # newer checkpoints that cannot be used, and why
    history: History
    settings: Mapping[str, Any]  # in force at the checkpoint
    manifest: Mapping[str, Any]  # of the first attempt

    @property
    def env_steps(self) -> int:
        """Return the env step to go on from."""
        return 0 if self.saved is None else int(self.saved.loop["env_steps"])

    @property
    def threads(self) -> int | Auto:
        """Return the threads of the first attempt: another number would round differently."""
        threads = self.manifest.get("threads")
        return threads if type(threads) is int and threads > 0 else "auto"

    @property
    def regenerated(self) -> bool:
        """Return whether the imagined rows were too many to save."""
        return self.saved is not None and "imagined" not in self.saved.parts

    def changed(self, now: Mapping[str, Any]) -> list[str]:
        """Return what may make results differ from the first attempt's, in words."""
        then = self.manifest
        return sorted(_changes({k: then.get(k) for k in MOVES_RESULTS}, now))

    def facts(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the event ``resumed`` says."""
        return {
            "env_steps": self.env_steps,
            "checkpoint": self.saved.name if self.saved else None,
            "to_compare": len(self.history.after),
            "damaged": self.damaged,
            "changed": self.changed(now),
            "imagined": "regenerated" if self.regenerated else "saved",
        }

    def report(self, now: Mapping[str, Any]) -> Iterator[str]:
        """Say in lines where the run goes on and what to expect."""
        for wrong in self.damaged:
            yield f"warning: passed over: {wrong}"
        for change in self.changed(now):
            yield f"warning: {change}; results may differ from here on"
        if self.regenerated:
            yield "warning: the model buffer was too large to save: its rows are imagined anew"
        where = f"env step {self.env_steps:,}" if self.saved else "the beginning, no checkpoint yet"
        yield f"resumed from {where}; {len(self.history.after)} records to compare"


def find_attempt(launch: Launch) -> Attempt:
    """Return where the run that ``launch`` names goes on: after its newest whole checkpoint.

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
    if hashlib.sha256(paths.config.read_bytes()).hexdigest() != manifest.get("config_sha256"):
        raise ConfigError(
            f"{paths.config} is not the one the run began with: its hash is not manifest.json's"
        )
    saved, damaged = Snapshots(paths.checkpoints).load_newest()
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    begun = live_settings(launch.config)
    settings = {**begun, **(saved.loop["settings"] if saved else {})}
    since = saved.loop["env_steps"] if saved else 0
    history.changes = [change for change in history.changes if change[0] >= since]
    return Attempt(paths, saved, damaged, history, settings, manifest)


def live_settings(config: Config) -> dict[str, Any]:
    """Return the settings that can change while a run is on, as configured."""
    return {name: getattr(config, name) for name in LIVE_SETTINGS}


def new_status(config: Config) -> RunStatus:
    """Return the status of a learner that begins."""
    return RunStatus(
        env_id=config.env_id, preset=config.preset, seed=config.seed, total_steps=config.total_steps
    )


def _read_manifest(paths: RunPaths) -> dict[str, Any]:
    try:
        manifest = json.loads(paths.manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise StorageError(f"{paths.root} cannot be resumed: no readable manifest.json")
    return manifest


def _changes(then: Any, now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, old in then.items():
        new, name = now.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{name}.")
        elif old != new:
            yield f"{name} was {old!s:.40}, is {new!s:.40}"
