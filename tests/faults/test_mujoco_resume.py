"""Cut runs on MuJoCo's tasks off in mid-episode; their next episodes are those of the twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from figures import figure
from learners import DEBUG, rows
from test_resume import Cut, compared, events, final_parts, forget_process

from mbpo import train
from mbpo.runs.layout import RunPaths

ENVIRONMENTS = ("Hopper-v5", "mbpo/AntTruncated-v5", "HalfCheetah-v5", "Pendulum-v1")
CUTS = (700, 1030, 2120, 2270)  # in warm-up, after the episode's end at 1,000, while it learns
FLAGS = (
    *DEBUG,
    "--total-steps",
    "2300",
    "--warmup-steps",
    "2100",
    "--checkpoint-every",
    "300",
    "--eval-every",
    "2200",
    "--eval-episodes",
    "1",
    "--log-every",
    "10",
)


def go(arguments: tuple[str, ...], cut_at: int | None = None) -> None:
    """Train until the end, or be gone in the interval that ends at ``cut_at``."""
    whole = train.Training.log_interval

    def cut(self: train.Training, env_steps: int, settings: Mapping[str, Any]) -> None:
        if env_steps == cut_at:
            self.store.settle()
            raise Cut
        whole(self, env_steps, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Training, "log_interval", cut)
        if cut_at is None:
            assert train.main(arguments) == 0
            return
        with pytest.raises(Cut):
            train.main(arguments)


@pytest.mark.promise("resumes on 4 tasks, 4 cuts each, bit-exact")
@pytest.mark.parametrize("seed", range(figure(1, 3)))
@pytest.mark.parametrize("env_id", ENVIRONMENTS[: figure(1, 4)])
def test_a_run_that_is_cut_off_ends_as_its_twin(env_id: str, seed: int, tmp_path: Path) -> None:
    flags = (*FLAGS, "--env-id", env_id, "--seed", str(seed), "--runs-root", str(tmp_path))
    go((*flags, "--run-id", "twin"))
    twin, run = RunPaths(tmp_path / "twin"), RunPaths(tmp_path / "run")
    arguments: tuple[str, ...] = (*flags, "--run-id", "run")
    for cut_at in CUTS:
        go(arguments, cut_at)
        forget_process(run)
        arguments = ("--resume", str(run.root))
    go(arguments)
    assert compared(run) == compared(twin)
    assert sum("episode/index" in row for row in rows(run.metrics)) >= 2
    for (_, part), (_, other) in zip(final_parts(run), final_parts(twin), strict=True):
        for key, tensor in part.items():
            assert tensor.equal(other[key]) or tensor.isnan().any(), key
    assert not events(run, "warning")
