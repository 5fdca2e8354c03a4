"""Add the compiled op to the package where a compiler and torch allow it.

Everything else about the package is in pyproject.toml. ``mbpo._C`` is for the CPU; ``mbpo._cuda``
is built too where nvcc is found, for the GPUs in TORCH_CUDA_ARCH_LIST. Without either the package
is whole and runs on plain torch. What an environment variable set to 1 asks for:

    MBPO_NO_EXT       build no native code
    MBPO_REQUIRE_EXT  fail where mbpo._C cannot be built
    FORCE_CUDA        fail where mbpo._cuda cannot be built; set to 0, do not build it
    MBPO_WERROR       let a warning fail the build; a newer compiler knows warnings that this code
                      has not met, and a user's install must not end there
    MBPO_SANITIZE     build for the address and undefined-behaviour sanitizers (make sanitize)
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
ABI = "0x020a000000000000"  # the oldest torch served: 2.10
CUDA_ARCHITECTURES = "8.0;9.0;10.0+PTX"
PROBE = "#include <optional>\nstd::optional<int> probe() { return 17; }\n"


def wanted(name: str) -> bool:
    """Return whether an environment variable asks for something."""
    return os.environ.get(name, "0") not in ("", "0")


def go_without(reason: str, name: str = "mbpo._C") -> None:
    """Say once what the package is installed without, or refuse to install it so."""
    demand = "FORCE_CUDA" if name == "mbpo._cuda" else "MBPO_REQUIRE_EXT"
    if wanted(demand):
        raise SystemExit(f"mbpo: {demand}=1, but there is no extension {name}: {reason}")
    where = " on a GPU" if name == "mbpo._cuda" else ""
    print(f"mbpo: installing without {name}, the op runs on torch{where}: {reason}", file=sys.stderr)


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


def cuda_home() -> Path | None:
    """Return the CUDA toolkit's folder, or None where there is no nvcc."""
    nvcc = shutil.which("nvcc")
    named = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    beside = [Path(nvcc).resolve().parent.parent] if nvcc else []
    for home in [Path(named)] if named else [*beside, Path("/usr/local/cuda")]:
        if (home / "bin" / "nvcc").exists() and (home / "include" / "cuda_runtime.h").exists():
            return home
    return None


def cuda_extension(cpp_extension: Any, home: Path) -> Any:
    """Return what builds ``mbpo._cuda``, whichever torch, CPU-only ones too, is installed."""
    cpp_extension.CUDA_HOME = str(home)  # torch looks for it only in a CUDA build of itself
    os.environ.setdefault("TORCH_CUDA_ARCH_LIST", CUDA_ARCHITECTURES)
    paths = cpp_extension.include_paths()
    strict = ["-Werror=all-warnings"] if wanted("MBPO_WERROR") else []
    extension = cpp_extension.CppExtension(
        "mbpo._cuda",
        listed("sources.txt", "cuda"),
        define_macros=[("TORCH_TARGET_VERSION", ABI), ("USE_CUDA", None)],
        extra_compile_args={
            "cxx": ["-std=c++17", "-g0", *listed("flags.txt", "always"), *(f"-isystem{path}" for path in paths)],
            "nvcc": [*listed("flags.txt", "cuda"), *strict, *(f"-isystem={path}" for path in paths)],
        },
        libraries=["cudart_static", "dl", "rt", "pthread"],
        library_dirs=[str(path) for path in (home / "lib64", home / "lib") if path.exists()],
        py_limited_api=True,
    )
    extension.include_dirs = [str(ROOT / "csrc" / "include"), str(ROOT / "csrc")]
    extension.include_dirs += [str(home / "include")]
    return extension


def extensions() -> dict[str, Any]:
    """Return what setup() needs to build the extensions that can be, or nothing."""
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
        """Install without the extensions whose compiler is missing or fails."""

        def run(self) -> None:
            trouble, every, built = compiler_trouble(), self.extensions, []
            compiler, folder = self.compiler, self.build_temp
            for extension in every:
                # What a run leaves of itself: the next begins anew, with objects of its own.
                self.extensions, self.compiler = [extension], compiler
                self.build_temp = str(Path(folder) / extension.name)
                reason = trouble or self.attempt()
                if reason is None:
                    built.append(extension)
                    continue
                for stale in self.get_outputs():  # of an earlier build, for other sources
                    Path(stale).unlink(missing_ok=True)
                if reason != trouble:
                    go_without(reason, extension.name)
            self.extensions = built
            if trouble:
                go_without(trouble)

        def attempt(self) -> str | None:
            """Build and return None, or why it failed."""
            # torch's ninja step raises RuntimeError, a failing linker one of several others.
            try:
                super().run()
            except Exception as error:
                return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            return None

    modules = [c_extension(cpp_extension)]
    home = None if os.environ.get("FORCE_CUDA") == "0" else cuda_home()
    if home:
        modules.append(cuda_extension(cpp_extension, home))
    elif wanted("FORCE_CUDA"):
        go_without("no nvcc found; install the CUDA toolkit or set CUDA_HOME", "mbpo._cuda")
    return {
        "ext_modules": modules,
        "cmdclass": {"build_ext": BuildOrGoWithout},
        "options": {"bdist_wheel": {"py_limited_api": "cp310"}},
    }


setup(**extensions())
