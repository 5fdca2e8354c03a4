"""What CMake builds: the C++ tests, and objects that no linker may mix up."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cmake_build import ROOT, cmake_build, isa_objects, needs_cmake, run

pytestmark = needs_cmake


def test_the_cpp_tests_pass() -> None:
    if shutil.which("ctest") is None:
        pytest.skip("ctest is not installed")
    said = run("ctest", "--test-dir", str(cmake_build()), "--output-on-failure")
    assert "100% tests passed" in said


def test_compile_commands_name_every_kernel(tmp_path: Path) -> None:
    run("cmake", "-S", str(ROOT), "-B", str(tmp_path))
    commands = json.loads((tmp_path / "compile_commands.json").read_text(encoding="utf-8"))
    files = {entry["file"] for entry in commands}
    for line in (ROOT / "csrc" / "sources.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("kernel "):
            assert str(ROOT / line.split()[1]) in files
    flags = (ROOT / "csrc" / "flags.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.split()[1] for line in flags if line.startswith("always ")]
    assert all(flag in entry["command"].split() for entry in commands for flag in wanted)


def test_no_inline_function_of_others_is_compiled_for_one_instruction_set() -> None:
    # The linker keeps one copy of a weak function. Were it the one with AVX-512 in it, everybody
    # who calls that function would crash on an older processor.
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("binutils' nm is not installed")
    folder = isa_objects() or cmake_build() / "CMakeFiles" / "mbpo_kernels.dir" / "csrc" / "cpu" / "isa"
    objects = list(folder.glob("*.o"))
    names = {path.name.split(".")[0] for path in objects}
    assert names >= {path.stem for path in (ROOT / "csrc" / "cpu" / "isa").glob("*.cpp")}
    seen = 0
    for path in objects:
        own = f"mbpo::{path.name.split('.')[0]}::"
        if own == "mbpo::generic::":
            continue  # compiled for every processor
        lines = run(nm, "--demangle", "--defined-only", str(path)).splitlines()
        shared = [line for line in lines if re.match(r"[0-9a-f]* [uVvWw] ", line)]
        assert [line for line in shared if own not in line] == []
        seen += len(shared)
    if platform.machine() in ("x86_64", "AMD64"):
        assert seen, "the kernels themselves are weak, being templates"


def test_another_compiler_is_named_when_it_fails(tmp_path: os.PathLike[str]) -> None:
    done = subprocess.run(
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path)],
        env={**os.environ, "CXX": "/bin/false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "/bin/false" in done.stderr
