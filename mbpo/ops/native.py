"""Load the compiled extension where there is one, and say what runs where and why."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import torch
from torch import Tensor

from mbpo.ops import cuda

logger = logging.getLogger("mbpo.ops")


@dataclass(frozen=True)
class BuildInfo:
    """Tell which backend an op runs on by default, and why."""

    op: str
    backend: str  # "cpp" or "torch"
    reason: str

    def __str__(self) -> str:
        """Read as ``cpp: mbpo/_C.abi3.so built, avx512``."""
        return f"{self.backend}: {self.reason}"


def _load() -> tuple[bool, str]:
    """Import ``mbpo._C`` if it is wanted and there; return whether it is, and the reason."""
    if os.environ.get("MBPO_NO_EXT", "0") not in ("", "0"):
        return False, "MBPO_NO_EXT=1 is set"
    spec = util.find_spec("mbpo._C")
    if spec is None or spec.origin is None:
        return False, "extension not built (no compiler, or MBPO_NO_EXT=1, at install time)"
    try:
        importlib.import_module("mbpo._C")
        instruction_set = torch.ops.mbpo.instruction_set()
    except (ImportError, OSError) as error:
        return False, f"extension built but not importable: {error}"
    except AttributeError:
        return False, "extension built from other sources than these: install the package anew"
    return True, f"mbpo/{Path(spec.origin).name} built, {instruction_set}"


AVAILABLE, REASON = _load()
_said = False


def say_fallback_once() -> None:
    """Log one warning per process that the op runs in plain torch."""
    global _said
    if not _said:
        _said = True
        logger.warning("ensemble_mlp runs in plain torch, slower than compiled: %s", REASON)


OPS = ("ensemble_mlp", "ensemble_train_step", "sac_update")


def serves(flat: Tensor, *networks: Sequence[int]) -> bool:
    """Return whether compiled operators take whole updates of networks of these widths.

    ``flat`` tells device and dtype.
    """
    if flat.device.type == "cpu":
        return AVAILABLE and flat.dtype in (torch.float32, torch.float64)
    return AVAILABLE and cuda.takes_network(flat, *networks)


def build_info(device: str = "cpu") -> dict[str, BuildInfo]:
    """Return, for each op, the backend it runs on by default on "cpu" or "cuda", and why."""
    there, reason = (AVAILABLE, REASON) if device == "cpu" else cuda.status()
    return {op: BuildInfo(op, "cpp" if there else "torch", reason) for op in OPS}
