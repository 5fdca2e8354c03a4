"""The build: what the module links to, and what happens without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
import torch
from op_cases import make_case, needs_extension, outputs

import mbpo
from mbpo.ops import build_info, ensemble_mlp, native

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import logging, torch
logging.basicConfig(format="%(levelname)s %(message)s")
from mbpo.ops import build_info, ensemble_mlp
from op_cases import make_case, outputs
case = make_case(2, 9, [3, 16, 2], routed=True, gaussian=True)
for _ in range(3):
    ys = outputs(ensemble_mlp(*case.args()))
torch.save([*ys, *torch.autograd.grad(ys, case.leaves, [torch.ones_like(y) for y in ys])], {path!r})
print(build_info()["ensemble_mlp"])
print(torch.__version__)
"""


def python_path(*folders: str) -> str:
    """Return PYTHONPATH with op_cases and some folders before what is there."""
    return os.pathsep.join([str(Path(__file__).parent), *folders, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)


def call_elsewhere(python: str, path: Path, **environment: str) -> tuple[list[torch.Tensor], list[str], str]:
    """Return outputs and gradients of CASE in another process, and what that process said."""
    done = subprocess.run(
        [python, "-c", CALL.format(path=str(path))], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return torch.load(path), done.stdout.splitlines(), done.stderr


def assert_equal_to_here(results: list[torch.Tensor]) -> None:
    case = make_case(2, 9, [3, 16, 2], routed=True, gaussian=True)
    ys = outputs(ensemble_mlp(*case.args()))
    slopes = torch.autograd.grad(ys, case.leaves, [torch.ones_like(y) for y in ys])
    for got, want in zip(results, (*ys, *slopes), strict=True):
        torch.testing.assert_close(got, want)


def test_without_the_extension_all_is_equal_and_said_once(tmp_path: Path) -> None:
    results, said, logged = call_elsewhere(
        sys.executable, tmp_path / "ys.pt", MBPO_NO_EXT="1", PYTHONPATH=python_path()
    )
    assert said[0] == "torch: MBPO_NO_EXT=1 is set"
    assert logged.count("ensemble_mlp runs in plain torch") == 1, logged
    assert_equal_to_here(results)


@needs_extension
def test_one_build_serves_another_torch(tmp_path: Path) -> None:
    python = os.environ.get("MBPO_OTHER_PYTHON")
    if not python:
        pytest.skip("MBPO_OTHER_PYTHON names no Python with another torch from 2.10 on")
    package = Path(mbpo.__file__).parents[1]
    results, said, _ = call_elsewhere(python, tmp_path / "ys.pt", PYTHONPATH=python_path(str(package)))
    assert said[0].startswith("cpp: ")
    assert said[1] != torch.__version__, "the same torch proves nothing"
    assert_equal_to_here(results)


def test_build_info_names_the_backend_and_the_reason() -> None:
    info = build_info()["ensemble_mlp"]
    assert info.backend == ("cpp" if native.AVAILABLE else "torch")
    assert str(info) == f"{info.backend}: {native.REASON}"


@needs_extension
def test_an_extension_of_other_sources_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Older:
        """Hold none of today's operators."""

    monkeypatch.setattr(torch.ops, "mbpo", Older())
    available, reason = native._load()
    assert not available and "install the package anew" in reason


@needs_extension
@pytest.mark.parametrize("module", ["mbpo._C", "mbpo._cuda"])
def test_no_symbol_of_torchs_cxx_interface_is_needed(module: str) -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("binutils' nm is not installed")
    spec = util.find_spec(module)
    if spec is None and module == "mbpo._cuda":
        pytest.skip("mbpo._cuda is not built")
    assert spec is not None and spec.origin is not None
    assert spec.origin.endswith(".abi3.so")
    symbols = subprocess.run(
        [nm, "-D", "--undefined-only", spec.origin], capture_output=True, text=True, check=True
    ).stdout.split()
    mangled = [s for s in symbols if s.startswith("_Z") and any(part in s for part in ("5torch", "3c10", "2at"))]
    assert mangled == []
    assert any(s.startswith("aoti_torch_") for s in symbols)


PLAIN_BUILD = {"MBPO_NO_EXT": "0", "MBPO_REQUIRE_EXT": "0", "FORCE_CUDA": "0"}


def build(tmp_path: Path, **environment: str) -> tuple[int, list[str], list[Path]]:
    """Run the extension's build alone; return its exit status, its words and what it made."""
    if util.find_spec("setuptools") is None or not (ROOT / "setup.py").exists():
        pytest.skip("the build needs setuptools and the sources")
    built = tmp_path / "lib"
    folders = ["--build-lib", str(built), "--build-temp", str(tmp_path / "temp")]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", *folders],
        cwd=ROOT,
        env={**os.environ, **PLAIN_BUILD, **environment},
        capture_output=True,
        text=True,
    )
    own = [line for line in done.stderr.splitlines() if not line.startswith("W")]  # but not torch's log: no GPU here
    return done.returncode, own, list(built.glob("mbpo/_*"))


OLD_COMPILER = """#!/bin/sh
echo "g++: error: unrecognized command line option '$1'" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("/nowhere/g++", "cannot run the C++ compiler '/nowhere/g++' (No such file or directory)"),
        ("/bin/false", "the C++ compiler '/bin/false' does not compile C++17 (exit status 1)"),
        ("{old}", "does not compile C++17 (g++: error: unrecognized command line option '-std="),
    ],
)
def test_a_compiler_that_fails_gives_one_line(tmp_path: Path, compiler: str, reason: str) -> None:
    old = tmp_path / "old-g++"
    old.write_text(OLD_COMPILER, encoding="utf-8")
    old.chmod(0o755)
    stale = tmp_path / "lib" / "mbpo" / "_C.abi3.so"
    stale.parent.mkdir(parents=True)
    stale.touch()
    status, said, made = build(tmp_path, CXX=compiler.format(old=old))
    assert status == 0
    assert len(said) == 1, said
    assert said[0].startswith("mbpo: installing without mbpo._C, the op runs on torch: ")
    assert reason in said[0]
    assert made == [], "a module of an earlier build must not be taken for this one's"


def test_no_extension_wanted_gives_one_line(tmp_path: Path) -> None:
    status, said, made = build(tmp_path, MBPO_NO_EXT="1")
    assert (status, made) == (0, [])
    assert said == ["mbpo: installing without mbpo._C, the op runs on torch: MBPO_NO_EXT=1 is set"]


@pytest.mark.parametrize("cause", [{"CXX": "/bin/false"}, {"MBPO_NO_EXT": "1"}])
def test_a_required_extension_fails_the_build(tmp_path: Path, cause: dict[str, str]) -> None:
    status, said, _ = build(tmp_path, MBPO_REQUIRE_EXT="1", **cause)
    assert status != 0
    assert said[-1].startswith("mbpo: MBPO_REQUIRE_EXT=1, but there is no extension mbpo._C: ")


def test_cuda_that_is_asked_for_and_missing_fails_the_build(tmp_path: Path) -> None:
    status, said, _ = build(tmp_path, FORCE_CUDA="1", CUDA_HOME="/nowhere")
    assert status != 0
    assert said[-1] == (
        "mbpo: FORCE_CUDA=1, but there is no extension mbpo._cuda: "
        "no nvcc found; install the CUDA toolkit or set CUDA_HOME"
    )


def test_the_extension_is_there_where_it_can_be_built() -> None:
    # Else a compile error would only show as tests that skip.
    if os.environ.get("MBPO_NO_EXT", "0") not in ("", "0"):
        pytest.skip("MBPO_NO_EXT=1 is set")
    if shutil.which(os.environ.get("CXX", "c++").split()[0]) is None:
        pytest.skip("no C++ compiler is installed")
    assert native.AVAILABLE, native.REASON


def test_the_cuda_extension_is_there_where_it_can_be_built() -> None:
    if os.environ.get("MBPO_NO_EXT", "0") not in ("", "0") or os.environ.get("FORCE_CUDA") == "0":
        pytest.skip("no CUDA extension was wanted")
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc is installed")
    assert util.find_spec("mbpo._cuda") is not None


@pytest.mark.parametrize(
    ("widths", "layers", "backend"), [(200, 4, "cpp"), (256, 7, "cpp"), (400, 4, "torch"), (64, 9, "torch")]
)
def test_what_is_wider_or_deeper_than_the_gpus_op_serves_is_said_to_run_in_torch(
    widths: int, layers: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native.cuda, "status", lambda: (True, "built"))
    monkeypatch.setattr(native, "AVAILABLE", True)
    sizes = (14, *[widths] * layers, 24)
    found = native.choose("ensemble_train_step", torch.device("cuda"), torch.float32, sizes)
    assert (found.backend, found.reason == "built") == (backend, backend == "cpp")
    assert native.choose("sac_update", torch.device("cuda"), torch.float64, (3, 4, 1)).backend == "torch"
