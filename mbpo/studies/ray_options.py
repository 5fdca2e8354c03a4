"""Check what a run of a study asks of Ray, beside the cores for its threads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.setting import nearest, shown

KEYS = ("num_gpus", "memory", "resources", "accelerator_type")


@dataclass(frozen=True)
class RayOptions:
    """Hold what each run asks for; the names are those of ``ray.remote``."""

    num_gpus: float = 0.0
    memory: int = 0  # bytes, to find a node with so much; nothing holds the learner to it
    resources: Mapping[str, float] = field(default_factory=dict)
    accelerator_type: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """Return those that were asked for."""
        return {name: value for name, value in vars(self).items() if value}

    def needs(self, cores: int) -> dict[str, float]:
        """Return the amounts that a node must have, as ``ray.nodes()`` names them."""
        named = {"CPU": float(cores), "GPU": self.num_gpus, "memory": float(self.memory), **self.resources}
        if self.accelerator_type:
            named[f"accelerator_type:{self.accelerator_type}"] = 0.001
        return {name: amount for name, amount in named.items() if amount}


def ray_options(given: Mapping[str, object]) -> RayOptions:
    """Return what a study asks of Ray.

    Raises:
        ConfigError: Ray knows no such option, or no such value.
    """
    for name in given:
        if name not in KEYS:
            why = ": it is the threads of [base]" if name == "num_cpus" else nearest(name, KEYS)
            raise ConfigError(f"[ray] cannot set {shown(name)}{why}; it has {', '.join(KEYS)}")
    gpus = _amount("num_gpus", given.get("num_gpus", 0))
    if gpus > 1 and gpus != int(gpus):
        raise ConfigError(f"[ray] num_gpus must be a part of one GPU, or a number of whole ones, got {gpus:g}")
    memory = given.get("memory", 0)
    if not isinstance(memory, int) or isinstance(memory, bool) or memory < 0:
        raise ConfigError(f"[ray] memory must be a number of bytes, as 4_000_000_000, got {shown(memory)}")
    resources = given.get("resources", {})
    if not isinstance(resources, dict):
        raise ConfigError(f"[ray] resources must be a table of amounts, as {{big = 1}}, got {shown(resources)}")
    kind = given.get("accelerator_type", "")
    if not isinstance(kind, str) or not kind.isprintable():
        raise ConfigError(f'[ray] accelerator_type must be a name, as "H200", got {shown(kind)}')
    return RayOptions(gpus, memory, {name: _amount(name, value) for name, value in resources.items()}, kind)


def _amount(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"[ray] {name} must be a number from 0, got {shown(value)}")
    return float(value)
