"""Find a run's environment and saved policy again, for those who measure or export it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import CheckpointError, ConfigError, StorageError
from mbpo.learner.build import build_actor
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import admit, where_started
from mbpo.runs.records.manifest import read_manifest
from mbpo.sac.networks import Actor
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.saving.store import find_checkpoint
from mbpo.settings.config import Config, resolve_run


@contextlib.contextmanager
def at_home(paths: RunPaths, given: Sequence[Path]) -> Iterator[Config]:
    """Work where the run was started, its modules and those in ``given`` folders to be found; yield its settings.

    Raises:
        ConfigError: the run's config.toml cannot be read, or it came from elsewhere and names code.
    """
    config, about = resolve_run(read_config(paths.config)), facts_of(paths)
    admit(paths, about, config, given)
    with where_started(paths, about):
        yield config


def facts_of(paths: RunPaths) -> Mapping[str, Any]:
    """Return what the manifest says; nothing where it cannot be read, as of a run that is only evaluated."""
    try:
        return read_manifest(paths.manifest).facts()
    except StorageError:
        return {}


def load_actor(paths: RunPaths, label: str) -> tuple[Config, Actor]:
    """Return the run's config and the policy of checkpoint ``label``: best, final or a step.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another shape.
        ConfigError: the run's config.toml cannot be read, or it has no policy.
    """
    config = resolve_run(read_config(paths.config))
    if config.algo == "pets":
        raise ConfigError("a pets run plans with its model and has no policy; its evaluations are in metrics.jsonl")
    env = BoxEnv(config)
    actor = build_actor(config, env, torch.device("cpu"))
    env.close()
    state = load_checkpoint(find_checkpoint(paths.checkpoints, label), "actor")
    try:
        actor.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"the saved actor has other shapes: {str(error)[:100]}") from None
    return config, actor
