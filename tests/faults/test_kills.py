"""Kill learners at random moments: no row that was written is lost, and the run ends as it would.

A chain is one run, killed and resumed again and again, then left to end.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from figures import Promise, figure
from learners import DEBUG, PATIENCE_S, environment, rows, wait_for

from mbpo import train
from mbpo.runs.hashes import verify_checkpoint
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.reader import JsonLines, RunReader
from mbpo.runs.status import read_status
from mbpo.saving.store import CheckpointStore

CHAINS = figure(fast=1, full=10)
KILLS = figure(fast=4, full=20)  # of a chain
TOTAL_STEPS = figure(fast=1010, full=3010)
LONGEST_LIFE_S = 0.8  # of an attempt that is killed, from its first sign of life
FLAGS = (
    *DEBUG,
    "--total-steps",
    str(TOTAL_STEPS),
    "--checkpoint-every",
    "70",
    "--eval-every",
    "250",
    "--log-every",
    "10",
    "--model-train-freq",
    "100",
)


class Chain:
    """Start, kill and resume one run, and hold what it acknowledged."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir()
        self._random = random.Random(seed)
        self._folder, self._acknowledged = folder, folder / "acknowledged"
        self._acknowledged.write_bytes(bytes(8))
        self.paths = RunPaths(folder / "run")
        self._seen, self._env_steps = JsonLines(self.paths.metrics), 0
        self._first = (*FLAGS, "--seed", str(seed), "--runs-root", str(folder), "--run-id", "run")

    @property
    def acknowledged(self) -> int:
        """Return the number of the newest row whose write had returned."""
        found: int = struct.unpack("<q", self._acknowledged.read_bytes())[0]
        return found

    def start(self) -> subprocess.Popen[bytes]:
        """Start the run, or resume it where it has a manifest to be resumed by."""
        begun = self.paths.manifest.exists()
        arguments = ("--resume", str(self.paths.root)) if begun else self._first
        script = Path(__file__).with_name("acknowledging.py")
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, script, self._acknowledged, *arguments],
                env=environment(),
                stdout=output,
                stderr=output,
            )

    def start_and_kill(self, most_steps: float) -> None:
        """Let an attempt live for a random time, but not past ``most_steps``."""
        learner = self.start()
        try:
            wait_for(lambda: self._alive(learner), f"the start of {learner.args!r}")
            end = time.monotonic() + self._random.uniform(0, LONGEST_LIFE_S)
            while time.monotonic() < end and self.env_steps < most_steps:
                time.sleep(0.001)
        finally:
            learner.kill()
            learner.wait()

    def _alive(self, learner: subprocess.Popen[bytes]) -> bool:
        assert learner.poll() is None, (self._folder / "output").read_text()
        status = read_status(self.paths)
        return status is not None and status.pid == learner.pid and self.paths.manifest.exists()

    @property
    def env_steps(self) -> int:
        """Return how far the run has come."""
        for row in self._seen.poll():
            self._env_steps = row["env_steps"]
        return self._env_steps

    def lost(self) -> list[int]:
        """Return the acknowledged rows that are not in the file."""
        there = {row["seq"] for row in rows(self.paths.metrics)}
        return [seq for seq in range(1, self.acknowledged + 1) if seq not in there]

    def readable(self) -> None:
        """Read all that a reader reads, and a checkpoint, if any."""
        status = read_status(self.paths)
        assert status is not None
        assert status.derived_state() == "lost"
        assert rows(self.paths.events)[0]["event"] == "started"
        reader = RunReader(self.paths.root)
        while reader.poll():
            pass
        assert reader.bad_lines == 0
        store = CheckpointStore(self.paths.checkpoints)
        saved, wrong = store.load_newest()
        store.close()
        assert wrong == []
        assert saved is not None or not list(self.paths.checkpoints.glob("step-*"))


def compared(paths: RunPaths) -> list[dict[str, Any]]:
    """Return the rows of metrics without wall time; those written twice must be the same."""
    skipped = MACHINE_KEYS | {"attempt"}
    return [{k: v for k, v in row.items() if k not in skipped} for row in rows(paths.metrics)]


def hashes(paths: RunPaths) -> dict[str, str]:
    """Return the hash of every file of the final checkpoint whose bytes must not differ."""
    index = json.loads((paths.checkpoints / "index.json").read_text())
    hashed: dict[str, str] = verify_checkpoint(paths.checkpoints / index["final"])["sha256"]
    return {name: value for name, value in hashed.items() if name != "loop.json"}  # it has seconds


@pytest.mark.promise("chains of SIGKILLs that end as their twin")
@pytest.mark.parametrize("seed", range(CHAINS))
def test_a_chain_of_kills_loses_no_row_and_ends_as_its_twin(seed: int, tmp_path: Path, promise: Promise) -> None:
    chain = Chain(tmp_path / "killed", seed)
    rows_told, unreadable = "rows acknowledged before a SIGKILL", "SIGKILLs: 0 unreadable"
    with promise.tries(rows_told) as told, promise.tries(unreadable) as kills:
        for kill in range(1, KILLS + 1):
            with kills.one():
                chain.start_and_kill(most_steps=TOTAL_STEPS * kill / (KILLS + 2))  # far from its end
                told.of += chain.acknowledged
                told.held += chain.acknowledged - len(chain.lost())
                chain.readable()
    last = chain.start()
    try:
        assert last.wait(10 * PATIENCE_S) == 0, (tmp_path / "killed" / "output").read_text()
    finally:
        last.kill()
    twin = RunPaths(tmp_path / "twin")
    flags = (*FLAGS, "--seed", str(seed), "--runs-root", str(tmp_path), "--run-id", "twin")
    assert train.main(flags) == 0
    assert compared(chain.paths) == compared(twin)
    assert hashes(chain.paths) == hashes(twin)
    unverified = [row for row in rows(chain.paths.events) if row["event"] == "warning"]
    assert unverified == []
