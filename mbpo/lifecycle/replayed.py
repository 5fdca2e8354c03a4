"""Find where a run begins that is done again."""

from __future__ import annotations

import dataclasses

from mbpo.lifecycle.command_line import Launch
from mbpo.lifecycle.earlier_run import check_config, unasked_evaluations
from mbpo.lifecycle.starting_point import StartingPoint, live_settings
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.history import read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.status import read_status
from mbpo.saving.store import CheckpointStore


def replayed(launch: Launch, paths: RunPaths) -> StartingPoint:
    """Return the beginning of a run, or where it was forked, with all that was then changed live.

    Raises:
        CheckpointError: it is a fork, and the checkpoint it began from is gone.
        ConfigError: its config.toml is not the one it began with.
        StorageError: it is no run directory.
    """
    manifest, status = read_manifest(paths.manifest).facts(), read_status(paths)
    check_config(paths, manifest)
    forked_at = manifest.get("fork_env_steps")
    if forked_at == 0 and 0 not in checkpoint_steps(paths.checkpoints):
        forked_at = None  # it begins as its config says
    saved = None if forked_at is None else CheckpointStore(paths.checkpoints).load_at(forked_at)
    history = read_history(paths, saved.loop["seq"] if saved else 0)
    settings = live_settings(launch.config)
    if saved:
        saved.loop["best_return"] = None
        settings |= saved.loop["settings"]
    last = history.after.facts.last or {"env_steps": 0}
    through = status is not None and status.state in ("finished", "diverged")
    facts = {
        "of": paths.run_id,
        "until": None if through else max(last["env_steps"], status.env_steps if status else 0),
        "evaluations": list(unasked_evaluations(history.after, launch.config)),
    }
    inherited = {k: v for k, v in manifest.items() if k.startswith(("parent", "fork_"))}
    by_hand = history.interactive or manifest.get("fork_interactive") is True
    history = dataclasses.replace(history, attempts=0, of_another="replay", interactive=by_hand)
    lineage = {**inherited, "replay": facts, "replay_dir": str(paths.root)}
    return StartingPoint(None, saved, [], history, settings, manifest, lineage)
