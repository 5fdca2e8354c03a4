"""Add a rule for k in one file and one table row; it is exact under resume, fork and replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learners import DEBUG, Outcome, rows

from mbpo import train
from mbpo.errors import ConfigError
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.settings.config import resolve
from mbpo.settings.variants import K_POLICIES, Variant
from mbpo.train import main
from mbpo.trust.rollout_length import RolloutLength

Call = Callable[..., Outcome]
TOY = (*DEBUG, "--k-policy", "toy", "--rollout-length", "auto", "--checkpoint-every", "100")


class Cut(BaseException):
    """End a run as a kill would."""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(K_POLICIES, "toy", Variant("1, 2, 3 from refit to refit", "toy_k_policy:Alternating"))


@pytest.fixture
def whole(call: Call, tmp_path: Path) -> RunPaths:
    assert call(main, *TOY, "--runs-root", tmp_path, "--run-id", "whole").code == 0
    return RunPaths(tmp_path / "whole")


def refits(paths: RunPaths) -> list[dict[str, Any]]:
    return [row for row in rows(paths.metrics) if "rollout/length_measured" in row]


def learned(paths: RunPaths) -> list[dict[str, Any]]:
    """Return the rows that count, without what the machine decides."""
    newest = {row["seq"]: row for row in rows(paths.metrics)}
    return [{k: v for k, v in row.items() if k != "attempt" and k not in MACHINE_KEYS} for row in newest.values()]


def test_it_chooses_after_the_errors_were_measured(whole: RunPaths) -> None:
    found = refits(whole)
    assert ["bound/eps_m_new" in row for row in found] == [False] + [True] * (len(found) - 1)
    assert [row["rollout/length"] for row in found] == [5, 3, 1, 2, 3, 1]
    assert [row["rollout/length_measured"] for row in found] == [5, 3, 1, 2, 3, 1]
    assert all(row["bound/c_ratio"] is not None for row in found[1:])


def test_a_resumed_run_chooses_as_the_first_one(
    whole: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = train.update_policy

    def cut(training: train.Training, env_steps: int, settings: Any) -> None:
        if env_steps == 270:
            assert training.store is not None
            training.store.settle()
            raise Cut
        update(training, env_steps, settings)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(train, "update_policy", cut)
        main([*TOY, "--runs-root", str(tmp_path), "--run-id", "cut"])
    run = RunPaths(tmp_path / "cut")
    status = json.loads(run.status.read_text())
    run.status.write_text(json.dumps({**status, "pid": 0}))
    outcome = call(main, "--resume", run.root)
    assert "resume verified" in outcome.out
    assert learned(run) == learned(whole)


@pytest.mark.parametrize("flag", ["--fork", "--replay"])
def test_a_fork_and_a_replay_choose_as_the_first_one(flag: str, whole: RunPaths, call: Call, tmp_path: Path) -> None:
    at = "@230" if flag == "--fork" else ""  # between checkpoints
    outcome = call(main, flag, f"{whole.root}{at}", "--runs-root", tmp_path, "--run-id", "again")
    assert (outcome.code, "verified" in outcome.out) == (0, True)
    assert [row["rollout/length"] for row in refits(RunPaths(tmp_path / "again"))] == [5, 3, 1, 2, 3, 1]


def test_a_fork_under_another_rule_leaves_what_the_first_remembered(
    whole: RunPaths, call: Call, tmp_path: Path
) -> None:
    fork = ("--fork", f"{whole.root}@200", "--k-policy", "schedule", "--rollout-schedule", "0,1,4,4")
    assert call(main, *fork, "--runs-root", tmp_path, "--run-id", "again").code == 0
    assert [row["rollout/length"] for row in refits(RunPaths(tmp_path / "again"))][2:] == [4] * 4


def test_the_users_hand_has_the_last_word() -> None:
    length = RolloutLength(resolve({"k_policy": "toy"}, "debug"))
    assert length.in_force(100, {"rollout_length": 9, "k_policy": "toy"}) == 9
    assert length.in_force(100, {"rollout_length": "auto", "k_policy": "toy"}) == 5


def test_an_unknown_rule_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"k_policy must be one of schedule, bound, .*, toy, got toi"):
        resolve({"k_policy": "toi"}, "debug")
