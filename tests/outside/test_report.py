"""``python -m mbpo.report``: what stands in the page of one run, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from asked_run import TOLD, UNTOLD, put_answer
from fake_run import make_run, status_of
from family import a_family, put_config
from learners import Outcome
from other_ends import needs
from page_parts import parts_of

from mbpo.outside.report.chart import Line, letter, styled, thinned
from mbpo.outside.report.typeset import typeset
from mbpo.report import main
from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.what_if import ArmAnswer, ArmScore
from mbpo.settings.config import resolve
from mbpo.settings.packages import install_command

Report = Callable[..., Outcome]


@pytest.fixture
def report(call: Callable[..., Outcome]) -> Report:
    needs("bokeh")
    return lambda *arguments: call(main, *arguments)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run with everything: rows, changes by hand, a title."""
    path = make_run(tmp_path / "runs", "swing", status_of("finished"), rows=62)
    config = resolve({"seed": 3, "real_ratio": 0.1, "gamma": 0.97}, "pendulum")
    (path / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
    change_about(RunPaths(path), {"title": "k by hand", "note": "figure 2\nsecond line", "tags": ["paper"]})
    return path


def test_one_run_becomes_a_page_beside_it(run: Path, report: Report) -> None:
    outcome = report(run)
    file = run / "report.html"
    assert (outcome.code, outcome.out.strip(), outcome.err) == (0, str(file), "")
    parts = parts_of(file)
    assert {"returns", "model-error", "bound", "rollout-length", "epsilons", "real-ratio"} <= {*parts.slugs}
    for said in (
        "k by hand (swing)",
        "figure 2 second line",
        "paper",
        "finished at 1,240 of",
        "The newest evaluation is −179 at 1,200 env steps",
        "solved at 900",
        "The theorem",
    ):
        assert said in parts.text, said


def test_a_page_that_is_asked_for_has_the_mode_of_other_files(run: Path, tmp_path: Path, report: Report) -> None:
    before = os.umask(0o022)
    try:
        report(run)
        report(run, "-o", tmp_path / "x.htm")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (run / "report.html", tmp_path / "x.htm")} == {0o644}


def test_a_link_is_replaced_and_not_followed(run: Path, tmp_path: Path, report: Report) -> None:
    (tmp_path / "mine").write_text("mine")
    (run / "report.html").symlink_to(tmp_path / "mine")
    assert report(run).code == 0
    assert (tmp_path / "mine").read_text() == "mine" and not (run / "report.html").is_symlink()


@pytest.mark.parametrize("name", ["x.pdf", "page", "x.svg"])
def test_a_page_whose_name_says_otherwise_is_refused(name: str, run: Path, tmp_path: Path, report: Report) -> None:
    outcome = report(run, "-o", tmp_path / name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error == f"error: -o must name a file that ends in .html or .htm, got {name}"
    assert not (tmp_path / name).exists()


def test_it_says_what_differs_from_the_preset_and_how_to_repeat_it(run: Path, report: Report) -> None:
    report(run)
    text = parts_of(run / "report.html").text
    assert "gamma 0.97 0.98 Discount γ." in text
    assert "python -m mbpo.train --preset=pendulum --seed=3 --real-ratio=0.1 --gamma=0.97" in text
    assert "These commands, typed in the folder that holds runs/, repeat it" in text
    assert "python -m mbpo.train --replay runs/swing" in text
    assert "python -m mbpo.train --fork runs/swing@1240" in text


@pytest.mark.parametrize(("precision", "here"), [("bfloat16", ""), ("float32", "precision float32, perhaps by auto")])
def test_what_auto_decided_is_no_change_of_the_preset(precision: str, here: str, run: Path, report: Report) -> None:
    config = resolve({"seed": 3, "precision": precision}, "pendulum")
    (run / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
    report(run)
    text = parts_of(run / "report.html").text
    assert ("python -m mbpo.train --preset=pendulum --seed=3 python" in text) is not here
    assert (f"--precision={precision}" in text) is bool(here)
    assert here in text and ("precision bfloat16 (auto)" in text) is not here


def test_changes_by_hand_are_marks_and_a_table(run: Path, report: Report) -> None:
    report(run)
    parts = parts_of(run / "report.html")
    assert "1 600 rollout_length = 1 rollout_length = 3 workbench" in parts.text
    assert "2 800 real_ratio = 0.05 real_ratio = 0.1 mbpo.control" in parts.text
    assert "stale" not in parts.text  # what was rejected changed nothing
    marks = [ref for ref in _models(parts.charts) if ref["name"] == "VSpan"]
    assert len(marks) >= len(parts.slugs)


def test_an_answered_what_if_is_a_table(run: Path, report: Report) -> None:
    scores = [
        ArmScore(repeats=4, of=4, mean=-150.0, std=12.0, best=0.12),
        ArmScore(repeats=3, of=4, mean=-146.0, std=9.0, difference=4.12, interval=(-8.14, 16.4), best=0.88),
    ]
    arms = [ArmAnswer(arm=name, final=score) for name, score in zip(("as it is", "k 9"), scores, strict=True)]
    put_answer(run, arms=arms, metric="eval/return_mean", notes=["k 9: 1 of 4 forks failed"])
    put_answer(run, 400, verdict="no difference: every arm did the same")
    report(run)
    text = parts_of(run / "report.html").text
    assert typeset(f"The verdict: {UNTOLD}.") in text and typeset(TOLD) in text
    assert "k 9 3 of 4 −146 ± 9 +4.12 [−8.14, 16.4] 0.88" in text
    assert "k 9: 1 of 4 forks failed" in text
    assert "no difference: every arm did the same" in text


def test_a_family_is_told_from_both_ends(tmp_path: Path, report: Report) -> None:
    a_family(tmp_path)
    for name in ("base", "base-k5"):
        put_config(tmp_path / name, seed=3)
    _branch(tmp_path / "base-k5", "base", 600, rollout_length=5)
    _branch(tmp_path / "base-k9", "base", 600, rollout_length=9)
    _branch(tmp_path / "deeper", "base-k5", 900, rollout_length=1, real_ratio=0.5)
    report(tmp_path / "base-k5")
    text = parts_of(tmp_path / "base-k5" / "report.html").text
    assert "base — — −151 ↳ base-k5 (this run) 600 rollout_length = 5 −151 ↳ ↳ deeper 900" in text
    assert "base-k9" not in text
    assert f"--fork {tmp_path.name}/base@600 --rollout-length=5" in text
    report(tmp_path / "base")
    text = parts_of(tmp_path / "base" / "report.html").text
    assert all(name in text for name in ("base (this run)", "base-k9", "base-k5", "deeper"))


def test_a_circle_of_forks_ends(tmp_path: Path, report: Report) -> None:
    for name, parent in (("a", "b"), ("b", "a")):
        _branch(_made(tmp_path, name, status_of(parent=f"{parent}@1"), rows=9), parent, 1)
    assert report(tmp_path / "a").code == 0
    assert "a (this run)" in parts_of(tmp_path / "a" / "report.html").text


def test_a_real_run_tells_versions_and_every_chart(finished_run: RunPaths, tmp_path: Path, report: Report) -> None:
    root = Path(shutil.copytree(finished_run.root, tmp_path / "done"))
    file = tmp_path / "elsewhere.html"
    assert report(root, "-o", file, "--charts", tmp_path / "figures").code == 0
    assert not (root / "report.html").exists()
    parts = parts_of(file)
    assert {"torch", "numpy", "git commit", "threads"} <= {*parts.text.split(), "git commit"}
    assert {"returns", "model-error", "bound", "critics", "entropy", "temperature"} <= {*parts.slugs}
    assert "400 finished" in parts.text and "gpus" not in parts.text and "op: ensemble_mlp backend: cpp" in parts.text
    repeated, rest = parts.text.split("To repeat it")[1].split("Versions, machine and time")
    assert "wall time" not in repeated and "Its wall time went into: " in rest
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {f"{slug}.{kind}" for slug in parts.slugs for kind in ("png", "svg")}


def test_returns_can_be_had_as_a_picture(run: Path, report: Report) -> None:
    pytest.importorskip("matplotlib")
    outcome = report(run, "--png", run / "returns.png", "--svg", run / "returns.svg")
    assert outcome.code == 0
    assert (run / "returns.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (run / "returns.svg").read_text()


def test_nothing_is_asked_of_anyone(run: Path, report: Report) -> None:
    report(run)
    parts = parts_of(run / "report.html")
    places = [value for _, attributes in parts.elements for key, value in attributes.items() if key in ("src", "href")]
    assert places == []
    policy = next(a["content"] for _, a in parts.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy and "script-src 'unsafe-inline'" not in policy


def test_curves_keep_their_ends_and_extremes_when_thinned() -> None:
    rng = np.random.default_rng(0)
    x, y = np.arange(100_000.0), rng.normal(size=100_000)
    y[777], y[5] = 99.0, np.nan
    thin = thinned(Line("k", "n", x, y, low=y - 1, high=y + 1), 1000)
    assert thin.x.size <= 1000 and (np.diff(thin.x) > 0).all()
    assert (thin.x[0], thin.x[-1]) == (0, 99_999)
    assert thin.y.max() == 99.0 and thin.y.min() == np.nanmin(y)
    assert np.array_equal(thin.low, thin.y - 1) and np.array_equal(thin.y, y[thin.x.astype(int)])
    few = thinned(Line("k", "n", x[:3], y[:3]), 1000)
    assert few.x.tolist() == [0, 1, 2]


def test_lines_are_told_apart_by_letter_and_look() -> None:
    assert [letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
    assert len({styled(n) for n in range(32)}) == 32


def test_long_curves_make_a_page_no_longer(tmp_path: Path, report: Report) -> None:
    run = _made(tmp_path, "long", status_of("finished", env_steps=400_000), rows=40_000)
    assert report(run).code == 0
    file = run / "report.html"
    assert file.stat().st_size < 2_000_000
    assert "drawn by the lowest and the highest of each stretch" in parts_of(file).text


def test_damaged_records_are_passed_over_and_said(run: Path, report: Report) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write("{broken\n[1]\n")
    (run / "manifest.json").write_text('{"parent": 7, "versions": {"torch": "2.13.0"}}')
    (run / "status.json").write_text("nothing")
    (run / "about.json").write_text("[]")
    assert report(run).code == 0
    text = parts_of(run / "report.html").text
    assert "2 damaged lines of its records were passed over" in text
    (run / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text().replace("[1]\n", ""))
    report(run)
    assert "1 damaged line of its records was passed over" in parts_of(run / "report.html").text
    assert "torch 2.13.0" in text


@pytest.mark.parametrize("rows", ["", "{broken\n"])
def test_a_run_without_rows_is_refused_in_a_line(rows: str, run: Path, report: Report) -> None:
    (run / "metrics.jsonl").write_text(rows)
    outcome = report(run)
    assert outcome.code == 2
    assert "expected rows in swing/metrics.jsonl, but there are none" in outcome.error
    assert not (run / "report.html").exists()


def test_a_file_that_cannot_be_written_is_named(run: Path, tmp_path: Path, report: Report) -> None:
    outcome = report(run, "-o", tmp_path / "no" / "x.html")
    assert outcome.code == 5
    assert "cannot write" in outcome.error and "give -o a file in a folder that exists" in outcome.error


def test_without_bokeh_it_says_how_to_get_it(
    run: Path, call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh.plotting", None)
    outcome = call(main, run)
    assert outcome.code == 2
    assert outcome.error == f"error: a report needs bokeh: {install_command('bokeh>=3.7')}"


def test_help_teaches_with_an_example(call: Callable[..., Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call(main, "--help")
    assert stop.value.code == 0
    assert "python -m mbpo.report runs/swing" in capsys.readouterr().out


def _made(*given: Any, **further: Any) -> Path:
    """Return a run whose config is whole."""
    path = make_run(*given, **further)
    put_config(path, seed=3)
    return path


def _branch(run: Path, parent: str, at: int, **changes: Any) -> None:
    lineage = {"parent": parent, "parent_dir": str(run.parent / parent), "fork_env_steps": at, "fork_changes": changes}
    (run / "manifest.json").write_text(json.dumps(lineage))


def _models(content: Any) -> list[dict[str, Any]]:
    """Return every model of bokeh's in the data."""
    if isinstance(content, dict):
        own = [content] if content.get("type") == "object" else []
        return own + [model for part in content.values() for model in _models(part)]
    return [model for part in content for model in _models(part)] if isinstance(content, list) else []
