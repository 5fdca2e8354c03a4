"""Tests of the emulator's tests: a mask taken out of a kernel must make one of them fail.

Barriers and waits are left out by those tests themselves (csrc/emu/tests). Each test program is compiled once, with
all the faults that it must notice; the environment says which of them is in force.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cmake_build import ROOT, cmake_build, needs_cmake, run

pytestmark = [needs_cmake, pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")]

FLAGS = ("-std=c++17", "-O1", "-fsanitize=address", "-DMBPO_SANITIZED", "-DMBPO_STOP_AT_FAILURE")
IN_FORCE = '#pragma once\n#include <cstdlib>\ninline const int planted = std::atoi(std::getenv("PLANTED"));\n'


@dataclass(frozen=True)
class Fault:
    """Name a part of a kernel's line, an expression or a statement, and what takes its place: nothing of a statement.

    Without ``part`` it is all of ``line``.
    """

    file: str
    line: str
    instead: str
    part: str = ""

    def planted(self, source: str, number: int) -> str:
        """Return the source in which this is the fault of that number."""
        assert self.line in source, f"{self.line}: the fault's line has changed: plant it anew"
        part = self.part or self.line
        either = (
            f"(planted == {number} ? ({self.instead}) : ({part}))"
            if self.instead
            else f"if (planted != {number}) {part}"
        )
        return source.replace(self.line, self.line.replace(part, either))


FAULTS = {
    "forward": {
        "rows of a stage": Fault("product.cuh", "r < block.rows && c < block.columns", "c < block.columns"),
        "columns of a stage": Fault("product.cuh", "r < block.rows && c < block.columns", "r < block.rows"),
        "rows of the output": Fault("forward.cuh", "if (row >= tile.count) return;", ""),
        "padding of a layer": Fault("network.cuh", "column < width ? sum + bias[column] : 0.0f", "sum + bias[column]"),
    },
    "gradients": {
        "rows of the record": Fault(
            "network.cuh", "last || norm || row >= tile.count || column >= width", "last || norm"
        ),
        "rows of the head": Fault("backward.cuh", "bool there = row < tile.count;", "true", part="row < tile.count"),
        "edge of the weights": Fault("weights.cuh", "if (i >= inputs || j >= width) continue;", ""),
    },
    "sac": {
        "rows of a norm": Fault("norm.cuh", "kept && share.row < count", "kept != nullptr"),
        "tiles of a norm": Fault("network.cuh", "first / kNormRows + member", "first / kNormRows"),
        "order of the parts": Fault("gate.cuh", "if (closed[before] != 0.0f) return false;", ""),
        "look at the weights": Fault("adam.cuh", "finite()) job.gate.close(part);", "", part="job.gate.close(part);"),
        "look at the targets": Fault("sac.cuh", "if (!finite(job.moved_target(at))) job.gate.close(kOfTargets);", ""),
        "look at alpha": Fault("sac.cuh", "if (!alpha) gate.close(kOfAlpha);", ""),
        "rows of the weights": Fault(
            "sac.cuh",
            "there ? job.row_weight(rows.first + row) * error : 0.0f",
            "job.row_weight(rows.first + row) * error",
        ),
        "rows of the target": Fault("sac.cuh", "if (row >= rows.count) return;", ""),
    },
    "training": {"look at the bounds": Fault("train.cuh", "finite()) gate.close(part);", "", part="gate.close(part);")},
}


@pytest.mark.parametrize("test", FAULTS)
def test_a_mask_taken_out_is_noticed(test: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    (tmp_path / "in_force.h").write_text(IN_FORCE, encoding="utf-8")
    for number, fault in enumerate(FAULTS[test].values(), start=1):
        kernel = tmp_path / "csrc" / "cuda" / fault.file
        kernel.write_text(fault.planted(kernel.read_text(encoding="utf-8"), number), encoding="utf-8")
    program, source = tmp_path / "test", tmp_path / "csrc" / "emu" / "tests" / f"test_{test}.cpp"
    libraries = [str(cmake_build() / f"lib{name}.a") for name in ("mbpo_emu_watched", "mbpo_kernels")]
    places = [f"-I{tmp_path}/csrc/include", "-include", f"{tmp_path}/in_force.h"]
    run("g++", *FLAGS, *places, str(source), *libraries, "-o", str(program))
    unnoticed = {}
    for number, name in enumerate(FAULTS[test], start=1):
        done = subprocess.run([program], env={**os.environ, "PLANTED": str(number)}, capture_output=True, text=True)
        if done.returncode == 0 or ("FAILED" not in done.stdout and "AddressSanitizer" not in done.stderr):
            unnoticed[name] = done
    assert not unnoticed
