"""Reach Ray, and say what it has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.comparison.chosen import counted
from mbpo.errors import ConfigError, StorageError, one_line
from mbpo.settings.packages import install_command
from mbpo.studies.study import Study

SOURCE = Path(__file__).resolve().parents[2]


def connected() -> Any:
    """Return the module ``ray``, connected: to RAY_ADDRESS, this machine's cluster, or one begun for this process.

    Raises:
        ConfigError: Ray is not installed.
        StorageError: it cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError(f"--on ray needs Ray: {install_command('ray')}") from None
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(SOURCE), given] if given else [str(SOURCE)])
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    how["runtime_env"] = {"env_vars": {"PYTHONPATH": path}}  # where workers find this package
    try:
        try:
            ray.init(address="auto", **how)
        except ConnectionError:
            if "RAY_ADDRESS" in os.environ:
                raise
            os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # it sees none of a learner's memory
            ray.init(address="local", include_dashboard=False, **how)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        raise StorageError(one_line(f"cannot connect to Ray: {error}")) from None
    return ray


def size_of(ray: Any, needs: Mapping[str, float]) -> str:
    """Say how large the cluster is, and what none of its nodes has of a task's needs."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = sum(node.get("CPU", 0.0) for node in nodes)
    words = f"{ray.__version__} has them: {counted(len(nodes), 'node')}, {cores:.0f} cores"
    if any(all(node.get(name, 0.0) >= amount for name, amount in needs.items()) for node in nodes):
        return words
    asked = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
    return f"{words}; they wait: no node has {asked}"


def check_gpu(study: Study) -> None:
    """Check that learners on a GPU ask for one.

    Raises:
        ConfigError: they do not.
    """
    configs = [study.recipe.config, *(run.config for run in study.runs)]
    if study.ray.num_gpus == 0 and any(each.device.startswith("cuda") for each in configs):
        raise ConfigError("device cuda needs [ray] num_gpus = 1 in the study, or a part of one")
