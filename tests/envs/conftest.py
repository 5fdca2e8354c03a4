"""Train on an environment in this process, and go on with the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from learners import DEBUG, Outcome
from tiny_runs import TINY, Run, Train

from mbpo import train
from mbpo.runs.layout import RunPaths


@pytest.fixture
def train_on(call: Callable[..., Outcome], tmp_path: Path) -> Train:
    """Train a tiny learner on an environment."""

    def run(env_id: str, *flags: object, run_id: str = "run") -> Run:
        where = ("--runs-root", tmp_path / "runs", "--run-id", run_id)
        outcome = call(train.main, *DEBUG, *TINY, "--env-id", env_id, *where, *flags)
        return Run(outcome, RunPaths(tmp_path / "runs" / run_id))

    return run


@pytest.fixture
def resume(call: Callable[..., Outcome]) -> Callable[[Run], Run]:
    """Go on with a run."""
    return lambda run: Run(call(train.main, "--resume", run.paths.root), run.paths)
