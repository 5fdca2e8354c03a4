"""Break studies of 24 runs at random moments: no run is lost, no row is there twice, each ends as its undisturbed twin.

``make cluster`` breaks five times in each way, ``make cluster-faults`` twenty times. CLUSTER_SEED draws other moments.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from breaking import Break, OnRay, OnSlurm, drive_on, fill_disk, kill_learner, small_disk
from learners import environment, wait_for
from quick_study import timed
from ray_here import RayHere
from slurm_here import SlurmHere

from mbpo.runs.kept_rows import read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from mbpo.studies.study_file import read_study

EACH = int(os.environ.get("MBPO_CLUSTER", "0"))
SEED = int(os.environ.get("CLUSTER_SEED") or time.time())
BETWEEN_S = (0.5, 4.0)  # two faults
MOST_STARTS = 40  # of the driver in one study, beside those that we killed
pytestmark = pytest.mark.skipif(not EACH, reason="takes minutes: make cluster")

STUDY = """
name = "broken"
seeds = "{seeds}"
[base]
preset = "debug"
total_steps = {steps}
checkpoint_every = 100
eval_every = 200
report = false
[axes]
rollout_length = {lengths}
"""
Measured = Mapping[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Measured]:
    """Return what a study's runs come to one by one; two at once are no other."""
    known: dict[str, Measured] = {}

    def of(file: Path) -> Measured:
        if file.read_text() not in known:
            folder, study = tmp_path_factory.mktemp("twin"), read_study(file)
            commands = [
                [sys.executable, "-m", "mbpo.train", *run.flags, f"--runs-root={folder}", f"--run-id={run.run_id}"]
                for run in study.runs
            ]
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(quietly, commands))
            known[file.read_text()] = measured(file, folder)
        return known[file.read_text()]

    return of


def quietly(command: list[str]) -> None:
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)


def measured(file: Path, folder: Path) -> Measured:
    """Return the rows that count of every run, without clocks; each stands once."""
    found = {}
    for run in read_study(file).runs:
        rows = list(read_kept(RunPaths(folder / run.run_id).metrics)[0])
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)), run.run_id
        found[run.run_id] = [{k: v for k, v in row.items() if k != "attempt" and not timed(k)} for row in rows]
    return found


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRay]:
    with RayHere(tmp_path_factory.mktemp("ray")) as cluster:
        yield OnRay(cluster)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmHere]:
    with SlurmHere(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 600) as found:
        yield found


def write(folder: Path, lengths: str, seeds: str, steps: int) -> Path:
    file = folder / "broken.toml"
    file.write_text(STUDY.format(seeds=seeds, steps=steps, lengths=lengths))
    return file


class Campaign:
    """Run studies one after the other until everything was broken as often as it is to be."""

    def __init__(self, engine: OnRay | OnSlurm, folder: Path) -> None:
        self.rng = Random(SEED)
        self.engine, self.folder = engine, folder
        self.breaks: dict[str, Break] = {"learner": kill_learner, "disk": fill_disk, **engine.breaks}
        self.left = Counter({**dict.fromkeys(self.breaks, EACH), "driver": EACH})
        self.starts = 0

    def study(self, file: Path, root: Path) -> None:
        """Have one study done, and break it meanwhile."""
        log = self.folder / "driver.txt"
        starts, driver = 1, drive_on(self.engine, file, root, log)
        while driver.poll() != 0:
            if driver.poll() is not None:
                starts += 1
                assert starts < MOST_STARTS, log.read_text()[-4000:]
                driver = drive_on(self.engine, file, root, log)
            time.sleep(self.rng.uniform(*BETWEEN_S))
            if driver.poll() is None and (kinds := sorted(+self.left)):
                self._break(self.rng.choice(kinds), root, driver)
        self.starts += starts

    def _break(self, kind: str, root: Path, driver: subprocess.Popen[bytes]) -> None:
        if kind == "driver":
            driver.kill()
            driver.wait()
        elif not root.exists() or not self.breaks[kind](root / "broken", self.rng):
            return
        self.left[kind] -= 1


def test_a_study_on_ray_outlives_every_fault(
    on_ray: OnRay, disk: Path, tmp_path: Path, twins: Callable[[Path], Measured]
) -> None:
    outlives(on_ray, disk, tmp_path, twins)


def test_a_study_on_slurm_outlives_every_fault(
    slurm: SlurmHere, disk: Path, tmp_path: Path, twins: Callable[[Path], Measured]
) -> None:
    outlives(OnSlurm(slurm), disk, tmp_path, twins)


def outlives(engine: OnRay | OnSlurm, disk: Path, folder: Path, twins: Callable[[Path], Measured]) -> None:
    file, campaign, studies = write(folder, "[1, 2, 3]", "0:8", 800), Campaign(engine, folder), 0
    expected = twins(file)
    began = time.monotonic()
    while +campaign.left or not studies:
        root = disk / f"runs{studies}"
        campaign.study(file, root)
        assert measured(file, root / "broken") == expected
        studies += 1
    kinds = ", ".join(sorted(campaign.left))
    seconds = time.monotonic() - began
    print(
        f"{engine.name}: {EACH} times each of {kinds} (CLUSTER_SEED={SEED}): {24 * studies} of {24 * studies} runs as "
        f"their twins, no row twice; {campaign.starts} drivers, {seconds:.0f} s"
    )


def test_runs_that_meet_their_time_limit_end_as_their_twins(
    slurm: SlurmHere, tmp_path: Path, twins: Callable[[Path], Measured]
) -> None:
    """Slurm looks at limits every 30 s: longer runs, of which it ends all that are at work each time."""
    file, limits, studies = write(tmp_path, "[1, 2]", "0:2", 5500), 0, 0
    while limits < EACH:
        root = tmp_path / f"runs{studies}"
        limits += limited(file, root, slurm, EACH - limits)
        assert measured(file, root / "broken") == twins(file)
        studies += 1
    print(f"slurm: {limits} time limits: {4 * studies} of {4 * studies} runs as their twins")


def limited(file: Path, root: Path, slurm: SlurmHere, most: int) -> int:
    """Have a study done, and let up to so many of its tasks meet their limit; return how many did."""
    engine, log = OnSlurm(slurm), root.parent / "driver.txt"
    driver = drive_on(engine, file, root, log)
    met, runs = 0, [RunPaths(root / "broken" / run.run_id) for run in read_study(file).runs]

    def attempts() -> int:
        return sum(status.attempt for status in map(read_status, runs) if status is not None)

    while driver.poll() is None and met < most:
        before = attempts()
        limit(slurm, "RUNNING", 1)
        wait_for(lambda before=before: attempts() > before or driver.poll() is not None, "a requeue")
        limit(slurm, "PENDING RUNNING", "UNLIMITED")
        met = attempts() - sum(status is not None for status in map(read_status, runs))
    assert driver.wait(600) == 0, log.read_text()[-2000:]
    return met


def limit(slurm: SlurmHere, states: str, minutes: int | str) -> None:
    """Set the time limit of the tasks that are in one of these states."""
    for job, state in slurm.states().items():
        if "_" in job and state in states.split():
            with suppress(subprocess.CalledProcessError):  # it ended meanwhile
                slurm.run("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")
