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

from mbpo.ops import build_info, ensemble_mlp, native

FALLBACK = """
import logging, torch
logging.basicConfig(format="%(levelname)s %(message)s")
from mbpo.ops import build_info, ensemble_mlp
from op_cases import make_case, outputs
case = make_case(2, 9, [3, 16, 2], routed=True, gaussian=True)
for _ in range(3):
    ys = outputs(ensemble_mlp(*case.args()))
torch.save([*ys, *torch.autograd.grad(ys, case.leaves, [torch.ones_like(y) for y in ys])], {path!r})
print(build_info()["ensemble_mlp"])
"""


def test_without_the_extension_all_is_equal_and_said_once(tmp_path: Path) -> None:
    path = str(tmp_path / "ys.pt")
    done = subprocess.run(
        [sys.executable, "-c", FALLBACK.format(path=path)],
        env={**os.environ, "MBPO_NO_EXT": "1", "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "torch: MBPO_NO_EXT=1 is set"
    assert done.stderr.count("ensemble_mlp runs in plain torch") == 1, done.stderr
    case = make_case(2, 9, [3, 16, 2], routed=True, gaussian=True)
    ys = outputs(ensemble_mlp(*case.args()))
    slopes = torch.autograd.grad(ys, case.leaves, [torch.ones_like(y) for y in ys])
    for got, want in zip(torch.load(path), (*ys, *slopes), strict=True):
        torch.testing.assert_close(got, want)


def test_build_info_names_the_backend_and_the_reason() -> None:
    info = build_info()["ensemble_mlp"]
    assert info.backend == ("cpp" if native.AVAILABLE else "torch")
    assert str(info) == f"{info.backend}: {native.REASON}"


@needs_extension
def test_no_symbol_of_torchs_cxx_interface_is_needed() -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("binutils' nm is not installed")
    spec = util.find_spec("mbpo._C")
    assert spec is not None and spec.origin is not None
    assert spec.origin.endswith(".abi3.so")
    symbols = subprocess.run(
        [nm, "-D", "--undefined-only", spec.origin], capture_output=True, text=True, check=True
    ).stdout.split()
    mangled = [
        s
        for s in symbols
        if s.startswith("_Z") and any(part in s for part in ("5torch", "3c10", "2at"))
    ]
    assert mangled == []
    assert any(s.startswith("aoti_torch_") for s in symbols)
