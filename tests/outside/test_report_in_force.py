"""A report draws what was in force where it changed: at the env step of the change, not at the next row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from fake_run import add_event, make_run, put_status, status_of
from family import a_family, put_rows

from mbpo.comparison.runs import read_run
from mbpo.outside.report.in_force import Turn, curve_in_force, turns_in, with_turns
from mbpo.outside.report.run_facts import read_run_facts
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.event import Answer
from mbpo.runs.records.manifest import Branch
from mbpo.settings.config import resolve

K, RATIO = "rollout/length", "mix/real_ratio"


def held(turns: list[Turn], rows: dict[float, float], end: float) -> dict[float, float]:
    """Return by env step the value from there on."""
    x, y = with_turns(np.array(list(rows), float), np.array(list(rows.values()), float), turns, end)
    assert (np.diff(x) >= 0).all()
    return dict(zip(x.tolist(), y.tolist(), strict=True))


def test_a_step_stands_where_the_change_holds() -> None:
    rows = {100: 25, 600: 25, 700: 3, 800: 9}
    assert held([Turn(629, 25, 3), Turn(774, 3, 9)], rows, 800) == {100: 25, 629: 3, 774: 9, 800: 9}
    assert held([Turn(629, 25, 3), Turn(790, 3, 9)], {100: 25, 700: 3}, 800) == {100: 25, 629: 3, 790: 9, 800: 9}
    assert held([Turn(50, 25, 3)], {100: 3, 200: 3}, 200) == {0: 25, 50: 3, 200: 3}  # before the first row
    assert held([], rows, 900) == rows
    assert held([Turn(50, 1, 2)], {}, 900) == {}


def test_what_a_rule_chose_is_told_by_rows() -> None:
    rows = {100: 1, 200: 2, 300: 7, 400: 4, 500: 5}
    assert held([Turn(250, None, 7), Turn(350, 7, None)], rows, 500) == {100: 1, 200: 2, 250: 7, 400: 4, 500: 5}


def answer(at: int, **new: Any) -> Answer:
    return Answer(status="applied", at_env_steps=at, old={"rollout_length": 1}, new=new)


def test_changes_are_found_in_answers_and_where_a_fork_left() -> None:
    branch = Branch(parent="a", parent_dir="/a", fork_env_steps=300, fork_changes={"rollout_length": 5})
    answers = [answer(700, rollout_length="auto"), answer(800, real_ratio=0.5)]
    assert turns_in(answers, branch, "rollout_length") == [Turn(300, None, 5), Turn(700, 1, None)]
    assert turns_in(answers, None, "real_ratio") == [Turn(800, None, 0.5)]
    again = [answer(700, rollout_length=2), answer(600, rollout_length=3)]  # resumed from before 600
    assert turns_in(again, None, "rollout_length") == [Turn(600, 1, 3)]


def turned(root: Path, algo: str = "mbpo") -> RunPaths:
    """Return a run that was turned at 629 and 774, with a row each 100 env steps."""
    path = make_run(root, "turned", status_of("finished", env_steps=800))
    (path / "config.toml").write_text(tomli_w.dumps(resolve({"seed": 3, "algo": algo}, "pendulum").to_dict()))
    k = [25] * 6 + [3] * 2 if algo == "mbpo" else [0] * 8
    rows = [
        {"seq": n, "attempt": 1, "env_steps": 100 * n, "time_s": n, K: k[n - 1], RATIO: 0.5, "eval/return_mean": -n}
        for n in range(1, 9)
    ]
    put_rows(path, rows)
    for at, old, new in ((629, 25, 3), (774, 3, 3)):
        facts = {"event": "control", "id": f"{at}", "status": "applied", "at_env_steps": at, "revision": at}
        add_event(path, **facts, old={"rollout_length": old}, new={"rollout_length": new})
    return RunPaths(path)


def test_the_page_of_a_run_and_of_several_agree(tmp_path: Path) -> None:
    paths = turned(tmp_path)
    x, y = read_run_facts(paths).in_force(K)
    assert (x.tolist(), y.tolist()) == ([100, 629, 774, 800], [25, 3, 3, 3])
    assert read_run_facts(paths).in_force(RATIO)[0].size == 8  # was not turned
    run = read_run(paths, "eval/return_mean", [K, RATIO])
    curve = curve_in_force(run, K)
    assert np.array_equal(curve.env_steps, x) and np.array_equal(curve.values, y)
    assert curve_in_force(run, RATIO) is run.others[RATIO]


def test_without_a_model_no_change_of_k_is_in_force(tmp_path: Path) -> None:
    paths = turned(tmp_path, "sac")
    assert set(read_run_facts(paths).in_force(K)[1]) == {0}
    run = read_run(paths, "eval/return_mean", [K])
    assert curve_in_force(run, K) is run.others[K]


@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_fork_steps_where_it_left_its_parent(has_manifest: bool, tmp_path: Path) -> None:
    a_family(tmp_path)
    path = tmp_path / "base-k5"
    (path / "config.toml").write_text(tomli_w.dumps(resolve({"seed": 3}, "pendulum").to_dict()))
    (path / "events.jsonl").write_text("")
    put_status(path, status_of("finished", parent="base@610"))
    if has_manifest:
        left = {"parent": "base", "parent_dir": "/no", "fork_env_steps": 610, "fork_changes": {"rollout_length": 5}}
        (path / "manifest.json").write_text(json.dumps(left))
    curve = curve_in_force(read_run(RunPaths(path), "eval/return_mean", [K]), K)
    assert (610 in curve.env_steps) is has_manifest
    assert not has_manifest or curve.values[-1] == 5
