"""Break what runs a study, in every way that an engine knows: learners, drivers, disks, nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import psutil
from learners import environment
from ray_here import RayHere, children
from slurm_here import NODES, SlurmHere

from mbpo.runs.reader import list_runs
from mbpo.runs.status import RunStatus

Break = Callable[[Path, Random], bool]  # of the runs below a folder; returns whether there was anything to break
FULL_S = (1.0, 4.0)  # for how long a disk is full


class OnRay:
    """Break a Ray cluster; its head stays, as nothing goes on without it."""

    name = "ray"

    def __init__(self, cluster: RayHere) -> None:
        self._cluster = cluster
        self._nodes = [1]  # beside the head

    @property
    def env(self) -> Mapping[str, str]:
        """Return the environment of a driver."""
        return {**self._cluster.environment, "PYTHONPATH": environment()["PYTHONPATH"]}

    @property
    def breaks(self) -> dict[str, Break]:
        """Return what can be broken besides learners, drivers and disks."""
        return {"worker": self._kill_worker, "node": self._kill_node}

    def _kill_worker(self, folder: Path, rng: Random) -> bool:
        busy = [worker for node in (0, *self._nodes) for worker in self._cluster.workers(node) if children(worker)]
        if busy:
            with suppress(psutil.NoSuchProcess):
                rng.choice(busy).kill()
        return bool(busy)

    def _kill_node(self, folder: Path, rng: Random) -> bool:
        node = rng.choice(self._nodes)
        learners = [child for worker in self._cluster.workers(node) for child in children(worker, recursive=True)]
        self._cluster.kill_node(node)
        if rng.random() < 0.5:  # as when the power goes; else the learners find out and save
            for learner in learners:
                with suppress(psutil.NoSuchProcess):
                    learner.kill()
        self._nodes[self._nodes.index(node)] = self._cluster.add_node()
        return bool(learners)


class OnSlurm:
    """Break a Slurm cluster."""

    name = "slurm"

    def __init__(self, cluster: SlurmHere) -> None:
        self._cluster = cluster

    @property
    def env(self) -> Mapping[str, str]:
        """Return the environment of a driver."""
        return {**self._cluster.env(), "PYTHONPATH": environment()["PYTHONPATH"]}

    @property
    def breaks(self) -> dict[str, Break]:
        """Return what can be broken besides learners, drivers and disks."""
        return {"requeue": self._requeue, "preemption": self._preempt, "node": self._kill_node}

    def running(self) -> list[str]:
        """Return the tasks at work."""
        return [job for job, state in self._cluster.states().items() if state == "RUNNING" and "_" in job]

    def _requeue(self, folder: Path, rng: Random) -> bool:
        if found := self.running():
            with suppress(subprocess.CalledProcessError):  # it ended meanwhile
                self._cluster.run("scontrol", "requeue", rng.choice(found))
        return bool(found)

    def _preempt(self, folder: Path, rng: Random) -> bool:
        found = self.running()
        size = ("--nodes=1", f"--ntasks-per-node={rng.choice((1, 2))}", "--output=/dev/null", "--wrap=sleep 1")
        self._cluster.sbatch("--partition=high", *size)
        return bool(found)

    def _kill_node(self, folder: Path, rng: Random) -> bool:
        found, node = self.running(), rng.choice(NODES)
        self._cluster.kill_node(node)
        time.sleep(rng.uniform(0.0, 3.0))
        self._cluster.start_node(node)
        return bool(found)


def kill_learner(folder: Path, rng: Random) -> bool:
    """Kill a learner that is at work below a folder."""
    found = [status for _, status in list_runs(folder) if status.live]
    if found:
        _kill(rng.choice(found))
    return bool(found)


def _kill(status: RunStatus) -> None:
    with suppress(ProcessLookupError):
        os.kill(status.pid, signal.SIGKILL)


def fill_disk(folder: Path, rng: Random) -> bool:
    """Let the disk of a folder be full for a while; it must be a small one."""
    at_work = any(status.live for _, status in list_runs(folder))
    filler = folder.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))
    time.sleep(rng.uniform(*FULL_S))
    filler.unlink()
    return at_work


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small file system of its own, which only root can."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def drive_on(engine: OnRay | OnSlurm, file: Path, root: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the study's command, in a session of its own."""
    command = [sys.executable, "-m", "mbpo.study", str(file), "--on", engine.name, "--runs-root", str(root)]
    with log.open("ab") as out:
        return subprocess.Popen(command, env=dict(engine.env), stdout=out, stderr=out, start_new_session=True)
