"""Hear once where real ends contradict the termination rule in use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learners import DEBUG, Outcome

from mbpo import train
from mbpo.data.transitions import Transitions
from mbpo.envs.rule_watch import RuleWatch
from mbpo.envs.rules import never
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS

Call = Callable[..., Outcome]
TINY = (*DEBUG, "--total-steps", 160, "--warmup-steps", 60, "--eval-episodes", 1)


def right(obs: Any, action: Any, next_obs: Any) -> Any:
    return next_obs[:, 0].abs() > 0.8


def always(obs: Any, action: Any, next_obs: Any) -> Any:
    return ~never(obs, action, next_obs)


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("mbpo.envs.termination.RULES", mine := dict[str, Any]())
    return mine


def real_rows(count: int, ended: int) -> Transitions:
    rows = torch.zeros(count, 2 + 1 + 1 + 2 + 1)
    rows[:ended, -1] = 1.0
    return Transitions(rows, 2, 1)


def test_each_kind_is_said_once_and_rounding_not_at_all() -> None:
    watch = RuleWatch(never)
    assert list(watch.contradictions(real_rows(1000, 0))) == []
    (said,) = watch.contradictions(real_rows(10, 2))
    assert said.startswith("the termination rule never goes on at 2 of the 2 real ends: ")
    assert list(watch.contradictions(real_rows(10, 10))) == []
    watch = RuleWatch(always)
    (said,) = watch.contradictions(real_rows(20, 10))
    assert said.startswith("the termination rule test_rule_watch.always ends 10 of the 10 real steps")
    watch = RuleWatch(lambda obs, action, next_obs: next_obs[:, 0] > 0)
    rounding = real_rows(10_000, 100)
    rounding.rows[9:109, 4] = 1.0  # nine ends are missed and nine invented
    assert list(watch.contradictions(rounding)) == []
    assert list(watch.contradictions(real_rows(0, 0))) == list(RuleWatch(None).contradictions(real_rows(9, 9))) == []


def test_one_label_at_the_edge_is_no_contradiction_however_few_the_rows() -> None:
    watch = RuleWatch(lambda obs, action, next_obs: next_obs[:, 0] > 0)
    first = real_rows(500, 80)
    first.rows[1:81, 4] = 1.0  # one end is missed and one invented, as by the double pendulum's rule within 2 mm
    assert list(watch.contradictions(first)) == []
    assert len(list(watch.contradictions(first))) == 2


def test_a_watch_goes_on_from_a_checkpoint_as_if_never_cut_off() -> None:
    whole, before, after = RuleWatch(never), RuleWatch(never), RuleWatch(never)
    for watch in (whole, before):
        assert list(watch.contradictions(real_rows(10_000, 0))) == []
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert len(list(whole.contradictions(real_rows(5, 1)))) == len(list(after.contradictions(real_rows(5, 1)))) == 1
    again = RuleWatch(never)
    again.load_state_dict(json.loads(json.dumps(after.state_dict())))
    assert list(again.contradictions(real_rows(5, 5))) == []
    assert again.state_dict() == {"rows": 10_010, "ends": 6, "missed": 6, "invented": 0, "warned": ("missed",)}
    again.load_state_dict({})
    assert len(list(again.contradictions(real_rows(5, 5)))) == 1


def trained(call: Call, root: Path, run_id: str, *flags: object) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Train on a Brink; return the warnings and the rows of metrics, wall time aside."""
    arguments = ("--env-id", "Brink-v0", "--runs-root", root, "--run-id", run_id, *flags)
    outcome = call(train.main, *TINY, *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    events, metrics = (
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (RunPaths(root / run_id).events, RunPaths(root / run_id).metrics)
    )
    warned = [event["reason"] for event in events if event["event"] == "warning"]
    assert all(f"warning: {reason}" in outcome.out for reason in warned)
    return warned, [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in metrics]


@pytest.mark.parametrize(("rule", "said"), [(never, "never goes on at"), (always, "always ends"), (right, None)])
def test_a_run_warns_once_of_a_rule_that_reality_contradicts(
    rule: Any, said: str | None, rules: Any, call: Call, tmp_path: Path
) -> None:
    rules["Brink-v0"] = rule
    warned, rows = trained(call, tmp_path, "a")
    assert len(warned) == (said is not None)
    if said:
        assert said in warned[0]
        assert "mend it, see mbpo/envs/termination.py (python -m mbpo.check_env Brink-v0)" in warned[0]
    assert np.isfinite([row["model/holdout_nll"] for row in rows if "model/holdout_nll" in row]).all()


def test_the_warning_does_not_move_learning(
    rules: Any, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules["Brink-v0"] = never
    warned, watched = trained(call, tmp_path, "watched")
    monkeypatch.setattr(RuleWatch, "contradictions", lambda self, rows: iter(()))
    silent, unwatched = trained(call, tmp_path, "unwatched")
    assert (len(warned), len(silent)) == (1, 0)
    assert watched == unwatched


def raises_later(obs: Any, action: Any, next_obs: Any) -> Any:
    if len(obs) > 3:
        raise KeyError("rows")
    return right(obs, action, next_obs)


def test_a_rule_that_fails_on_real_rows_ends_the_run_with_3(rules: Any, call: Call, tmp_path: Path) -> None:
    rules["Brink-v0"] = raises_later
    outcome = call(train.main, *TINY, "--env-id", "Brink-v0", "--runs-root", tmp_path)
    assert outcome.code == 3
    assert "test_rule_watch.raises_later raised KeyError: 'rows'" in outcome.error


def raises_on_imagined_rows(obs: Any, action: Any, next_obs: Any) -> Any:
    if len(obs) == 200:  # rollout_batch of the debug preset
        raise KeyError("rows")
    return right(obs, action, next_obs)


def test_a_rule_that_fails_on_imagined_rows_ends_the_run_with_3(rules: Any, call: Call, tmp_path: Path) -> None:
    rules["Brink-v0"] = raises_on_imagined_rows
    outcome = call(train.main, *TINY, "--rollout-batch", "200", "--env-id", "Brink-v0", "--runs-root", tmp_path)
    assert outcome.code == 3
    assert "test_rule_watch.raises_on_imagined_rows raised KeyError: 'rows'" in outcome.error
