"""Steps that mean nothing cost their row and their episode; many of them end the run, and a resume gets past."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from tiny_runs import Run, Train
from toy_envs import Toy

from mbpo.envs.left_out import MOST, WINDOW, LeftOut
from mbpo.errors import EnvironmentFault
from mbpo.saving.store import CheckpointStore

Resume = Callable[[Run], Run]
WHY = "the reward was not finite in float32: nan"


class Glitch(Toy):
    """Give a reward that is no number at the steps of all its episodes that are listed, in the object that trains."""

    made = 0

    def __init__(self, bad: list[int], of_obs: bool = False, evaluating: bool = False) -> None:
        super().__init__()
        Glitch.made += 1
        self.bad, self.of_obs = {*bad} if evaluating or Glitch.made == 1 else set(), of_obs
        self.count = 0

    def step(self, action: Any) -> Any:
        self.count += 1
        obs, reward, *others = super().step(action)
        if self.count in self.bad:
            return (np.full(2, np.inf, np.float32), reward, *others) if self.of_obs else (obs, math.nan, *others)
        return (obs, reward, *others)


gymnasium.register("Glitch-v0", Glitch, max_episode_steps=30)


@pytest.fixture(autouse=True)
def new() -> Iterator[None]:
    Glitch.made = 0
    yield


def bad(*steps: int) -> list[str]:
    return ["--env-kwargs", f"bad={list(steps)}"]


def test_each_costs_its_row_and_its_episode_and_the_1st_2nd_4th_are_told(train_on: Train) -> None:
    steps = (3, 10, 50, 55, 90, 91)
    run = train_on("Glitch-v0", *bad(*steps))
    assert run.outcome.code == 0
    lost = [text for text in run.warnings if "not finite" in text]
    said = f"{WHY}: the step was left out and the episode ended"
    assert lost == [said, f"{said} (2 so far)", f"{said} (4 so far)"]
    ends = [0, *(row["env_steps"] for row in run.metrics("episode"))]
    assert {*steps} <= {*ends}
    assert [row["episode/length"] for row in run.metrics("episode")] == np.diff(ends).tolist()
    saved, _ = CheckpointStore(run.paths.checkpoints).load_newest()
    assert saved is not None
    assert len(saved.parts["real"]["rows"]) == 120 - len(steps)
    assert saved.parts["real"]["rows"].isfinite().all()
    assert saved.loop["left_out"] == {"total": 6, "recent": list(steps), "why": WHY}


def test_an_observation_that_is_not_finite_is_named_by_its_places(train_on: Train) -> None:
    run = train_on("Glitch-v0", *bad(20), "of_obs=true")
    assert run.outcome.code == 0
    assert any("the observation was not finite in float32: [0, 1]: the step was left out" in w for w in run.warnings)


def test_more_than_one_in_a_hundred_ends_the_run_and_a_resume_gets_past(train_on: Train, resume: Resume) -> None:
    run = train_on("Glitch-v0", *bad(*range(65, 76), 5, 6, 7))
    assert run.outcome.code == 3
    assert run.outcome.error == (
        f"error: Glitch-v0: 11 of the last 1,000 steps were left out, more than 1 %; the last as {WHY}"
    )
    assert (run.status.state, run.status.env_steps, run.saved_at) == ("failed", 72, 72)
    Glitch.made = 0
    again = resume(run)  # in which the 5th to 7th step are as bad
    assert again.outcome.code == 0, again.outcome.err
    assert (again.status.state, again.saved_at) == ("finished", 120)
    saved, _ = CheckpointStore(run.paths.checkpoints).load_newest()
    assert saved is not None
    assert saved.loop["left_out"]["total"] == 11 + 3


def test_ten_in_a_thousand_are_borne_and_the_eleventh_is_not() -> None:
    left_out = LeftOut("Own-v0")
    for at in range(0, 5 * WINDOW, WINDOW // MOST):
        left_out.take_in(at, "why")
        left_out.check()
    left_out.take_in(at + 1, "the last reason")
    with pytest.raises(EnvironmentFault, match=r"11 of the last 1,000 steps were left out.*as the last reason"):
        left_out.check()
    left_out.check()  # counting begins anew


def test_what_is_told_comes_at_powers_of_two_and_is_not_told_again_after_a_resume() -> None:
    first, second = LeftOut("Own-v0"), LeftOut("Own-v0")
    told = [at for at in range(1, 21) if first.take_in(1000 * at, "why")]
    assert told == [1, 2, 4, 8, 16]
    second.load_state_dict(first.state_dict())
    assert [at for at in range(21, 40) if second.take_in(1000 * at, "why")] == [32]
    assert LeftOut("Own-v0").state_dict() == {}


def test_in_an_evaluation_such_a_step_ends_its_episode(train_on: Train) -> None:
    run = train_on("Glitch-v0", *bad(7), "evaluating=true", "--eval-every", 40)
    assert run.outcome.code == 0
    assert [row["eval/length_mean"] for row in run.metrics("evaluation")] == [7.0, 30.0, 30.0]
    assert all(math.isfinite(row["eval/return_mean"]) for row in run.metrics("evaluation"))
