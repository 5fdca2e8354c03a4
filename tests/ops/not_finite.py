"""What the tests of steps that are not finite share: the ways to take one, and states that spoil it."""

from __future__ import annotations

import pytest
import torch
from emulated_build import emulated, take_updates
from torch import Tensor

from mbpo.ops.adam import AdamState

INFINITY, LARGE = float("inf"), 3e38  # times 2 is no float32
WAYS = ("compiled", "torch", "emulated")
KINDS = ("first moment", "second moment", "both moments", "weight")


def copies(state: AdamState) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in state.tensors]


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def put(adam: torch.optim.Adam, parameter: Tensor, kind: str) -> None:
    """Leave a moment in the state of ``parameter`` after which its step is not finite."""
    moments = {
        "first moment": (INFINITY, 0.0),
        "second moment": (0.0, INFINITY),
        "both moments": (-INFINITY, INFINITY),
        "weight": (-LARGE / 2, 0.0),  # both new moments are finite, and the rate is high
    }
    state = AdamState.of(adam, [parameter])
    for tensors, moment in zip((state.moments, state.second_moments), moments[kind], strict=True):
        tensors[0].view(-1)[-1] = moment
    (group,) = (g for g in adam.param_groups if any(p is parameter for p in g["params"]))
    group["lr"] = 1e4 if kind == "weight" else group["lr"]


def choose(way: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the backend to ask for, so that updates are done in this way while ``monkeypatch`` lasts."""
    if way == "emulated":
        take_updates(monkeypatch, emulated())
    return "torch" if way == "torch" else "auto"
