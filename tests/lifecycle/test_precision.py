"""Leave the precision to the machine: decided once, at the start, for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tomllib
import torch
from learners import DEBUG, Outcome

from mbpo import train
from mbpo.ops import native


def precision_of(run: Path) -> object:
    return tomllib.loads((run / "config.toml").read_text())["precision"]


def begin(call: Callable[..., Outcome], root: Path, run_id: str, *flags: str) -> str:
    outcome = call(train.main, *flags, "--runs-root", root, "--run-id", run_id)
    assert outcome.code == 0, outcome.err
    return str(outcome.out)


def test_auto_is_what_the_processor_multiplies_sooner(call: Callable[..., Outcome], tmp_path: Path) -> None:
    out = begin(call, tmp_path, "r", *DEBUG, "--total-steps", "20", "--precision", "auto")
    expected = "float32" if native.why_no_bfloat16(torch.device("cpu")) else "bfloat16"
    assert f"precision auto: {expected}, " in out
    assert precision_of(tmp_path / "r") == expected


@pytest.mark.parametrize("missing", ["", "this processor does not (AVX512-BF16 or AMX)"])
def test_auto_is_decided_once_and_a_fork_may_decide_anew(
    call: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(native, "why_no_bfloat16", lambda device: missing)
    out = begin(call, tmp_path, "r", *DEBUG, "--total-steps", "20", "--precision", "auto")
    expected = "float32" if missing else "bfloat16"
    assert f"precision auto: {expected}, {missing}" in out
    assert precision_of(tmp_path / "r") == expected
    monkeypatch.setattr(native, "why_no_bfloat16", lambda device: "" if missing else "not today")
    fork = ("--fork", str(tmp_path / "r"), "--total-steps", "30")
    out = begin(call, tmp_path, "same", *fork)
    assert "precision auto" not in out
    assert precision_of(tmp_path / "same") == expected
    begin(call, tmp_path, "anew", *fork, "--precision", "auto")
    assert precision_of(tmp_path / "anew") == ("bfloat16" if missing else "float32")
