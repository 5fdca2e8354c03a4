"""Load the compiled extension where there is one, and say what runs where and why."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
CPU_DTYPES = (torch.float32, torch.float64)
CPU_TAKES = "float32 or float64 on the CPU"


def choose(op: str, device: torch.device, dtype: torch.dtype, *networks: Sequence[int]) -> BuildInfo:
    """Return what runs ``op`` for networks of these widths there, and why: the one place that decides."""
    if not AVAILABLE:
        return BuildInfo(op, "torch", REASON)
    if device.type == "cpu":
        return BuildInfo(op, "cpp", REASON) if dtype in CPU_DTYPES else _torch(op, f"it takes {CPU_TAKES}", dtype)
    there, reason = cuda.status()
    if there and not cuda.fits(dtype, *networks):
        widest = max(max(sizes) for sizes in networks)
        return _torch(op, f"mbpo/_cuda takes {cuda.TAKES}", f"{dtype}, {len(max(networks, key=len)) - 1} of {widest}")
    return BuildInfo(op, "cpp" if there else "torch", reason)


def multiplies(wanted: str, backend: BuildInfo, like: Tensor) -> tuple[str, BuildInfo]:
    """Return in which precision an update with ``like``'s device and dtype multiplies, and the backend that says so."""
    can = backend.backend == "cpp" and like.dtype == torch.float32 and not why_no_bfloat16(like.device)
    if wanted == "float32" or not can:
        return "float32", backend
    by = torch.ops.mbpo.bf16_instruction_set()
    return "bfloat16", replace(backend, reason=f"{backend.reason}, bfloat16 by {by}")


def why_no_bfloat16(device: torch.device) -> str:
    """Return why updates on ``device`` cannot multiply bfloat16, or nothing; the first call may ask Linux for AMX."""
    if device.type != "cpu":
        return f"updates on {device} do not"
    if not AVAILABLE:
        return REASON
    return "" if torch.ops.mbpo.bf16_instruction_set() else "this processor does not (AVX512-BF16 or AMX)"


def serves(flat: Tensor, *networks: Sequence[int]) -> bool:
    """Return whether compiled operators take networks of these widths; ``flat`` tells device and dtype."""
    return choose("", flat.device, flat.dtype, *networks).backend == "cpp"


def build_info(device: str = "cpu") -> dict[str, BuildInfo]:
    """Return, for each op, the backend that small networks run on by default on "cpu" or "cuda", and why."""
    return {op: choose(op, torch.device(device), torch.float32, (1, 1)) for op in OPS}


def _torch(op: str, takes: str, got: object) -> BuildInfo:
    return BuildInfo(op, "torch", f"{takes}, got {got}")
