"""Build what CMake builds, once for all tests and workers, and load the module ``_host``.

The kernels of each instruction set, which take the compiler longest, are those of ``mbpo._C`` where its build has left
their objects and no source is newer.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def missing_tool() -> str | None:
    """Return what keeps CMake from building here, or None."""
    if not (ROOT / "CMakeLists.txt").exists():
        return "the C++ sources are not here"
    if shutil.which("cmake") is None:
        return "cmake is not installed"
    if shutil.which(os.environ.get("CXX", "c++").split()[0]) is None:
        return "no C++ compiler is installed"
    return None


needs_cmake = pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool()))


@cache
def cmake_build() -> Path:
    """Return the folder of a finished build; MBPO_CMAKE_BUILD names one that is there already."""
    ready = os.environ.get("MBPO_CMAKE_BUILD")
    if ready:
        return Path(ready)
    pybind11 = pytest.importorskip("pybind11")
    folder = ROOT / "build" / "cmake"
    folder.mkdir(parents=True, exist_ok=True)
    objects = isa_objects()
    options = [
        f"-DMBPO_ISA_OBJECTS={objects or ''}",
        "-DMBPO_HOST=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
    ]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker builds, the others wait for it
        run("cmake", "-S", str(ROOT), "-B", str(folder), *options)
        run("cmake", "--build", str(folder), "--parallel", str(os.cpu_count()))
    return folder


def isa_objects() -> Path | None:
    """Return the folder in which the build of ``mbpo._C`` left the objects of csrc/cpu/isa, if they are of today."""
    csrc = ROOT / "csrc"
    kernels = [*(csrc / "cpu").rglob("*"), *(csrc / "include").rglob("*")]
    made_of = [path.stat().st_mtime for path in (*kernels, csrc / "flags.txt", ROOT / "setup.py") if path.is_file()]
    wanted = {path.stem for path in (csrc / "cpu" / "isa").glob("*.cpp")}
    for folder in (ROOT / "build").glob("temp.*/mbpo._C/csrc/cpu/isa"):
        objects = list(folder.glob("*.o"))
        if {path.stem for path in objects} == wanted and min(path.stat().st_mtime for path in objects) > max(made_of):
            return folder
    return None


@cache
def host() -> ModuleType:
    """Return the module ``_host``."""
    (path,) = cmake_build().glob("_host.*.so")
    spec = importlib.util.spec_from_file_location("_host", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command: str) -> str:
    """Run a command; where it fails, show all that it said."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
