"""Hardware and licensed simulators: never a second object, and an evaluation waits for an episode's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import pytest
from learners import Outcome
from tiny_runs import Run, Train
from toy_envs import Toy

from mbpo import check_env, evaluate


class Robot(Toy):
    """Refuse to be there twice; note what is done to it."""

    open_now = 0
    most = 0
    seeds: list[int | None]
    lengths: list[int]

    def __init__(self) -> None:
        super().__init__()
        if Robot.open_now:
            raise RuntimeError("the port is taken")
        Robot.open_now += 1
        Robot.most += 1
        self.closed = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        found = super().reset(seed=seed)
        Robot.seeds.append(seed)
        Robot.lengths.append(0)
        return found

    def step(self, action: Any) -> Any:
        Robot.lengths[-1] += 1
        return super().step(action)

    def close(self) -> None:
        if not self.closed:
            Robot.open_now -= 1
        self.closed = True


gymnasium.register("Robot-v0", Robot, max_episode_steps=25)
ALONE = ("--one-instance", "--eval-episodes", 2)


@pytest.fixture(autouse=True)
def new() -> Iterator[None]:
    Robot.open_now = Robot.most = 0
    Robot.seeds, Robot.lengths = [], []
    yield


def test_there_is_never_a_second_one_and_it_is_closed(train_on: Train, call: Callable[..., Outcome]) -> None:
    run = train_on("Robot-v0", *ALONE)
    assert run.outcome.code == 0
    assert (Robot.most, Robot.open_now) == (1, 0)
    assert call(evaluate.main, run.paths.root, "--episodes", 3).code == 0
    assert Robot.open_now == 0
    checked = call(check_env.main, "Robot-v0", "--one-instance", "--steps", 100)
    assert (checked.code, checked.err, Robot.open_now) == (0, "", 0)


def test_without_the_setting_it_is_refused_in_one_line(train_on: Train) -> None:
    run = train_on("Robot-v0")
    assert run.outcome.code == 3
    assert "Robot-v0 cannot be made: RuntimeError: the port is taken" in run.outcome.error


def test_an_evaluation_waits_for_the_episodes_end_and_training_begins_again(train_on: Train) -> None:
    run = train_on("Robot-v0", *ALONE, "--eval-every", 60)
    ends = [row["env_steps"] for row in run.metrics("episode")]
    assert ends == [25, 50, 75, 100]
    assert [row["env_steps"] for row in run.metrics("evaluation")] == [75, 120]  # due at 60 and, at the end, at once
    # Three training episodes; at the end of the third the next one is begun, put off by two of the evaluation, begun
    # again; at the end two of the evaluation, and the last episode begun again.
    training, evaluation = Robot.seeds[:4], Robot.seeds[4:6]
    assert Robot.seeds == [*training, *evaluation, training[3], Robot.seeds[7], *evaluation, Robot.seeds[7]]
    assert Robot.lengths == [25, 25, 25, 0, 25, 25, 25, 20, 25, 25, 0]
    assert len({*training, *evaluation, Robot.seeds[7]}) == 7


def test_a_resume_goes_on_in_a_new_episode_and_says_so(
    train_on: Train, resume: Callable[[Run], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_repeats import killed

    with monkeypatch.context() as patch:
        killed(patch, 71)
        run = train_on("Robot-v0", *ALONE, "--checkpoint-every", 70)
    assert any("on one instance a resume goes on in a new episode" in text for text in run.warnings)
    assert Robot.open_now == 0
    before = len(Robot.seeds)
    again = resume(run)
    assert again.outcome.code == 0
    (resumed,) = again.events("resumed")
    assert (resumed["exact"], resumed["why"]) == (False, "the episode under way is not played again on one instance")
    assert [row["env_steps"] for row in again.metrics("episode")] == [25, 50, 95, 120]
    assert [row["env_steps"] for row in again.metrics("evaluation")] == [70, 120]  # what was due at 60 is not forgotten
    assert 25 not in Robot.lengths[before : before + 1]  # and the lost episode's actions were not sent again


def test_where_no_episode_ends_the_evaluations_that_were_due_come_at_the_end(train_on: Train) -> None:
    run = train_on("Robot-v0", *ALONE, "--time-limit", 1000)
    assert run.outcome.code == 0
    gymnasium.register("Robot-v9", Robot)
    Robot.most = 0
    endless = train_on("Robot-v9", "--one-instance", "--time-limit", 1000, run_id="endless")
    assert [row["env_steps"] for row in endless.metrics("evaluation")] == [120]
    del gymnasium.registry["Robot-v9"]
