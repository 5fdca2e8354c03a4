"""Read of an earlier run what a resume, a fork and a replay all ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_config
from mbpo.runs.files import read_file
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.row import kind_of
from mbpo.runs.rows import Row
from mbpo.settings.config import Config, resolve_run


def check_config(paths: RunPaths, manifest: Mapping[str, Any]) -> None:
    """Check that config.toml is the one the run began with.

    Raises:
        ConfigError: it is not.
    """
    if hashlib.sha256(read_file(paths.config)).hexdigest() != manifest.get("config_sha256"):
        raise ConfigError(f"{paths.config} is not the one the run began with: its hash is not manifest.json's")


def config_of(paths: RunPaths, manifest: Mapping[str, Any]) -> Config:
    """Return the settings that the run began with.

    Raises:
        ConfigError: as :func:`check_config`.
    """
    check_config(paths, manifest)
    return resolve_run(read_config(paths.config))


def unasked_evaluations(rows: Iterable[Row], config: Config, before: float = float("inf")) -> tuple[int, ...]:
    """Return the env steps of evaluations that the config does not ask for, as a stop's."""
    evaluated = (row["env_steps"] for row in rows if kind_of(row) == "evaluation")
    return tuple(at for at in evaluated if at % config.eval_every and at < before)
