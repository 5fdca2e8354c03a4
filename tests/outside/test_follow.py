"""Whatever is killed when, a tracker has every row that counts once, with its value."""

from __future__ import annotations

import html
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from following import append, curves_of, follow, some_rows, started, write_run
from learners import DEBUG, ENDLESS, LearnerProcess, environment, python_m
from tracker_readers import READERS, Reader, ready

from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths

KILLS = 20


@pytest.fixture(params=READERS, ids=lambda reader: reader.name)
def reader(request: pytest.FixtureRequest) -> Reader:
    return ready(request.param)


def bring(reader: Reader, runs: Path, into: Path, *flags: str) -> str:
    return follow(runs, "--to", reader.name, "--into", into, *flags).stdout


def same(reader: Reader, run: Path, into: Path, name: str = "") -> None:
    assert reader.curves(into, name or run.name) == reader.as_held(curves_of(run))


def test_a_second_call_adds_what_came_since(reader: Reader, tmp_path: Path) -> None:
    run, into = write_run(tmp_path / "runs" / "a", some_rows(1, 30)), tmp_path / "there"
    assert "30 rows, 30 new" in bring(reader, run, into)
    same(reader, run, into)
    append(run / "metrics.jsonl", some_rows(31, 40))
    assert "40 rows, 10 new" in bring(reader, run, into)
    same(reader, run, into)
    assert "40 rows, 0 new" in bring(reader, run, into)
    same(reader, run, into)


@pytest.mark.parametrize("between", [True, False], ids=["followed before too", "followed after only"])
def test_rows_that_a_resumed_run_wrote_again_take_the_place_of_the_first(
    reader: Reader, tmp_path: Path, between: bool
) -> None:
    run, into = write_run(tmp_path / "runs" / "a", some_rows(1, 30)), tmp_path / "there"
    if between:
        bring(reader, run, into)
    append(run / "metrics.jsonl", some_rows(20, 26, by=2.0))  # fewer rows than stood there
    bring(reader, run, into)
    same(reader, run, into)
    append(run / "metrics.jsonl", some_rows(27, 35, by=2.0))
    bring(reader, run, into)
    same(reader, run, into)


def test_damaged_rows_are_passed_over_and_counted(reader: Reader, tmp_path: Path) -> None:
    run, into = write_run(tmp_path / "runs" / "a", some_rows(1, 5)), tmp_path / "there"
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"seq": 6, "env_st\n[1, 2]\n\x00\x00\n{"seq": "x", "env_steps": 3}\n')
        file.write('{"seq": 6, "env_steps": 30, "sac/alpha": "<b>", "sac/q_mean": null, "eval/return_mean": 1e999}\n')
        file.write('{"seq": 7, "env_steps": 40, "sac/alpha": NaN, "other": 3, "bound/rho": true}\n')
    append(run / "metrics.jsonl", some_rows(8, 12))
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"seq": 13, "env_steps": 70, "sac/al')  # not ended yet
    assert "12 rows, 12 new, 3 damaged lines passed over" in bring(reader, run, into)
    same(reader, run, into)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('pha": 4}\n')
    assert "13 rows, 1 new" in bring(reader, run, into)
    same(reader, run, into)


def test_a_learner_is_followed_to_its_end(
    reader: Reader, tmp_path: Path, start_learner: Callable[..., LearnerProcess]
) -> None:
    learner = start_learner("--total-steps", "300")
    learner.wait_for_env_steps(50)
    said = bring(reader, learner.paths.root, tmp_path / "there", "--live")
    assert learner.exit_code() == 0
    assert "live is finished" in said
    same(reader, learner.paths.root, tmp_path / "there")
    told = " ".join(reader.texts(tmp_path / "there", "live"))
    assert "at env step 300" in told


def test_a_follower_killed_twenty_times_leaves_no_gap_and_no_double(
    reader: Reader, tmp_path: Path, start_learner: Callable[..., LearnerProcess]
) -> None:
    learner, into, draw = start_learner(*ENDLESS), tmp_path / "there", random.Random(0)
    learner.wait_for_env_steps(50)
    for _ in range(KILLS):
        with started(learner.paths.root, "--to", reader.name, "--into", into, "--live") as follower:
            assert follower.stdout is not None
            follower.stdout.readline()  # where it goes to
            time.sleep(draw.uniform(0, 1.5))
            follower.kill()
    learner.kill()
    bring(reader, learner.paths.root, into)
    same(reader, learner.paths.root, into)
    assert len(curves_of(learner.paths.root)["rollout/length"]) > KILLS


def test_runs_that_come_into_a_folder_are_followed(reader: Reader, tmp_path: Path) -> None:
    runs, into = tmp_path / "runs", tmp_path / "there"
    write_run(runs / "a", some_rows(1, 5))
    with started(runs, "--to", reader.name, "--into", into, "--live") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith("a -> ")
        assert "a is finished: 5 rows" in follower.stdout.readline()
        write_run(runs / "deep" / "b", some_rows(1, 7))
        assert follower.stdout.readline().startswith("deep/b -> ")
        assert "deep/b is finished: 7 rows" in follower.stdout.readline()
        follower.terminate()
        assert follower.wait(60) == 143
    same(reader, runs / "a", into)
    same(reader, runs / "deep" / "b", into, "deep/b")


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, and a fork of the first with another k: real runs, with a note and tags."""
    runs = tmp_path_factory.mktemp("family") / "runs"
    for arguments in (
        ("--run-id", "a", "--seed", "0"),
        ("--run-id", "b", "--seed", "1"),
        ("--run-id", "f", "--fork", str(runs / "a"), "--total-steps", "450", "--rollout-length", "3"),
    ):
        preset = () if "--fork" in arguments else DEBUG
        process = python_m("mbpo.train", *preset, "--runs-root", str(runs), *arguments, cwd=runs.parent)
        assert process.communicate() and process.returncode == 0
    change_about(RunPaths(runs / "a"), {"note": "figure *2*", "tags": ("paper", "k_1")})
    return runs


def test_groups_forks_and_what_people_say_are_told_in_its_own_terms(
    reader: Reader, tmp_path: Path, family: Path
) -> None:
    bring(reader, family, tmp_path / "there")
    a, b, fork = (reader.facts(tmp_path / "there", run) for run in "abf")
    for run in "abf":
        same(reader, family / run, tmp_path / "there")
    assert a["group"] == b["group"] != fork["group"]
    assert fork["group"].startswith("debug total_steps=450 rollout_length=3 fork=@400 ")
    assert [told["kind"] for told in (a, b, fork)] == ["run", "run", "fork"]
    assert [told["parent"] for told in (a, b, fork)] == ["", "", "a@400"]
    assert [told["seed"] for told in (a, b, fork)] == [0, 1, 0]
    assert [told["rollout_length"] for told in (a, b, fork)] == [1, 1, 3]
    assert (a["note"], a["tags"]) == ("figure *2*", "paper k_1")


def test_a_change_by_hand_is_told(reader: Reader, tmp_path: Path) -> None:
    change = {"event": "control", "id": "x", "status": "applied", "at_env_steps": 120, "by": "alice", "revision": 1}
    events = [
        {**change, "old": {"rollout_length": 1}, "new": {"rollout_length": 4}, "time": 1_700_000_010.0},
        {**change, "id": "y", "status": "rejected", "reason": "out of range", "time": 1_700_000_011.0},
        {"event": "warning", "env_steps": 140, "reason": "the <b>policy</b> is stuck", "time": 1_700_000_012.0},
        {"event": "finished", "env_steps": 150, "exit_code": 0, "time": 1_700_000_013.0},
    ]
    run = write_run(tmp_path / "a", some_rows(1, 5), events)
    for _ in range(2):
        bring(reader, run, tmp_path / "there")
        told = [html.unescape(text) for text in reader.texts(tmp_path / "there", "a")]
        assert [text[text.index("at env") :] for text in told] == [
            "at env step 0",
            "at env step 120: rollout_length 1 → 4, by alice",
            "at env step 140: the <b>policy</b> is stuck",
            "at env step 150: exit_code 0",
        ]


def test_one_that_is_interrupted_leaves_what_the_next_goes_on_from(
    reader: Reader, tmp_path: Path, start_learner: Callable[..., LearnerProcess]
) -> None:
    learner, into = start_learner(*ENDLESS), tmp_path / "there"
    learner.wait_for_env_steps(50)
    for _ in range(2):
        with started(learner.paths.root, "--to", reader.name, "--into", into, "--live") as follower:
            assert follower.stdout is not None
            follower.stdout.readline()
            time.sleep(1.5)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(60) == 130
    learner.kill()
    bring(reader, learner.paths.root, into)
    same(reader, learner.paths.root, into)


def test_a_full_disk_ends_the_follower_in_one_line_and_costs_no_row(reader: Reader, tmp_path: Path) -> None:
    run, into = write_run(tmp_path / "a", some_rows(1, 4000)), tmp_path / "there"
    command = ["bash", "-c", 'ulimit -f 24 && exec "$@"', "-", sys.executable, "-m", "mbpo.follow"]
    full = subprocess.run(
        [*command, run, "--to", reader.name, "--into", into], env=environment(), capture_output=True, text=True
    )
    assert full.returncode == 5
    assert full.stderr.startswith("error: ") and len(full.stderr.splitlines()[0]) <= 200
    bring(reader, run, into)
    same(reader, run, into)


def test_a_run_that_was_stopped_and_goes_on_is_followed_on(
    reader: Reader, tmp_path: Path, start_learner: Callable[..., LearnerProcess]
) -> None:
    learner, into = start_learner("--total-steps", "300"), tmp_path / "there"
    learner.wait_for_env_steps(50)
    learner.process.send_signal(signal.SIGTERM)
    learner.exit_code()
    with started(learner.paths.root.parent, "--to", reader.name, "--into", into, "--live") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith("live -> ")
        assert follower.stdout.readline().startswith("live is stopped: ")
        resumed = python_m("mbpo.train", "--resume", str(learner.paths.root), cwd=tmp_path)
        assert follower.stdout.readline().startswith("live -> ")
        assert follower.stdout.readline().startswith("live is finished: ")
        resumed.communicate()
    same(reader, learner.paths.root, into)
    assert "stopped" in " ".join(reader.texts(into, "live")) or reader.name != "wandb"


def test_another_run_in_the_same_folder_is_another_run_in_the_tracker(reader: Reader, tmp_path: Path) -> None:
    run, into = write_run(tmp_path / "runs" / "a", some_rows(1, 9)), tmp_path / "there"
    with started(run.parent, "--to", reader.name, "--into", into, "--live") as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        assert "9 rows, 9 new" in follower.stdout.readline()
        shutil.rmtree(run)
        write_run(run, some_rows(1, 12, by=4.0), seed=3)
        follower.stdout.readline()
        assert "12 rows, 12 new" in follower.stdout.readline()


def test_a_run_that_moved_keeps_its_place(reader: Reader, tmp_path: Path) -> None:
    run, into = write_run(tmp_path / "runs" / "a", some_rows(1, 9)), tmp_path / "there"
    bring(reader, run, into)
    moved = run.rename(tmp_path / "b")
    assert "9 rows, 0 new" in bring(reader, moved, into)
