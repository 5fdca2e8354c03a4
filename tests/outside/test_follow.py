"""Whatever is killed when, a tracker has every row that counts once, with its value."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from following import append, curves_of, follow, some_rows, started, write_run
from learners import ENDLESS, LearnerProcess
from tracker_readers import READERS, Reader, ready

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
