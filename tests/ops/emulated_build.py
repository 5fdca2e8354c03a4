"""Build the GPU's operators for the emulator, which runs them on tensors of the CPU."""

from __future__ import annotations

import fcntl
import shutil
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import cpp_extension

from mbpo.ops import fakes
from mbpo.ops.adam import AdamState

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "csrc/emu/torch/ensemble_mlp.cpp",
    "csrc/emu/torch/updates.cpp",
    "csrc/emu/emulator.cpp",
    "csrc/emu/fiber.cpp",
    "csrc/cuda/module.cpp",
    "csrc/torch/tensors.cpp",
)
FLAGS = ("-std=c++17", "-O2", "-fvisibility=hidden", "-DMBPO_EMULATED", "-DTORCH_TARGET_VERSION=0x020a000000000000")


@cache
def emulated() -> Any:
    """Return ``torch.ops.mbpo_emulated``, whose operators are those of ``mbpo._cuda``."""
    if not (ROOT / "csrc" / "emu").exists() or shutil.which("c++") is None:
        pytest.skip("the C++ sources or a compiler are not here")
    folder = ROOT / "build" / "emulated"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "workers.lock").open("w") as lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker builds, the others wait for it
        cpp_extension.load(
            "mbpo_emulated",
            [str(ROOT / source) for source in SOURCES],
            extra_cflags=list(FLAGS),
            extra_include_paths=[str(ROOT / "csrc" / "include"), str(ROOT / "csrc")],
            build_directory=str(folder),
            is_python_module=False,
        )
    fakes.register_cuda("mbpo_emulated")
    return torch.ops.mbpo_emulated


def take_updates(monkeypatch: pytest.MonkeyPatch, ops: Any) -> None:
    """Let TrainStep and SACAgent take these operators, in float32's precision."""

    def held(state: AdamState) -> tuple[list[Tensor], ...]:
        return state.parameters, state.moments, state.second_moments, state.steps

    def sac_updates(
        batches: Tensor, noise: Tensor, weights: Tensor | None, *args: Any, bfloat16: bool = False
    ) -> Tensor:
        center, scale, state, *rest = args
        each = zip(batches, noise, [None] * len(batches) if weights is None else weights, strict=True)
        return torch.stack([ops.cuda_sac_update(*one, center, scale, *held(state), *rest, False) for one in each])

    def train_steps(
        inputs: Tensor, labels: Tensor, index: Tensor, batch: int, state: AdamState, *rest: Any, bfloat16: bool = False
    ) -> Tensor:
        parts = [part.contiguous() for part in index.split(batch, dim=1)]
        return torch.stack([ops.cuda_train_step(inputs, labels, part, *held(state), *rest, False) for part in parts])

    monkeypatch.setattr("mbpo.ops.compiled.sac_updates", sac_updates)
    monkeypatch.setattr("mbpo.ops.compiled.train_steps", train_steps)
