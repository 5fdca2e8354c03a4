"""Check the options of ``sbatch`` that a study asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mbpo.errors import ConfigError
from mbpo.settings.setting import shown

OPTION = re.compile(r"[a-z][a-z-]{1,30}\Z")
OURS = ("array", "job-name", "output", "chdir", "requeue", "open-mode", "signal", "export", "cpus-per-task")


def sbatch_options(given: Mapping[str, object]) -> dict[str, str | int | bool]:
    """Return the options of ``sbatch`` that a study asks for.

    Raises:
        ConfigError: one is ours to set, or no option.
    """
    found: dict[str, str | int | bool] = {}
    for name, value in given.items():
        if not OPTION.match(name) or not (isinstance(value, (str, int)) and value is not False):
            raise ConfigError(f'[slurm] has options of sbatch, as partition = "gpu" or mem = "4G"; got {shown(name)}')
        if name in OURS:
            raise ConfigError(f"[slurm] cannot set {name}: the study does")
        if isinstance(value, str) and (not value.isprintable() or not value.strip()):
            raise ConfigError(f"[slurm] {name} must be one line of text, got {shown(value)}")
        found[name] = value
    return found
