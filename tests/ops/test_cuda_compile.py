"""What nvcc makes of the kernels, on a machine that need not have a GPU."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from torch.utils import cpp_extension

ROOT = Path(__file__).resolve().parents[2]
NVCC = shutil.which("nvcc")
# Blocks have 256 threads: 255 registers each is all that a processor has for one.
MOST_REGISTERS = {"Large": 255, "Small": 160, "": 128}

pytestmark = pytest.mark.skipif(NVCC is None, reason="no nvcc is installed")


def compiled(source: str, architecture: str, folder: Path) -> str:
    """Return what ptxas says of a source's kernels."""
    assert NVCC is not None
    include = [ROOT / "csrc" / "include", ROOT / "csrc", *cpp_extension.include_paths()]
    done = subprocess.run(
        [
            NVCC,
            "-std=c++17",
            "-O3",
            "--expt-relaxed-constexpr",
            "-Werror=all-warnings",
            "-DUSE_CUDA",
            "-DTORCH_TARGET_VERSION=0x020a000000000000",
            *(f"-isystem={path}" for path in include),
            f"-arch={architecture}",
            "-Xptxas=-v",
            "-cubin",
            str(ROOT / "csrc" / "cuda" / source),
            "-o",
            str(folder / "kernels.cubin"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def shape_of(kernel: str) -> str:
    """Return the name of the tile shape in a mangled kernel's name, if it has one."""
    return "Large" if "ILi128E" in kernel else "Small" if "ILi32E" in kernel else ""


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("source", ["ensemble_mlp.cu", "updates.cu"])
def test_no_kernel_spills(source: str, architecture: str, tmp_path: Path) -> None:
    said = compiled(source, architecture, tmp_path)
    numbers = re.findall(r"(\d+) bytes (stack frame|spill stores|spill loads)", said)
    assert numbers and {int(number) for number, _ in numbers} == {0}, said
    kernels = re.findall(r"Compiling entry function '(\w+)'.*?Used (\d+) registers", said, re.DOTALL)
    assert len(kernels) >= 10, said
    for name, registers in kernels:
        assert int(registers) <= MOST_REGISTERS[shape_of(name)], (name, registers)
