"""Run a learner per seed: each an ordinary run, none an orphan, and none stopped by another."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learners import DEBUG, ENDLESS, ROOT, Outcome, environment, rows, wait_for
from msgspec import to_builtins

from mbpo.lifecycle.command_line import Launch, parse_launch
from mbpo.runs.command import send
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.reader import list_runs
from mbpo.runs.status import ENDED, RunStatus, read_status
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.seeds import display as seeds_display
from mbpo.seeds.display import PoolConsole
from mbpo.seeds.learner_run import STOP_SIGNALS, LearnerRun
from mbpo.seeds.plan import Plan, make_plan
from mbpo.seeds.pool import run_seeds
from mbpo.settings import threads as thread_counts
from mbpo.settings.grid import Point, parse_seeds
from mbpo.settings.presets import PRESETS
from mbpo.settings.threads import share_cores
from mbpo.train import main

Call = Callable[..., Outcome]


def launched(root: Path, *arguments: str) -> Launch:
    return parse_launch(["--preset", "debug", "--runs-root", str(root), *arguments])


def runs_in(root: Path) -> list[RunPaths]:
    return [paths for paths, _ in list_runs(root)]


def state(paths: RunPaths) -> str:
    status = read_status(paths)
    return "" if status is None else status.derived_state()


def newest_env_steps(paths: RunPaths) -> int:
    found = rows(paths.metrics)
    return int(found[-1]["env_steps"]) if found else 0


PARENT = """
import os, sys
from mbpo.lifecycle.command_line import parse_launch
from mbpo.seeds.plan import Plan
from mbpo.seeds.pool import run_seeds
if stub := os.environ.get("STAND_IN"):
    Plan.command = lambda plan, point: (sys.executable, "-S", stub, str(point.seed))
sys.exit(run_seeds(parse_launch(sys.argv[1:])))
"""  # as python -m mbpo.train, without the seconds that torch takes


def start_parent(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments],
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextlib.contextmanager
def interrupts(when: Callable[[], bool]) -> Iterator[None]:
    """Send this process a SIGINT once ``when`` is true, which it is only while learners run."""

    def watch() -> None:
        while not ended.wait(0.05):
            if when():
                os.kill(os.getpid(), signal.SIGINT)
                return

    ended = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# What is asked for


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("2", (2,)),
        ("0:5", (0, 1, 2, 3, 4)),
        ("0:10:2", (0, 2, 4, 6, 8)),
        ("0,3,7", (0, 3, 7)),
        (" 7, 0:2 ", (7, 0, 1)),
        ("4294967295", (4294967295,)),
        ("5:6:9", (5,)),
        ("0:1000", tuple(range(1000))),
    ],
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


BAD_SEEDS = {
    "backwards": (["--seeds", "5:0"], "A < B"),
    "empty range": (["--seeds", "3:3"], "A < B"),
    "no step": (["--seeds", "0:3:0"], "STEP ≥ 1"),
    "word": (["--seeds", "a"], "--seeds must be like 0:5, 0:10:2 or 0,3,7, got a"),
    "float": (["--seeds", "0:1e9"], "got 0:1e9"),
    "negative": (["--seeds=-1"], "got -1"),
    "open": (["--seeds", "0:"], "got 0:"),
    "four parts": (["--seeds", "0:1:1:1"], "got 0:1:1:1"),
    "nothing": (["--seeds", ""], "got nothing"),
    "comma last": (["--seeds", "0,"], "got 0,"),
    "other digits": (["--seeds", "٣"], "must be like"),
    "escape codes": (["--seeds", "\x1b[2J"], "must be like"),
    "very long": (["--seeds", "0," * 5000 + "0"], "at most 1000 seeds, got 5001"),
    "twice": (["--seeds", "0,3,0"], "got 0 twice"),
    "twice by a range": (["--seeds", "0:4,2"], "got 2 twice"),
    "too many": (["--seeds", "0:1001"], "at most 1000 seeds, got 1001"),
    "far too many": (["--seeds", "0:1000000000"], "at most 1000 seeds, got 1000000000"),
    "too large": (["--seeds", "4294967296"], "(from --seeds)"),
    "with --seed": (["--seeds", "0:2", "--seed", "1"], "--seeds and --seed exclude each other"),
    "with --run-id": (["--seeds", "0:2", "--run-id", "x"], "--seeds and --run-id exclude"),
    "no jobs": (["--seeds", "0:2", "--jobs", "0"], "--jobs must be a whole number in [1, 1000]"),
    "jobs alone": (["--jobs", "2"], "--jobs goes with --seeds and --grid only"),
    "a grid and its flag": (["--grid", "rollout_length=1,5", "--rollout-length", "3"], "--rollout-length exclude"),
    "a grid and a name": (["--grid", "rollout_length=1,5", "--run-id", "x"], "--grid and --run-id exclude each other"),
    "a grid's bad value": (["--grid", "real_ratio=0.1,2"], "real_ratio must lie in [0, 1], got 2 (from --grid)"),
    "a grid that cannot be": (["--grid", "elites=1,50"], "elites must be at most ensemble_size"),
    "a grid with a fork": (["--grid", "gamma=0.9", "--fork", "x"], "--grid exclude each other"),
    "a bad setting": (["--seeds", "0:2", "--real-ratio", "2"], "real_ratio must lie in [0, 1]"),
}


@pytest.mark.parametrize("name", BAD_SEEDS)
def test_seeds_that_cannot_be_used_are_refused(name: str, call: Call, tmp_path: Path) -> None:
    arguments, words = BAD_SEEDS[name]
    outcome = call(main, "--preset", "debug", "--runs-root", tmp_path / "runs", *arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert words in outcome.error
    assert outcome.error.isprintable()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("have", "threads", "seeds", "jobs", "shared"),
    [
        (2, "auto", 5, None, (1, 2)),
        (8, "auto", 5, None, (1, 5)),
        (8, "auto", 2, None, (4, 2)),
        (8, "auto", 3, None, (2, 3)),
        (64, "auto", 2, None, (4, 2)),
        (8, "auto", 5, 1, (1, 1)),  # not 4 threads: a seed's metrics do not depend on --jobs
        (8, 4, 5, None, (4, 2)),
        (2, 4, 5, None, (4, 1)),
        (2, "auto", 5, 4, (1, 4)),
        (2, "auto", 3, 9, (1, 3)),
        (1, "auto", 1, None, (1, 1)),
    ],
)
def test_cores_are_shared_out(
    have: int, threads: Any, seeds: int, jobs: int | None, shared: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_counts.os, "sched_getaffinity", lambda pid: set(range(have)))
    assert share_cores(threads, seeds, jobs) == shared


@pytest.mark.parametrize("preset", PRESETS)
def test_a_learner_gets_the_settings_of_the_command_line_and_its_file(preset: str, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("seed = 9\ngamma = 0.1234567890123456789\nalpha_lr = 1e-7\ntau = 5e-4\n")
    given = (
        "--config",
        str(file),
        "--preset",
        preset,
        "--env-id",
        "Pendulum-v1",
        "--target-entropy=-1e-5",
        "--profile",
    )
    schedule = ("--rollout-schedule", "1,2.5,1,3", "--rollout-length", "auto")
    launch = launched(tmp_path / "runs", *given, *schedule, "--seeds", "3,12")
    plan = make_plan(launch)
    file.unlink()
    assert [point.seed for point in plan.grid.points] == [3, 12]
    for point in plan.grid.points:
        again = parse_launch(plan.command(point)[3:])
        assert again.config == replace(launch.config, seed=point.seed, threads=plan.threads)
        assert (again.runs_root, again.run_id) == (launch.runs_root, plan.run_id(point))


@pytest.mark.parametrize(
    ("env_id", "preset"), [("Hopper-v5", "hopper"), ("Walker2d-v4", "walker2d"), ("mine:Hopper-v5", "default")]
)
def test_the_preset_of_the_environment_is_that_of_every_seed(env_id: str, preset: str, tmp_path: Path) -> None:
    launch = parse_launch(["--env-id", env_id, "--seeds", "0:2", "--runs-root", str(tmp_path)])
    plan = make_plan(launch)
    assert plan.batch.name.startswith(f"{preset}-")
    for point in plan.grid.points:
        again = parse_launch(plan.command(point)[3:])
        assert again.config == replace(launch.config, seed=point.seed, threads=plan.threads)
        assert (again.config.preset, again.config.env_id) == (preset, env_id)


def test_the_preset_is_said_once_after_the_first_run_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    plan = make_plan(launched(tmp_path, "--seeds", "0:2"))
    first, second = (
        LearnerRun(point.label, RunPaths(tmp_path / plan.run_id(point)), (), tmp_path / "out")
        for point in plan.grid.points
    )
    with PoolConsole(plan.heading, "preset hopper, chosen by Hopper-v5") as console:
        console.begun(first)
        console.begun(second)
    said = capsys.readouterr().out.splitlines()
    assert said == [str(first.paths.root), "preset hopper, chosen by Hopper-v5", str(second.paths.root)]


def test_the_runs_of_one_command_sort_together_and_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "20251125-120000")
    plans = [make_plan(launched(tmp_path, "--seeds", "0:12")) for _ in range(2)]
    names = [plan.run_id(point) for plan in plans for point in plan.grid.points]
    assert names[:2] == ["debug-20251125-120000-s00", "debug-20251125-120000-s01"]
    assert names[12] == "debug-20251125-120000-2-s00"
    assert len(set(names)) == 24
    for plan in plans:
        group = [plan.run_id(point) for point in plan.grid.points]
        assert [name for name in sorted(names) if name in group] == group
        plan.batch.release()
    (tmp_path / "debug-20251125-120000-s05").mkdir()
    assert make_plan(launched(tmp_path, "--seeds", "0:12")).batch.name == "debug-20251125-120000-2"


def test_a_root_that_cannot_be_written_ends_with_5(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = call(main, *DEBUG, "--seeds", "0:2", "--runs-root", tmp_path / "file")
    assert outcome.code == 5
    assert "give a writable --runs-root" in outcome.error


# Learners


def without_wall_time(paths: RunPaths) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in rows(paths.metrics)]


def test_each_seed_is_an_ordinary_run_like_one_started_alone(call: Call, tmp_path: Path) -> None:
    short = ("--preset", "debug", "--total-steps", "120", "--threads", "1")
    root = tmp_path / "runs"
    outcome = call(main, *short, "--seeds", "3:6", "--jobs", 2, "--runs-root", root)
    assert (outcome.code, outcome.err) == (0, "")
    runs = runs_in(root)
    assert [paths.run_id[-3:] for paths in runs] == ["-s3", "-s4", "-s5"]
    assert sorted(path.name for path in root.iterdir()) == [paths.run_id for paths in runs]

    statuses = [read_status(paths) for paths in runs]
    assert [(s.state, s.seed, s.env_steps) for s in statuses if s] == [("finished", seed, 120) for seed in (3, 4, 5)]
    ended = [rows(paths.events)[-1]["time"] for paths in runs]
    started = [status.started for status in statuses if status]
    assert started[2] > min(ended[:2])  # two at once, and the third after one of them

    alone = tmp_path / "alone"
    assert main([*short, "--seed", "4", "--runs-root", str(alone), "--run-id", "r"]) == 0
    assert without_wall_time(runs[1]) == without_wall_time(RunPaths(alone / "r"))
    assert without_wall_time(runs[1]) != without_wall_time(runs[2])
    assert read_config(runs[1].config) == read_config(RunPaths(alone / "r").config)

    lines = outcome.out.splitlines()
    assert lines[0] in [str(paths.root) for paths in runs]
    assert {str(paths.root) for paths in runs} <= set(lines)
    assert sum(line.startswith("seed ") and "finished at 120/120" in line for line in lines) == 3
    scores = [status.eval_return for status in statuses if status and status.eval_return]
    mean = f"{sum(scores) / 3:.1f}"
    assert f"mean ± std of 3 finished seeds: {mean} ± " in outcome.out
    assert lines[-1] == f"to compare them: python -m mbpo.compare {runs[0].root}"[:-1] + "*"
    assert "\x1b" not in outcome.out


def test_a_failing_seed_is_named_and_stops_no_other(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no terminal is, a line says now and then how far the others are."""
    usual = Plan.command

    def one_broken(plan: Plan, point: Point) -> tuple[str, ...]:
        broken = point.seed == 0
        return (*usual(plan, point), *["--env-id=toy_envs:Broken-v0"] * broken)

    monkeypatch.setattr(Plan, "command", one_broken)
    monkeypatch.setattr(seeds_display, "PLAIN_LINE_S", 0.2)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    arguments = ("--total-steps", 120, "--eval-every", 60, "--runs-root", tmp_path)
    outcome = call(main, *DEBUG, "--seeds", "0:2", "--jobs", 2, *arguments)
    assert outcome.code == 3
    assert outcome.error.startswith("error: seed 0, exit code 3: ")
    assert "Broken-v0.step raised RuntimeError: the joint came off" in outcome.error
    assert [state(paths) for paths in runs_in(tmp_path)] == ["failed", "finished"]
    assert "seed 0  failed at 29/120 env steps  evaluation —" in outcome.out
    assert "mean ± std of 1 finished seed: -" in outcome.out
    assert "2 starting  0/240 env steps  — left" in outcome.out
    evaluations = [row["eval/return_mean"] for row in rows(runs_in(tmp_path)[1].events) if row["event"] == "evaluation"]
    assert len(evaluations) > 1
    assert f"evaluation {evaluations[-1]:.1f}  best {max(evaluations):.1f}" in outcome.out


def test_an_interrupt_stops_every_learner_with_its_networks_saved(call: Call, tmp_path: Path) -> None:
    def both_learn() -> bool:
        runs = runs_in(tmp_path)
        return len(runs) == 2 and min(map(newest_env_steps, runs)) >= 120

    arguments = (*DEBUG, *ENDLESS, "--seeds", "0:3", "--jobs", "2", "--runs-root", tmp_path)
    with interrupts(both_learn):
        outcome = call(main, *arguments)
    assert (outcome.code, outcome.err) == (130, "")
    assert len(runs_in(tmp_path)) == 2
    for paths in runs_in(tmp_path):
        status = read_status(paths)
        assert status is not None
        assert (status.state, status.exit_code, status.reason) == ("stopped", 130, "SIGINT")
        assert load_checkpoint(paths.checkpoints / f"step-{status.env_steps:09d}", "actor")
    assert "SIGINT is handed on to 2 learners" in outcome.out
    (told,) = [line for line in outcome.out.splitlines() if line.startswith("to go on: ")]
    first = min(paths.root for paths in runs_in(tmp_path))
    assert told == f"to go on: python -m mbpo.train --resume {first}; 1 other the same way"
    assert "2   not started" in outcome.out


def test_learners_outlive_a_killed_parent(tmp_path: Path) -> None:
    process = start_parent(tmp_path, *DEBUG, *ENDLESS, "--seeds", "7")
    wait_for(lambda: runs_in(tmp_path / "runs"), "a run")
    (paths,) = runs_in(tmp_path / "runs")
    try:
        wait_for(lambda: newest_env_steps(paths) >= 110, "the run to learn")
        process.kill()
        process.communicate()
        before = newest_env_steps(paths)
        wait_for(lambda: newest_env_steps(paths) > before + 50, "the run to go on")
        send(paths, action="stop", by="test")
        wait_for(lambda: state(paths) == "stopped", "the stop to be obeyed")
    finally:
        status = read_status(paths)
        if status is not None and status.live:
            os.kill(status.pid, signal.SIGKILL)


# Processes that stand in for learners


def stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(Plan, "command", lambda plan, point: (sys.executable, "-S", "-c", script, str(point.seed)))


def test_the_exit_code_is_that_of_the_first_seed_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(
        monkeypatch,
        "import os, sys, time; seed = int(sys.argv[1]); time.sleep(0.3 * (seed == 1))\n"
        "if seed == 3: os.kill(os.getpid(), 9)\n"
        "if seed == 2: raise ModuleNotFoundError('no gym')\n"
        "print('error: device cuda:99 is not here', file=sys.stderr); sys.exit(2)",
    )
    root = tmp_path / "runs"
    handlers = [signal.getsignal(number) for number in STOP_SIGNALS]
    assert run_seeds(launched(root, "--seeds", "1:4", "--jobs", "3")) == 2
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == handlers
    assert capsys.readouterr().err.splitlines() == [
        "error: seed 1, exit code 2: device cuda:99 is not here",
        "error: seed 2, exit code 1: ModuleNotFoundError: no gym",
        "error: seed 3, exit code 137: ended by SIGKILL",
    ]
    left = [path.name for path in root.glob(".launch/*/*")]
    assert sorted(left) == ["s2.txt", "s3.txt"]  # nothing else tells of these


def test_without_a_run_there_is_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "import sys; sys.exit('error: no such device')")
    assert run_seeds(launched(tmp_path / "runs", "--seeds", "0:2")) == 1
    assert not (tmp_path / "runs").exists()
    (tmp_path / "mine").mkdir()
    assert run_seeds(launched(tmp_path / "mine", "--seeds", "0:2")) == 1
    assert (tmp_path / "mine").exists()
    assert "to compare them" not in capsys.readouterr().out


def test_a_grid_runs_every_value_for_every_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "import sys; sys.exit(3 * (sys.argv[1] == '7'))")
    grid = ("--grid", "rollout_length=1,15", "--grid", "normalize-targets=true,false")
    assert run_seeds(launched(tmp_path, "--seeds", "3,7", *grid, "--jobs", "4")) == 3
    out, err = capsys.readouterr()
    assert out.count("finished at") == 4
    for k in (1, 15):
        for targets in ("true", "false"):
            assert f"run k={k} normalize_targets={targets} s3  finished" in out
            assert f"error: run k={k} normalize_targets={targets} s7, exit code 3: it printed nothing" in err


def test_a_grid_alone_has_the_seed_of_the_command(tmp_path: Path) -> None:
    plan = make_plan(launched(tmp_path, "--seed", "4", "--grid", "rollout_schedule=1,2,1,3|1,2,1,5"))
    found = [parse_launch(plan.command(point)[3:]).config for point in plan.grid.points]
    assert [(config.seed, config.rollout_schedule[3]) for config in found] == [(4, 3.0), (4, 5.0)]
    assert [plan.run_id(point)[-6:] for point in plan.grid.points] == ["-g1-s4", "-g2-s4"]


def test_a_learner_that_cannot_be_started_is_a_failed_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Plan, "command", lambda plan, seed: (str(tmp_path / "no-python"),))
    assert run_seeds(launched(tmp_path, "--seeds", "0")) == 1
    assert "cannot start a learner: No such file or directory" in capsys.readouterr().err


def test_a_second_interrupt_kills_also_what_hears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seed 0 is deaf; seed 1 takes the first interrupt for a wish, as a learner does."""
    stand_in(
        monkeypatch,
        "import pathlib, signal, sys, time\n"
        "def hear(*_):\n"
        "    signal.signal(2, lambda *_: sys.exit(130)); here.write_text('heard')\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "signal.signal(2, signal.SIG_IGN if sys.argv[1] == '0' else hear)\n"
        "here.write_text('here')\n"
        "for _ in range(600): time.sleep(0.1)",
    )
    monkeypatch.chdir(tmp_path)
    one = Path("1")
    began = time.monotonic()
    with (
        interrupts(lambda: Path("0").exists() and one.exists()),
        interrupts(lambda: one.exists() and one.read_text() == "heard"),
    ):
        code = run_seeds(launched(tmp_path / "runs", "--seeds", "0:3", "--jobs", "2"))
    assert code == 130
    assert time.monotonic() - began < 30
    assert not Path("2").exists()
    out, err = capsys.readouterr()
    assert err == "error: seed 0, exit code 137: ended by SIGKILL\n"
    assert "1   stopped" in out


def test_a_closed_stdout_stops_nothing(tmp_path: Path) -> None:
    parent = f"{sys.executable} -c {shlex.quote(PARENT)} --preset debug --seeds 0:3 --jobs 1"
    script = f"{parent} 2>err | head -1 >out; echo ${{PIPESTATUS[0]}} >rc"
    stub = tmp_path / "stub.py"
    stub.write_text("import sys, time; time.sleep(0.1); open(sys.argv[1], 'w')\n")
    environ = {**environment(), "STAND_IN": str(stub)}
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, check=True, timeout=60)
    assert (tmp_path / "2").exists()
    assert [(tmp_path / name).read_text() for name in ("err", "rc")] == ["", "0\n"]
    assert (tmp_path / "out").read_text().startswith("seed 0  finished")


# The table of a terminal


class Terminal(io.StringIO):
    """Say it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seeds", "lines"), [("8:11", 40), ("8:48", 12)])
def test_a_terminal_shows_a_row_for_each_seed_that_fits(
    seeds: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", str(lines))
    monkeypatch.setattr(LearnerRun, "alive", property(lambda run: run.status is not None))
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    plan = make_plan(launched(tmp_path, "--seeds", seeds))
    runs = [
        LearnerRun(point.label, RunPaths(tmp_path / plan.run_id(point)), (), tmp_path / "out")
        for point in plan.grid.points
    ]
    runs[2].status = RunStatus(state="running", env_steps=100, total_steps=400, steps_per_s=10.0)
    runs[2].evaluations = [-5.0, -7.25]
    with PoolConsole(plan.heading) as console:
        console.progress(runs)
        console.begun(runs[2])
    shown = screen.getvalue()
    assert "\x1b[" in shown
    row = next(line.split() for line in shown.splitlines() if "running" in line and "100/" in line)
    assert row == ["10", "running", "100/400", "-7.2", "10", "0:30"]
    assert str(runs[2].paths.root) in shown
    waiting = [line.split() for line in shown.splitlines() if "waiting " in line]
    assert (["8", "waiting", "0/400", "—", "—", "—"] in waiting) == (lines == 40)
    assert f"{len(runs) - 1} waiting, 1 running" in shown
    assert plan.heading.title in shown  # as a whole, wider than the table though it is


def test_the_speed_of_warm_up_says_nothing_of_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LearnerRun, "alive", property(lambda run: True))
    plan = make_plan(launched(tmp_path, "--seeds", "0"))
    run = LearnerRun("0", RunPaths(tmp_path / plan.run_id(plan.grid.points[0])), (), tmp_path / "out")
    for phase, left in (("warm-up", "— left"), ("train", "0:30 left")):
        run.status = RunStatus(state="running", phase=phase, env_steps=100, total_steps=400, steps_per_s=10.0)
        with PoolConsole(plan.heading) as console:
            monkeypatch.setattr(console, "_shown_at", -99.0)
            console.progress([run])
        assert capsys.readouterr().out.rstrip().endswith(left)


def test_the_state_of_a_seed_is_that_of_its_run(tmp_path: Path) -> None:
    run = LearnerRun("0", RunPaths(tmp_path), (sys.executable, "-S", "-c", "input()"), tmp_path / "out")
    assert run.state == "waiting"
    write_json(run.paths.status, to_builtins(RunStatus(state="paused")))
    run.start()
    assert (run.state, run.alive) == ("starting", True)
    wait_for(lambda: (run.refresh(), not run.alive)[1], "its end")
    assert (run.state, run.exit_code) == ("lost", 1)
    write_json(run.paths.status, to_builtins(RunStatus(state="diverged", reason="nan\nnan")))
    run.status = read_status(run.paths)
    assert run.state in ENDED
    assert run.reason == "nan nan"


def test_the_parent_of_the_learners_needs_no_torch_of_its_own() -> None:
    script = "import sys, mbpo.seeds.pool; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=environment()).returncode == 0


@pytest.mark.parametrize(("columns", "titles"), [(100, "steps/s"), (60, "left"), (48, "evaluation"), (30, "state")])
def test_a_narrow_terminal_has_fewer_columns_and_no_cell_cut(
    columns: int, titles: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "40")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    plan = make_plan(launched(tmp_path, "--seeds", "0:2"))
    runs = [
        LearnerRun(str(point.seed), RunPaths(tmp_path / plan.run_id(point)), (), tmp_path) for point in plan.grid.points
    ]
    with PoolConsole(plan.heading) as console:
        console.progress(runs)
        console.table(["seed", "state", "last evaluation", "best"], [["0", "finished", "-151.2", "-139.0"]])
    shown = screen.getvalue()
    assert titles in shown
    assert "…" not in shown
    assert ("seed 0, state finished, last evaluation -151.2, best -139.0" in shown) == (columns < 36)
