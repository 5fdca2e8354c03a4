"""Calls that break the documented shapes: one line, with expected, actual and the mend."""

from __future__ import annotations

import pytest
import torch
from op_cases import BACKENDS, Case, make_case

from mbpo.errors import ConfigError, ShapeError
from mbpo.ops import ensemble_mlp

CASE = make_case(3, 8, [4, 6, 2], gaussian=True)
ROUTED = make_case(3, 8, [4, 6, 2], routed=True)
BREAKS = {
    "x rank": (lambda a: (a[0][0], *a[1:]), r"x must be \[3, B, I\]"),
    "x members": (lambda a: (a[0][:2], *a[1:]), r"x must be \[3, B, I\]"),
    "x width": (lambda a: (a[0][..., :3], *a[1:]), r"weights\[0\] must be \[3, 3, J\]"),
    "weight": (lambda a: (a[0], (a[1][0], a[1][1][:, :5]), *a[2:]), r"weights\[1\] must be"),
    "bias": (lambda a: (a[0], a[1], (a[2][0][:, :5], a[2][1]), *a[3:]), r"biases\[0\] must be"),
    "layers": (lambda a: (a[0], a[1][:1], *a[2:]), "one tensor per layer"),
    "no layers": (lambda a: (a[0], (), (), *a[3:]), "one tensor per layer"),
    "dtype": (lambda a: (a[0].double(), *a[1:]), r"weights\[0\] must be torch.float64"),
    "bounds": (lambda a: (*a[:4], (a[4][0][:1], a[4][1]), *a[5:]), r"bounds min must be \[2\]"),
    "odd head": (lambda a: (a[0], (a[1][0], a[1][1][..., :3]), (a[2][0], a[2][1][:, :3]), *a[3:]), "2·O wide"),
}
ROUTED_BREAKS = {
    "rank": (lambda x, m: (x.unsqueeze(0), m), r"x must be \[N, I\]"),
    "length": (lambda x, m: (x, m[:5]), r"member must be int64 \[8\]"),
    "dtype": (lambda x, m: (x, m.int()), "member must be int64"),
    "negative": (lambda x, m: (x, m - 3), r"member must lie in \[0, 3\)"),
    "too large": (lambda x, m: (x, m + 3), r"member must lie in \[0, 3\), got values from"),
}


@pytest.mark.parametrize("backend", [*BACKENDS, "auto"])
@pytest.mark.parametrize("name", BREAKS)
def test_broken_shapes_are_named(backend: str, name: str) -> None:
    mend, message = BREAKS[name]
    with pytest.raises(ShapeError, match=message) as info:
        ensemble_mlp(*mend(CASE.args()), backend=backend)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("backend", [*BACKENDS, "auto"])
@pytest.mark.parametrize("name", ROUTED_BREAKS)
def test_broken_routing_is_named(backend: str, name: str) -> None:
    change, message = ROUTED_BREAKS[name]
    x, member = change(ROUTED.x, ROUTED.member)
    case = Case(x, ROUTED.weights, ROUTED.biases, member=member)
    with pytest.raises(ShapeError, match=message):
        ensemble_mlp(*case.args(), backend=backend)


def test_unknown_names_are_refused() -> None:
    args = CASE.args()
    with pytest.raises(ConfigError, match="activation must be one of silu"):
        ensemble_mlp(*args[:3], "gelu", *args[4:])
    with pytest.raises(ConfigError, match="backend must be one of auto"):
        ensemble_mlp(*args, backend="cuda")


def test_cpp_says_why_it_cannot() -> None:
    half = CASE.of([leaf.detach().bfloat16() for leaf in CASE.leaves])
    with pytest.raises(ConfigError, match="backend 'cpp'"):
        ensemble_mlp(*half.args(), backend="cpp")
    mean, _ = ensemble_mlp(*half.args())
    assert mean.dtype == torch.bfloat16
