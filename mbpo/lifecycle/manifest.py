"""Record on what a run ran: versions, machine, threads, device, op backend, commit."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import mbpo
from mbpo import __version__
from mbpo.learner.learner import Learner
from mbpo.runs.records.manifest import SCHEMA
from mbpo.settings.config import Auto, Config
from mbpo.settings.threads import auto_threads, cores

PACKAGES = ("torch", "numpy", "gymnasium", "mujoco", "safetensors")


def pin_threads(threads: int | Auto) -> int:
    """Fix torch's CPU threads and return their number."""
    count = auto_threads() if threads == "auto" else threads
    torch.set_num_threads(count)
    return count


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that moves results."""
    found = {"python": platform.python_version(), "mbpo-workbench": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    # Its build too, +cpu or +cu130, which the metadata of PyPI's own wheel does not name.
    return {**found, "torch": str(torch.__version__)}


def machine() -> dict[str, Any]:
    """Return what hardware this is."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"platform": platform.platform(), "cpu": _cpu_model(), "cores": cores(), "gpus": gpus}


def manifest(learner: Learner, config: Config, toml: str, threads: int) -> dict[str, Any]:
    """Return the contents of ``manifest.json``."""
    return {
        "schema": SCHEMA,
        "versions": versions(),
        "machine": machine(),
        "threads": threads,
        "device": str(learner.device),
        "op": {name: dataclasses.asdict(info) for name, info in learner.backends().items()},
        "termination": None if config.algo == "sac" else learner.rule_name,  # it imagines nothing
        "git_commit": _git_commit(),
        "config_sha256": hashlib.sha256(toml.encode()).hexdigest(),
        "preset": config.preset,
        "seed": config.seed,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _git_commit() -> str | None:
    here = Path(mbpo.__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        found = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
