"""Tests of the emulator's tests: a mask taken out of a kernel must make one of them fail.

Barriers and waits are left out by those tests themselves (csrc/emu/tests).
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cmake_build import ROOT, cmake_build, needs_cmake

pytestmark = [needs_cmake, pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")]


@dataclass(frozen=True)
class Fault:
    """Name a line of a kernel, what takes its place, and the test that must notice."""

    file: str
    line: str
    instead: str
    test: str


FAULTS = {
    "rows of a stage": Fault("product.cuh", "r < block.rows && c < block.columns", "c < block.columns", "forward"),
    "columns of a stage": Fault("product.cuh", "r < block.rows && c < block.columns", "r < block.rows", "forward"),
    "rows of the output": Fault("forward.cuh", "if (row >= tile.count) return;", "", "forward"),
    "padding of a layer": Fault(
        "network.cuh", "column < width ? sum + bias[column] : 0.0f", "sum + bias[column]", "forward"
    ),
    "rows of the record": Fault(
        "network.cuh", "last || norm || row >= tile.count || column >= width", "last || norm", "gradients"
    ),
    "rows of a norm": Fault("norm.cuh", "kept && share.row < count", "kept", "sac"),
    "tiles of a norm": Fault("network.cuh", "first / kNormRows + member", "first / kNormRows", "sac"),
    "rows of the head": Fault(
        "backward.cuh", "const bool there = row < tile.count;", "const bool there = true;", "gradients"
    ),
    "edge of the weights": Fault("weights.cuh", "if (i >= inputs || j >= width) continue;", "", "gradients"),
    "order of the parts": Fault("gate.cuh", "if (closed[before] != 0.0f) return false;", "", "sac"),
    "look at the weights": Fault("adam.cuh", "finite()) job.gate.close(part);", "finite()) return;", "sac"),
    "look at the targets": Fault(
        "sac.cuh", "if (!finite(job.moved_target(at))) job.gate.close(kOfTargets);", "", "sac"
    ),
    "look at alpha": Fault("sac.cuh", "if (!alpha) gate.close(kOfAlpha);", "", "sac"),
    "look at the bounds": Fault("train.cuh", "finite()) gate.close(part);", "finite()) continue;", "training"),
    "rows of the weights": Fault(
        "sac.cuh",
        "there ? job.row_weight(rows.first + row) * error : 0.0f",
        "job.row_weight(rows.first + row) * error",
        "sac",
    ),
    "rows of the target": Fault("sac.cuh", "if (row >= rows.count) return;", "", "sac"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_mask_taken_out_is_noticed(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    kernel = tmp_path / "csrc" / "cuda" / fault.file
    source = kernel.read_text(encoding="utf-8")
    assert fault.line in source, "the fault's line has changed: plant it anew"
    kernel.write_text(source.replace(fault.line, fault.instead), encoding="utf-8")
    program = tmp_path / "test"
    built = subprocess.run(
        [
            "g++",
            "-std=c++17",
            "-O1",
            "-fsanitize=address",
            "-DMBPO_SANITIZED",
            "-DMBPO_STOP_AT_FAILURE",
            f"-I{tmp_path}/csrc/include",
            str(tmp_path / "csrc" / "emu" / "tests" / f"test_{fault.test}.cpp"),
            *(str(cmake_build() / f"lib{name}.a") for name in ("mbpo_emu_watched", "mbpo_kernels")),
            "-o",
            str(program),
        ],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
