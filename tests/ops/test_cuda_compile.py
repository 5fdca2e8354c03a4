"""What nvcc made of the kernels when it built ``mbpo._cuda``, on a machine that need not have a GPU."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = util.find_spec("mbpo._cuda")
# Blocks have 256 threads: 255 registers each is all that a processor has for one.
MOST_REGISTERS = {"Large": 255, "Small": 168, "": 128}
# A register that is spilled goes to the kernel's stack.
KERNEL = re.compile(r"Function (\w+):\s+REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)")

pytestmark = pytest.mark.skipif(BUILT is None, reason="mbpo._cuda is not built")


def cuobjdump() -> str:
    """Return the toolkit's own program, or that of the package nvidia-cuda-cuobjdump."""
    if found := shutil.which("cuobjdump"):
        return found
    try:
        files = importlib.metadata.files("nvidia-cuda-cuobjdump") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("there is no cuobjdump: pip install nvidia-cuda-cuobjdump")
    program = next(Path(str(file.locate())) for file in files if file.name == "cuobjdump")
    program.chmod(0o755)  # as pip leaves it or not
    return str(program)


@cache
def kernels(module: Path) -> dict[str, list[tuple[str, int, int, int]]]:
    """Return (name, registers, bytes of stack, bytes of local memory) of each kernel, by architecture."""
    done = subprocess.run([cuobjdump(), "--dump-resource-usage", str(module)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = defaultdict(list)
    for part in re.split(r"Fatbin \w+ code:", done.stdout)[1:]:  # elf, and PTX for later GPUs
        (architecture,) = re.findall(r"arch = (\w+)", part)
        found[architecture] += [(name, int(r), int(s), int(local)) for name, r, s, local in KERNEL.findall(part)]
    return found


def shape_of(kernel: str) -> str:
    """Return the name of the tile shape in a mangled kernel's name, if it has one."""
    return "Large" if "ILi128E" in kernel else "Small" if "ILi32E" in kernel else ""


def module() -> Path:
    assert BUILT is not None and BUILT.origin is not None
    return Path(BUILT.origin)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
def test_no_kernel_spills(architecture: str) -> None:
    found = kernels(module())[architecture]
    assert len(found) >= 20
    for name, registers, stack, local in found:
        assert (stack, local) == (0, 0), name
        assert registers <= MOST_REGISTERS[shape_of(name)], (name, registers)


def test_what_was_built_is_what_stands_here() -> None:
    sources = [path for path in (ROOT / "csrc" / "cuda").glob("*") if path.suffix in (".cu", ".cuh", ".h", ".cpp")]
    if not sources:
        pytest.skip("the C++ sources are not here")
    newest = max(sources, key=lambda path: path.stat().st_mtime)
    assert newest.stat().st_mtime <= module().stat().st_mtime, f"{newest} is newer than mbpo._cuda: make install"
