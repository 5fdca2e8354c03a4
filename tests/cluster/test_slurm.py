"""Run studies on a real Slurm of two nodes on this machine: requeued, preempted, killed, and no row is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from learners import environment, wait_for
from quick_study import RUNS, each_row_once, measured, of_no_environment, one_by_one, reached, statuses, write_study
from slurm_here import SlurmHere, is_installed

from mbpo.errors import ConfigError, StorageError
from mbpo.studies.engine import Place
from mbpo.studies.sbatch_options import sbatch_options
from mbpo.studies.slurm import Slurm
from mbpo.studies.study_file import read_study

pytestmark = pytest.mark.skipif(not is_installed(), reason="slurmctld, slurmd and munged are not installed")
STEPS = 1000
Measured = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmHere]:
    with SlurmHere(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("twin")
    return one_by_one(write_study(folder, STEPS), folder / "runs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a study of this folder's name, so that its jobs are told apart."""
    found = write_study(tmp_path, STEPS)
    found.write_text(found.read_text() + '[slurm]\npartition = "low"\n')
    return found


def on_slurm(file: Path, slurm: SlurmHere) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mbpo.study", file.name, "--on", "slurm"]
    env, pipe = {**environment(), **slurm.env(), "PYTHONPATH": environment()["PYTHONPATH"]}, subprocess.PIPE
    return subprocess.Popen(command, cwd=file.parent, env=env, text=True, stdout=pipe, stderr=pipe)


def job_of(folder: Path) -> str:
    """Return the id of the study's array."""
    found = wait_for(lambda: list((folder / ".study" / "slurm").glob("*.runs")), "a job")
    return str(found[0].stem)


def test_runs_that_are_requeued_and_preempted_end_as_their_undisturbed_twins(
    file: Path, slurm: SlurmHere, twin: Measured
) -> None:
    folder = file.parent / "runs" / "quick"
    driver = on_slurm(file, slurm)
    job = job_of(folder)
    wait_for(reached(folder, "k1-s0", 200), "env step 200")
    slurm.run("scontrol", "requeue", f"{job}_0")
    wait_for(reached(folder, "k3-s0", 500), "env step 500")
    first = slurm.sbatch("--partition=high", "--nodes=2", "--ntasks-per-node=2", "--output=/dev/null", "--wrap=sleep 1")
    out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    assert slurm.states()[first] == "COMPLETED"
    assert f"job {job}: squeue --me shows it" in out and "P(X > Y)" in out
    attempts = {name: status.attempt for name, status in statuses(folder).items() if status is not None}
    assert attempts["k1-s0"] >= 2 and sum(attempts.values()) > 5
    assert measured(folder) == twin and each_row_once(folder)


def test_a_learner_that_is_killed_goes_on_when_the_study_is_run_again(
    file: Path, slurm: SlurmHere, twin: Measured
) -> None:
    folder = file.parent / "runs" / "quick"
    driver = on_slurm(file, slurm)
    wait_for(reached(folder, "k1-s1", 200), "env step 200")
    status = statuses(folder)["k1-s1"]
    assert status is not None
    subprocess.run(["kill", "-KILL", str(status.pid)], check=True)
    _, err = driver.communicate(timeout=280)
    assert driver.returncode != 0 and "k1-s1 cut off at" in err
    again = on_slurm(file, slurm)
    out, err = again.communicate(timeout=280)
    assert again.returncode == 0, err
    assert "1 to go on, 3 finished" in out
    assert measured(folder) == twin and each_row_once(folder)


def test_a_run_that_cannot_begin_has_its_reason(file: Path, slurm: SlurmHere) -> None:
    said = of_no_environment(file)
    driver = on_slurm(file, slurm)
    _, err = driver.communicate(timeout=280)
    assert driver.returncode == 1 and said in err


def test_what_waits_is_not_submitted_again(file: Path, slurm: SlurmHere, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in slurm.env().items():
        monkeypatch.setenv(name, value)
    file.write_text(file.read_text() + "hold = true\n")
    engine = Slurm(Place(file.parent / "runs", read_study(file)))
    engine.submit(read_study(file).runs)
    job = job_of(file.parent / "runs" / "quick")
    try:
        assert {*engine.holding()} == {*RUNS}
        assert engine.submit(read_study(file).runs) == "Slurm has them: squeue --me shows them"
    finally:
        slurm.run("scancel", job)
    deadline = time.monotonic() + 30
    while engine.holding():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_slurm_refuses_is_one_line(file: Path, slurm: SlurmHere, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in slurm.env().items():
        monkeypatch.setenv(name, value)
    file.write_text(file.read_text().replace('"low"', '"none"'))
    with pytest.raises(StorageError, match=r"^sbatch: .*Invalid partition"):
        Slurm(Place(file.parent / "runs", read_study(file))).submit(read_study(file).runs)


@pytest.mark.parametrize(
    "options", [{"array": "0-3"}, {"Mem": 3}, {"mem": 1.5}, {"mem": False}, {"mem": "4G\n#SBATCH --x"}, {"a b": 1}]
)
def test_options_that_are_none_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^\[slurm\]"):
        sbatch_options(options)
