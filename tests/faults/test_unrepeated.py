"""A run on an environment that does not repeat says so before, and its resume is never called exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from learners import Outcome, killed_run, rows

from mbpo import train
from mbpo.runs.records.manifest import read_manifest

OFTEN = ("--env-id", "toy_envs:Tiring-v0", "--total-steps", "400", "--checkpoint-every", "100", "--log-every", "10")


@pytest.mark.parametrize("fresh", [False, True])
def test_a_resume_is_exact_where_each_episode_has_an_environment_of_its_own(
    call: Callable[..., Outcome], tmp_path: Path, fresh: bool
) -> None:
    # 100 steps an episode: the checkpoint at 200 stands between two episodes
    run = killed_run(tmp_path, 250, *OFTEN, "--fresh-env", str(fresh).lower())
    said = [row["reason"] for row in rows(run.events) if row["event"] == "warning"]
    assert any("the environment does not repeat" in text for text in said) != fresh

    outcome = call(train.main, "--resume", run.root)
    assert outcome.code == 0
    (resumed,) = (row for row in rows(run.events) if row["event"] == "resumed")
    assert resumed["exact"] == fresh
    why = read_manifest(run.manifest).unrepeated
    assert (why == "") == fresh and resumed.get("why", "") == why
    assert ("perhaps not exact" in outcome.out) != fresh
