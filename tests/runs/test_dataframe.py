"""Load the metrics of many runs into one table for pandas."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from learners import environment

from mbpo.errors import ConfigError
from mbpo.runs import load_runs
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import load_runs as load_runs_of_reader
from mbpo.runs.status import RunStatus, write_status
from mbpo.settings.config import resolve

RETURN = "episode/return"


def make_run(folder: Path, rows: list[dict[str, Any]], *, seed: int = 0, **status: Any) -> RunPaths:
    paths = RunPaths(folder)
    folder.mkdir(parents=True)
    paths.config.write_text(tomli_w.dumps(resolve({"seed": seed}, "debug").to_dict()))
    write_status(paths, RunStatus(**{"state": "finished", **status}))
    paths.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def rows_of(*returns: float | None, attempt: int = 1, first: int = 1) -> list[dict[str, Any]]:
    return [
        {"seq": n, "attempt": attempt, "env_steps": 10 * n, "time_s": 0.5 * n, RETURN: value}
        for n, value in enumerate(returns, first)
    ]


def test_all_rows_of_all_runs_in_order(tmp_path: Path) -> None:
    make_run(tmp_path / "b", rows_of(-3.0, None), seed=4, interactive=True, parent="a@10")
    make_run(tmp_path / "a", [*rows_of(-1.0), {**rows_of(0, first=2)[0], "sac/alpha": 0.5}], seed=3)
    frame = load_runs(str(tmp_path / "**"))
    assert list(frame.columns) == [
        "run",
        "seed",
        "preset",
        "env_id",
        "algo",
        "interactive",
        "parent",
        "seq",
        "attempt",
        "env_steps",
        "time_s",
        RETURN,
        "sac/alpha",
    ]
    assert list(frame["run"]) == ["a", "a", "b", "b"]
    assert list(frame["seed"]) == [3, 3, 4, 4]
    assert set(zip(frame["preset"], frame["env_id"], frame["algo"], strict=True)) == {("debug", "Pendulum-v1", "mbpo")}
    assert list(frame["parent"]) == ["", "", "a@10", "a@10"]
    assert frame["interactive"].dtype == bool and list(frame["interactive"]) == [0, 0, 1, 1]
    assert frame["env_steps"].dtype == int and list(frame["env_steps"]) == [10, 20, 10, 20]
    assert list(frame[RETURN])[:3] == [-1.0, 0.0, -3.0] and math.isnan(frame[RETURN][3])
    assert list(frame["sac/alpha"].isna()) == [True, False, True, True]


def test_rows_that_were_written_again_are_left_out(tmp_path: Path) -> None:
    rows = rows_of(1.0, 2.0, 3.0, 4.0, 5.0) + rows_of(-3.0, -4.0, attempt=2, first=3)
    frame = load_runs(make_run(tmp_path / "a", rows).root)
    assert list(frame[RETURN]) == [1.0, 2.0, -3.0, -4.0]
    assert list(frame["attempt"]) == [1, 1, 2, 2]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [*rows_of(1.0), {"seq": "x"}, {"env_steps": 3}])
    with run.metrics.open("a") as file:
        file.write('garbage\n{"seq": 2, "env_steps": 20, "episode/return": "high"}\n{"seq": 3, "en')
    run.status.unlink()
    frame = load_runs(run.root)
    assert list(frame["seq"]) == [1, 2]
    assert math.isnan(frame[RETURN][1]) and math.isnan(frame["time_s"][1])
    assert list(frame["interactive"]) == [False, False]


def test_a_real_run_and_one_that_has_just_begun(tmp_path: Path, finished_run: RunPaths) -> None:
    make_run(tmp_path / "new", [])
    frame = load_runs(tmp_path, finished_run.root)
    assert set(frame["run"]) == {"done"}
    assert frame["eval/return_mean"].notna().sum() == 2
    assert len(load_runs(tmp_path)) == 0
    assert load_runs_of_reader is load_runs


@pytest.mark.parametrize("pattern", ["missing", "no*such", "empty", "empty/**"])
def test_a_pattern_without_runs_is_named(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"is not a run and holds none|does not exist"):
        load_runs(pattern)


def test_a_config_that_cannot_be_used_names_its_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", rows_of(1.0))
    run.config.write_text('env_id = "Pendulum-v1"\nseed = "three"\npreset = "debug"\n')
    with pytest.raises(ConfigError, match="run a: seed must be a whole number"):
        load_runs(run.root)


def test_without_pandas_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"load_runs needs pandas: \S+ -m pip install pandas$"):
        load_runs(tmp_path)


def test_the_run_directory_is_read_without_pandas_and_torch(tmp_path: Path) -> None:
    code = "import sys, mbpo.runs.reader; print(*{'pandas', 'torch'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), text=True, capture_output=True
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "\n", "")
