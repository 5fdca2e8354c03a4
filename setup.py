"""Add the compiled op to the package where a compiler and torch allow it.

Everything else about the package is in pyproject.toml. Without the extension the package is whole
and runs on plain torch. MBPO_NO_EXT=1 skips native code; MBPO_REQUIRE_EXT=1 refuses to go without.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
ABI = "0x020a000000000000"  # the oldest torch served: 2.10


def wanted(name: str) -> bool:
    """Return whether an environment variable asks for something."""
    return os.environ.get(name, "0") not in ("", "0")


def go_without(reason: str) -> None:
    """Say once that the pure-torch package is what gets installed, or refuse to."""
    if wanted("MBPO_REQUIRE_EXT"):
        raise SystemExit(f"mbpo: MBPO_REQUIRE_EXT=1, but there is no extension: {reason}")
    print(f"mbpo: installing without mbpo._C, the op runs on torch: {reason}", file=sys.stderr)


def sources() -> list[str]:
    """Return every C++ source of ``mbpo._C``, from the list that CMakeLists.txt also reads."""
    lines = (ROOT / "csrc" / "sources.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[1] for line in lines if line.strip() and not line.startswith("#")]


def extensions() -> dict[str, Any]:
    """Return what setup() needs to build ``mbpo._C``, or nothing.

    The CUDA module ``mbpo._cuda`` gets a second extension here, from csrc/cuda.
    """
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
            # torch's ninja step raises RuntimeError, a missing compiler one of several others.
            try:
                super().run()
            except Exception as error:
                go_without(f"{type(error).__name__}: {str(error).splitlines()[0]}")
                self.extensions = []

    # Neither math flag touches NaN or infinity; both let the loops over activations vectorise.
    flags = ["-O3", "-g0", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno"]
    flags += ["-fno-trapping-math"]
    extension = cpp_extension.CppExtension(
        "mbpo._C",
        sources(),
        include_dirs=[str(ROOT / "csrc" / "include")],
        define_macros=[("TORCH_TARGET_VERSION", ABI)],
        extra_compile_args={"cxx": [*flags, "-fvisibility=hidden"]},
        py_limited_api=True,
    )
    return {
        "ext_modules": [extension],
        "cmdclass": {"build_ext": BuildOrGoWithout},
        "options": {"bdist_wheel": {"py_limited_api": "cp310"}},
    }


setup(**extensions())
