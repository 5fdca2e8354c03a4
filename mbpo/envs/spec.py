"""Say which environment to make, and how: its id, keyword arguments, wrappers and time limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mbpo.settings.config import Config


@dataclass(frozen=True)
class EnvSpec:
    """Name an environment and how it is made; training and evaluation make it alike."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)  # of gymnasium.make
    wrappers: tuple[str, ...] = ()  # module:Class(key=TOML), innermost first
    time_limit: int | None = None  # env steps: an episode of so many ends by time, however its environment says it
    fresh: bool = False  # whether each episode has an environment of its own

    @classmethod
    def of(cls, what: EnvSpec | Config | str) -> EnvSpec:
        """Return what a run's settings say, or the environment of a bare id."""
        if isinstance(what, EnvSpec):
            return what
        if isinstance(what, str):
            return cls(what)
        limit = what.time_limit
        return cls(what.env_id, what.env_kwargs, what.wrappers, None if limit == "auto" else int(limit), what.fresh_env)
