"""Ask the doctor what runs where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from learners import PATIENCE_S, Outcome, python_m

from mbpo import doctor
from mbpo.ops import build_info


def test_the_doctor_says_what_runs_where_and_why(call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.13.0")  # as of PyPI's wheel, without its build
    outcome = call(doctor.main)
    assert (outcome.code, outcome.err) == (0, "")
    titles = [line for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert titles == ["versions", "machine", "op", "environments"]
    lines = {line.split()[0]: line.split(None, 1)[1] for line in outcome.out.splitlines()[1:] if line.startswith("  ")}
    assert lines["torch"] == torch.__version__
    info = build_info()["ensemble_mlp"]
    assert lines["ensemble_mlp"] == f"{info.backend}: {info.reason}"
    assert f"all of them on cuda  {build_info('cuda')['ensemble_mlp']}" in outcome.out
    assert lines["Pendulum-v1"] == "ok: obs [3], action [1]"
    assert lines["InvertedPendulum-v5"] == "ok: obs [4], action [1]"


def test_without_the_extension_the_doctor_says_so_and_is_well(tmp_path: Path) -> None:
    process = python_m("mbpo.doctor", cwd=tmp_path, MBPO_NO_EXT="1")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert "ensemble_mlp         torch: MBPO_NO_EXT=1 is set" in out


def test_an_environment_that_cannot_be_made_is_a_line_and_no_failure(
    call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ENVIRONMENTS", ("Unmakeable-v0", "Pendulum-v1"))
    outcome = call(doctor.main)
    assert outcome.code == 0
    assert "robot.xml is not there" in outcome.out
    assert "ok: obs [3], action [1]" in outcome.out


def test_an_unknown_flag_is_one_line(call: Callable[..., Outcome]) -> None:
    outcome = call(doctor.main, "--fix")
    assert outcome.code == 2
    assert "unknown argument --fix" in outcome.error
