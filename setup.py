"""Add the compiled op to the package where a compiler and torch allow it.

Everything else about the package is in pyproject.toml. Without the extension the package is whole
and runs on plain torch. What an environment variable set to 1 asks for:

    MBPO_NO_EXT       build no native code
    MBPO_REQUIRE_EXT  fail where the extension cannot be built
    MBPO_WERROR       let a warning fail the build; a newer compiler knows warnings that this code
                      has not met, and a user's install must not end there
    MBPO_SANITIZE     build for the address and undefined-behaviour sanitizers (make sanitize)
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
ABI = "0x020a000000000000"  # the oldest torch served: 2.10
PROBE = "#include <optional>\nstd::optional<int> probe() { return 17; }\n"


def wanted(name: str) -> bool:
    """Return whether an environment variable asks for something."""
    return os.environ.get(name, "0") not in ("", "0")


def go_without(reason: str) -> None:
    """Say once that the pure-torch package is what gets installed, or refuse to."""
    if wanted("MBPO_REQUIRE_EXT"):
        raise SystemExit(f"mbpo: MBPO_REQUIRE_EXT=1, but there is no extension: {reason}")
    print(f"mbpo: installing without mbpo._C, the op runs on torch: {reason}", file=sys.stderr)


def listed(name: str, *roles: str) -> list[str]:
    """Return the lines with one of the roles from a list that CMakeLists.txt also reads."""
    lines = (ROOT / "csrc" / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [value for role, value in pairs if role in roles]


def compiler_trouble() -> str | None:
    """Return why the compiler that torch will call cannot build the extension, or None."""
    command = shlex.split(os.environ.get("CXX", "c++"))
    shown = shlex.join(command)
    with tempfile.TemporaryDirectory() as folder:
        probe, built = Path(folder) / "probe.cpp", Path(folder) / "probe.o"
        probe.write_text(PROBE, encoding="utf-8")
        try:
            done = subprocess.run(
                [*command, "-std=c++17", "-c", str(probe), "-o", str(built)],
                capture_output=True,
                text=True,
                errors="replace",
            )
        except (OSError, IndexError) as error:
            why = getattr(error, "strerror", None) or "no command"
            return f"cannot run the C++ compiler '{shown}' ({why}); install g++ or set CXX"
        if done.returncode == 0 and built.exists():
            return None
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "")
        said = said.replace(f"{folder}/", "") or f"exit status {done.returncode}"
        return f"the C++ compiler '{shown}' does not compile C++17 ({said}); set CXX to another"


def c_extension(cpp_extension: Any) -> Any:
    """Return what builds ``mbpo._C``, given torch.utils.cpp_extension."""
    flags = ["-std=c++17", "-g0", *listed("flags.txt", "always")]
    if wanted("MBPO_WERROR"):
        flags += listed("flags.txt", "error")
    sanitize = listed("flags.txt", "sanitize") if wanted("MBPO_SANITIZE") else []
    # torch's headers are the system's here: their warnings are not this project's to mend.
    flags += [f"-isystem{path}" for path in cpp_extension.include_paths()]
    extension = cpp_extension.CppExtension(
        "mbpo._C",
        listed("sources.txt", "kernel", "torch"),
        define_macros=[("TORCH_TARGET_VERSION", ABI)],
        extra_compile_args={"cxx": [*flags, *sanitize]},
        extra_link_args=sanitize,
        py_limited_api=True,
    )
    extension.include_dirs = [str(ROOT / "csrc" / "include")]
    return extension


def extensions() -> dict[str, Any]:
    """Return what setup() needs to build ``mbpo._C``, or nothing.

    The CUDA module ``mbpo._cuda`` gets a second extension here, from csrc/cuda.
    """
    if {"egg_info", "dist_info"} & set(sys.argv):
        return {}  # metadata only: nothing to build, and nothing to say yet
    if wanted("MBPO_NO_EXT"):
        go_without("MBPO_NO_EXT=1 is set")
        return {}
    try:
        import torch
        from torch.utils import cpp_extension
    except ImportError:
        go_without("torch is not importable here; install it and pass --no-build-isolation")
        return {}
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 10):
        go_without(f"torch {torch.__version__} is older than 2.10")
        return {}

    class BuildOrGoWithout(cpp_extension.BuildExtension):  # type: ignore[misc]
        """Install the pure-torch package when the compiler is missing or fails."""

        def run(self) -> None:
            reason = compiler_trouble()
            if reason is None:
                # torch's ninja step raises RuntimeError, a failing linker one of several others.
                try:
                    super().run()
                except Exception as error:
                    first_line = (str(error).splitlines() or [""])[0]
                    reason = f"{type(error).__name__}: {first_line}"
            if reason is None:
                return
            go_without(reason)
            for stale in self.get_outputs():  # of an earlier build, for other sources
                Path(stale).unlink(missing_ok=True)
            self.extensions = []

    return {
        "ext_modules": [c_extension(cpp_extension)],
        "cmdclass": {"build_ext": BuildOrGoWithout},
        "options": {"bdist_wheel": {"py_limited_api": "cp310"}},
    }


setup(**extensions())
