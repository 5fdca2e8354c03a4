"""Why a run could not begin stands with the engine that tried, and the newest try counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from quick_study import write_study

from mbpo.runs.queue import Queue
from mbpo.studies.engine import Place
from mbpo.studies.folder import ray_log, slurm_folder
from mbpo.studies.local import LocalQueue
from mbpo.studies.ray_task import Learner
from mbpo.studies.study_file import read_study
from mbpo.studies.unbegun import LastErrors

RUNS = ("k1-s0", "k3-s0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "runs" / "quick"
    found.mkdir(parents=True)
    return found


def test_of_the_queue_it_is_what_the_runner_noted(folder: Path) -> None:
    study = read_study(write_study(folder.parent.parent))
    LocalQueue(Place(folder.parent, study)).order(study.runs)
    errors = LastErrors(folder, "local")
    assert errors.of(RUNS) == {}
    queue = Queue(folder.parent)
    queue.note("quick/k1-s0", "failed", "no such environment")
    queue.note("quick/k3-s1", "failed", "no such environment")
    assert errors.of(RUNS) == {"k1-s0": "no such environment"}
    queue.again("quick/k1-s0")
    assert errors.of(RUNS) == {}


def test_of_slurm_it_is_the_last_error_of_the_newest_task(folder: Path) -> None:
    slurm, errors = slurm_folder(folder), LastErrors(folder, "slurm")
    slurm.mkdir(parents=True)
    assert errors.of(RUNS) == {}
    (slurm / "9.runs").write_text("k1-s0\nk3-s0")
    (slurm / "9_0.txt").write_text(
        "a warning\nerror: no such environment\nsrun: error: task 0: Exited with exit code 3\n"
    )
    (slurm / "9_1.txt").write_text("k3-s0: 300/300 env steps\n")
    assert errors.of(RUNS) == {"k1-s0": "no such environment"}
    (slurm / "10.runs").write_text("k3-s0\nk1-s0")  # job 10 is newer than 9
    assert errors.of(RUNS) == {}
    (slurm / "10_1.txt").write_text("error: no such module\n")
    assert errors.of(RUNS) == {"k1-s0": "no such module"}
    assert errors.of(["k3-s0"]) == {}


def test_of_ray_it_is_the_last_error_of_the_learner_or_what_ray_did(folder: Path) -> None:
    errors, log = LastErrors(folder, "ray"), ray_log(folder, "k1-s0")
    assert errors.of(RUNS) == {}
    log.parent.mkdir(parents=True)
    log.write_text("error: no such environment\n")
    assert errors.of(RUNS) == {"k1-s0": "no such environment"}
    Learner(str(folder), "k3-s0", os.curdir, on_gpu=False).note("node7 has no /home/me/runs")
    assert errors.of(RUNS) == {"k1-s0": "no such environment", "k3-s0": "node7 has no /home/me/runs"}
