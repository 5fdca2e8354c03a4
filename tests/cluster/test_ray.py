"""Run studies on a real Ray of two nodes on this machine: workers, nodes and drivers die, and no row is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from learners import environment, wait_for
from quick_study import (
    RUNS,
    each_row_once,
    in_the_foreground,
    measured,
    of_no_environment,
    one_by_one,
    reached,
    rows_are_whole,
    statuses,
    write_study,
)
from ray_here import RayHere, children, is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="the package ray is not installed")
STEPS = 1000
QUICK_HEALTH = {  # a silent node is dead after 5 s instead of 62
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
Measured = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHere]:
    with RayHere(tmp_path_factory.mktemp("ray"), **QUICK_HEALTH) as found:
        yield found


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("twin")
    return one_by_one(write_study(folder, STEPS), folder / "runs")


def on_ray(file: Path, ray: RayHere) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mbpo.study", file.name, "--on", "ray"]
    env, pipe = {**ray.environment, "PYTHONPATH": environment()["PYTHONPATH"]}, subprocess.PIPE
    with in_the_foreground():
        return subprocess.Popen(command, cwd=file.parent, env=env, text=True, stdout=pipe, stderr=pipe)


def at_work_on(ray: RayHere, node: int) -> list[psutil.Process]:
    """Return the learners of a node."""
    below = [child for worker in ray.workers(node) for child in children(worker, recursive=True)]
    return [process for process in below if is_learner(process)]


def is_learner(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it ended meanwhile
        return "mbpo.train" in process.cmdline()
    return False


def test_runs_whose_workers_and_nodes_die_end_as_their_undisturbed_twins(
    tmp_path: Path, ray: RayHere, twin: Measured
) -> None:
    folder = tmp_path / "runs" / "quick"
    driver = on_ray(write_study(tmp_path, STEPS), ray)
    wait_for(reached(folder, "k1-s0", 200), "env step 200")
    for worker in ray.workers(0):
        worker.kill()
    wait_for(lambda: bool(at_work_on(ray, 1)), "a learner on the second node")
    ray.kill_node(1)
    ray.add_node()
    out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    assert "its worker died" in out and "its node died" in out and "P(X > Y)" in out
    assert sum(status.attempt for status in statuses(folder).values() if status is not None) > len(RUNS)
    assert measured(folder) == twin and each_row_once(folder)


def test_a_study_whose_driver_ends_goes_on_when_it_is_run_again(tmp_path: Path, ray: RayHere, twin: Measured) -> None:
    folder, file = tmp_path / "runs" / "quick", write_study(tmp_path, STEPS)
    for how, said in ((signal.SIGKILL, ""), (signal.SIGTERM, ""), (signal.SIGINT, "the runs save and end")):
        driver = on_ray(file, ray)
        wait_for(lambda: any(status is not None and status.live for status in statuses(folder).values()), "a learner")
        driver.send_signal(how)
        out, err = driver.communicate(timeout=60)
        assert driver.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how], err
        assert said in out and "Traceback" not in err
        found = [status for status in statuses(folder).values() if status is not None]
        wait_for(lambda found=found: all(not psutil.pid_exists(each.pid) for each in found), "all learners' ends")
    driver = on_ray(file, ray)
    _, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    assert measured(folder) == twin and each_row_once(folder)


def test_the_runs_of_a_node_that_falls_silent_go_on_elsewhere(tmp_path: Path, ray: RayHere, twin: Measured) -> None:
    folder, node = tmp_path / "runs" / "quick", ray.add_node()
    driver = on_ray(write_study(tmp_path, STEPS), ray)
    wait_for(lambda: bool(at_work_on(ray, node)), "a learner on the new node")
    wait_for(lambda: all(status is not None for status in statuses(folder).values()), "all runs")
    raylet, learners = ray.raylet(node), at_work_on(ray, node)
    silent = [raylet, *raylet.children(recursive=True)]
    for process in silent:
        process.suspend()
    for learner in learners:
        learner.kill()
    try:
        out, err = driver.communicate(timeout=280)
    finally:
        ray.kill_node(node)
    assert driver.returncode == 0, err
    assert "a node died" in out
    assert measured(folder) == twin and each_row_once(folder)


def test_what_ray_cannot_do_is_one_line(tmp_path: Path, ray: RayHere) -> None:
    file = write_study(tmp_path, 200)
    file.write_text(file.read_text().replace("[axes]", 'device = "cuda"\n[axes]'))
    driver = on_ray(file, ray)
    _, err = driver.communicate(timeout=60)
    assert (driver.returncode, err) == (
        2,
        "error: device cuda needs [ray] num_gpus = 1 in the study, or a part of one\n",
    )


def test_a_run_that_cannot_begin_has_its_reason(tmp_path: Path, ray: RayHere) -> None:
    file = write_study(tmp_path, 200)
    said = of_no_environment(file)
    driver = on_ray(file, ray)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 1 and said in err
    assert out.count("env_id must name") == 1  # what is wrong with all of them is said once while they run


def test_a_run_that_another_learner_begins_meanwhile_goes_on(tmp_path: Path, ray: RayHere, twin: Measured) -> None:
    folder = tmp_path / "runs" / "quick"
    driver = on_ray(write_study(tmp_path, STEPS), ray)
    wait_for(lambda: is_started(f"--runs-root={folder}", "--run-id=k1-s0"), "a learner that is to begin k1-s0")
    (folder / "k1-s0").mkdir()
    out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    assert "k1-s0 at 0 env steps: --run-id k1-s0 names a run that exists; give another; it goes on" in out
    assert measured(folder) == twin and each_row_once(folder)


def is_started(*arguments: str) -> bool:
    """Return whether there is a process with these arguments."""
    return any({*arguments} <= {*(each.info["cmdline"] or ())} for each in psutil.process_iter(["cmdline"]))


def test_a_search_that_was_killed_goes_on_and_leaves_a_study_of_its_best(tmp_path: Path, ray: RayHere) -> None:
    pytest.importorskip("ray.tune", reason="Ray Tune is not installed")
    pytest.importorskip("optuna")
    file = tmp_path / "quick.toml"
    file.write_text(SEARCH)
    folder = tmp_path / "runs" / "quick"
    driver = on_ray(file, ray)
    wait_for(lambda: len(list(folder.glob("*/status.json"))) >= 4, "two samples")
    wait_for(lambda: any(json.loads(each.read_text())["env_steps"] > 300 for each in folder.glob("*/status.json")), "…")
    driver.kill()
    driver.communicate(timeout=60)
    again = on_ray(file, ray)
    out, err = again.communicate(timeout=280)
    assert again.returncode == 0, err
    assert "6 samples, the best first" in out and f"{folder / 'best.toml'}: the best sample" in out
    assert all(rows_are_whole(each.parent) for each in folder.glob("*/metrics.jsonl"))
    steps = [json.loads(each.read_text())["env_steps"] for each in folder.glob("*/status.json")]
    assert max(steps) == 900 and min(steps) < 900
    assert "given up" in plan_of(file) and "8 seeds = 8 runs" in plan_of(folder / "best.toml")


def plan_of(file: Path) -> str:
    command = [sys.executable, "-m", "mbpo.study", str(file), "--plan"]
    return subprocess.run(
        command, cwd=file.parent, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


SEARCH = """
name = "quick"
seeds = "0:2"
[base]
preset = "debug"
total_steps = 900
checkpoint_every = 50
eval_every = 100
report = false
[search]
samples = 6
reduction = 2
grace_steps = 200
[search.space]
actor_lr = {low = 1e-4, high = 1e-2, log = true}
rollout_length = [1, 3]
"""
