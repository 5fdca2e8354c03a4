"""Cut off a run whose termination rule is wrong: its warning is neither lost nor said again."""

from __future__ import annotations

from pathlib import Path

import pytest
from learners import DEBUG, Outcome, rows
from test_resume import Call, assert_same_end, events, start_and_cut

from mbpo import train
from mbpo.envs.rules import never
from mbpo.envs.termination import RULES
from mbpo.runs.layout import RunPaths

FLAGS = (
    *("--total-steps", "300", "--checkpoint-every", "60", "--eval-every", "100"),
    *("--log-every", "10", "--env-id", "Brink-v0"),
)


def warnings(run: RunPaths) -> list[tuple[int, str]]:
    return [(event["env_steps"], event["reason"]) for event in events(run, "warning")]


def done(outcome: Outcome) -> Outcome:
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


@pytest.mark.parametrize(
    ("method", "calls", "said"), [("refit_and_imagine", 1, 1), ("log_interval", 11, 2), ("refit_and_imagine", 4, 1)]
)
def test_a_resume_neither_loses_nor_repeats_the_warning(
    method: str, calls: int, said: int, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "Brink-v0", never)
    launch = (*DEBUG, *FLAGS)
    done(call(train.main, *launch, "--runs-root", tmp_path, "--run-id", "twin"))
    run, twin = start_and_cut(monkeypatch, tmp_path, method, calls, launch=launch), RunPaths(tmp_path / "twin")
    done(call(train.main, "--resume", run.root))
    assert_same_end(run, twin)
    (expected,) = warnings(twin)
    assert "the termination rule never goes on at" in expected[1]
    assert warnings(run) == [expected] * said  # twice where the checkpoint is from before
    (resumed,) = events(run, "resumed")
    assert resumed["changed"] == []


def test_a_fork_says_it_anew(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "Brink-v0", never)
    done(call(train.main, *DEBUG, *FLAGS, "--runs-root", tmp_path, "--run-id", "parent"))
    fork = ("--fork", f"{tmp_path / 'parent'}@180", "--runs-root", tmp_path, "--run-id", "fork", "--seed", "5")
    done(call(train.main, *fork))
    assert len(warnings(RunPaths(tmp_path / "fork"))) == 1


def test_a_resume_without_the_rule_is_one_line(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(RULES, "Brink-v0", never)
        run = start_and_cut(monkeypatch, tmp_path, "refit_and_imagine", 3, launch=(*DEBUG, *FLAGS))
    before = rows(run.events)
    outcome = call(train.main, "--resume", run.root)
    assert outcome.code == 6
    assert "was saved with a termination rule, and none is found" in outcome.error
    assert rows(run.events) == before


def test_a_resume_with_another_rule_says_so(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(RULES, "Brink-v0", never)
        run = start_and_cut(monkeypatch, tmp_path, "refit_and_imagine", 3, launch=(*DEBUG, *FLAGS))
    monkeypatch.setitem(RULES, "Brink-v0", lambda obs, action, next_obs: next_obs[:, 0].abs() > 0.8)
    outcome = done(call(train.main, "--resume", run.root))
    assert "warning: termination was never, is test_rule_warning." in outcome.out
