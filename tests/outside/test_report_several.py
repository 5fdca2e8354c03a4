"""``python -m mbpo.report`` of several runs: groups, environments, forks, fifty runs, and what is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w
from fake_run import metric_rows, put_status, status_of
from family import put_rows
from learners import Outcome
from other_ends import needs
from page_parts import parts_of

from mbpo.report import main
from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import resolve

Report = Callable[..., Outcome]


@pytest.fixture
def report(call: Callable[..., Outcome]) -> Report:
    needs("bokeh")
    return lambda *arguments: call(main, *arguments)


def made(root: Path, name: str, *, rows: int = 40, end: int = 1000, better: float = 0.0, **settings: Any) -> Path:
    """Return a run whose returns are ``better`` than the others', with a bit of luck by its seed."""
    path = root / name
    path.mkdir(parents=True)
    config = resolve({"seed": 0, **settings}, None if "env_id" in settings else "pendulum")
    (path / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
    found = metric_rows(rows, end)
    for row in found:
        if "eval/return_mean" in row:
            row["eval/return_mean"] += better + 20 * math.sin(config.seed * 7.0 + row["seq"])
    put_rows(path, found)
    status = status_of("finished", env_steps=end, env_id=config.env_id, seed=config.seed, interactive=False)
    put_status(path, status)
    (path / "manifest.json").write_text(
        json.dumps({"versions": {"torch": "2.13.0"}, "git_commit": "abc", "threads": 1})
    )
    return path


def test_groups_are_compared_in_a_page(tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        made(tmp_path / "duel", f"few-{seed}", seed=seed, real_ratio=0.1)
        made(tmp_path / "duel", f"many-{seed}", seed=seed, real_ratio=0.5, better=100.0)
    manifest = {"versions": {"torch": "2.12.0"}, "git_commit": "abc", "threads": 1, "machine": {"gpus": []}}
    (tmp_path / "duel" / "few-0" / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.chdir(tmp_path)
    outcome = report("duel")
    assert (outcome.code, outcome.out.strip(), outcome.err) == (0, "report.html", "")
    parts = parts_of(tmp_path / "report.html")
    assert parts.slugs[:2] == ["returns", "model-error"]
    assert "10 runs in 2 groups: Pendulum-v1" in parts.text
    assert "A real_ratio=0.1 5" in parts.text and "B real_ratio=0.5 5" in parts.text
    assert "A B 5, 5 0.00 [0.00, 0.00] −100" in parts.text  # no seed of the first is better than one of the second
    assert (
        "python -m mbpo.train --preset=pendulum --seed=3 --real-ratio=0.1 --runs-root=duel --run-id=few-3" in parts.text
    )
    assert "python -m mbpo.compare duel/few-0" in parts.text
    assert "torch 2.13.0 (9 runs) 2.12.0 (1 run)" in parts.text and "gpus" not in parts.text
    assert sorted(parts.charts["keys"]) == ["group:0", "group:1"]
    assert (
        len(parts.charts["keys"]["group:0"]) > 5 + 2 * 6
    )  # five thin ones, and in each chart a line, its letter and its band


def test_environments_have_sections_of_their_own(tmp_path: Path, report: Report) -> None:
    made(tmp_path, "a", seed=1)
    made(tmp_path, "b", env_id="Hopper-v5", seed=1)
    change_about(RunPaths(tmp_path / "a"), {"title": "swing up"})
    assert report(tmp_path, "-o", tmp_path / "x.html").code == 0
    parts = parts_of(tmp_path / "x.html")
    assert {"returns-1", "returns-2"} <= {*parts.slugs} and len({*parts.slugs}) == len(parts.slugs)
    assert "swing up (a)" in parts.text
    assert "Some figures stand on 1 seed; of fewer than 5 seeds the intervals of IQM and P are too narrow" in parts.text


def test_forks_and_what_was_changed_by_hand_stand_alone(tmp_path: Path, report: Report) -> None:
    made(tmp_path, "base", seed=1)
    fork = made(tmp_path, "fork", seed=1, rollout_length=5)
    put_status(fork, msgspec.structs.replace(status_of("finished", parent="base@600"), env_steps=1000))
    assert report(tmp_path, "-o", tmp_path / "x.html").code == 0
    text = parts_of(tmp_path / "x.html").text
    assert "fork of base@600" in text and "changed by hand" in text
    assert "--seed=1" in text and "--rollout-length=5" not in text  # flags do not repeat a fork


def test_what_is_archived_or_without_a_tag_is_left_out(tmp_path: Path, report: Report) -> None:
    for name in "abc":
        change_about(RunPaths(made(tmp_path, name, seed=ord(name))), {"tags": ["paper"] if name != "c" else []})
    change_about(RunPaths(tmp_path / "a"), {"archived": True})
    file = tmp_path / "x.html"
    assert report(tmp_path, "-o", file).err == "note: 1 archived run left out; --archived counts them\n"
    assert "1 archived run left out" in parts_of(file).text
    report(tmp_path, "-o", file, "--archived", "--tag", "paper")
    assert "2 runs in 1 group" in parts_of(file).text


def test_runs_without_an_evaluation_are_left_out_or_refused(tmp_path: Path, report: Report) -> None:
    made(tmp_path, "a", seed=1)
    made(tmp_path, "b", seed=2, rows=3)
    assert report(tmp_path, "-o", tmp_path / "x.html").code == 0
    assert (
        "B is left out: finished at 1,000 of 1,200 env steps without eval/return_mean"
        in parts_of(tmp_path / "x.html").text
    )
    made(tmp_path / "more", "c", seed=3, rows=3)
    made(tmp_path / "more", "d", seed=4, rows=3)
    outcome = report(tmp_path / "more")
    assert outcome.code == 2 and "expected at least one evaluation" in outcome.error


def test_fifty_runs_of_long_metrics_fit_in_three_megabytes(
    tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = metric_rows(4000, 400_000)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for number in range(50):
        path = made(tmp_path, f"run-{number}", rows=1, seed=number % 2, gamma=0.9 + number // 2 * 0.001)
        (path / "metrics.jsonl").write_text(lines)
    monkeypatch.setattr("mbpo.outside.progress.EVERY_S", 0.0)
    file = tmp_path / "x.html"
    outcome = report(tmp_path, "-o", file)
    assert outcome.code == 0
    assert "reading runs: 49 of 50" in outcome.err
    assert file.stat().st_size < 3_000_000
    parts = parts_of(file)
    assert "50 runs in 25 groups" in parts.text and "200 more are left out here." in parts.text
