"""Whatever an environment raises, and wherever: one line, exit code 3, and what was learned is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import pytest
from learners import Outcome
from tiny_runs import Run, Train
from toy_envs import Toy

from mbpo import check_env, evaluate

Resume = Callable[[Run], Run]
RAISED: dict[str, Callable[[], BaseException]] = {
    "exit": lambda: SystemExit("licence expired"),
    "exit 0": lambda: SystemExit(0),
    "interrupt": KeyboardInterrupt,
    "error": lambda: ZeroDivisionError("contact\nlist"),
    "wordless": lambda: AssertionError(),
    "base": lambda: BaseException("lost"),
    "stop": lambda: StopIteration(),
    "disk": lambda: OSError(28, "No space left on device"),
    "memory": lambda: MemoryError(),
}


class Fragile(Toy):
    """Raise something at one place, at the so many-th call: the object that trains, or the one that evaluates."""

    made = 0
    mended = False

    def __init__(self, raises: str, place: str, at: int = 1, evaluating: bool = False) -> None:
        super().__init__()
        Fragile.made += 1
        self.number = Fragile.made
        self.raises, self.place, self.at, self.evaluating = raises, place, at, evaluating
        self.calls = {"make": 0, "reset": 0, "step": 0, "close": 0}
        self.call("make")

    def call(self, place: str) -> None:
        self.calls[place] += 1
        mine = self.number == (2 if self.evaluating else 1) or place in ("make", "close")
        if not Fragile.mended and mine and place == self.place and self.calls[place] == self.at:
            raise RAISED[self.raises]()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.call("reset")
        return super().reset(seed=seed)

    def step(self, action: Any) -> Any:
        self.call("step")
        return super().step(action)

    def close(self) -> None:
        self.call("close")


gymnasium.register("Fragile-v0", Fragile, max_episode_steps=20)


@pytest.fixture(autouse=True)
def new() -> Iterator[None]:
    Fragile.made, Fragile.mended = 0, False
    yield


def fragile(raises: str, place: str, at: int = 1, evaluating: bool = False) -> list[str]:
    parts = (f"raises={raises}", f"place={place}", f"at={at}", f"evaluating={str(evaluating).lower()}")
    return ["--env-kwargs", *parts]


@pytest.mark.parametrize(
    ("raises", "place", "at", "env_steps", "said"),
    [
        ("exit", "step", 70, 69, "Fragile-v0.step raised SystemExit: licence expired (gymnasium "),
        ("exit 0", "step", 90, 89, "Fragile-v0.step raised SystemExit: 0"),
        ("interrupt", "step", 45, 44, "Fragile-v0.step raised KeyboardInterrupt (gymnasium"),
        ("error", "reset", 5, 79, "Fragile-v0.reset raised ZeroDivisionError: contact (gymnasium"),
        ("interrupt", "reset", 4, 59, "Fragile-v0.reset raised KeyboardInterrupt"),
        ("stop", "step", 41, 40, "Fragile-v0.step raised StopIteration"),
        ("base", "reset", 6, 99, "Fragile-v0.reset raised BaseException: lost"),
        ("disk", "step", 101, 100, "Fragile-v0.step raised OSError: [Errno 28] No space left on device"),
    ],
)
def test_what_was_learned_is_saved_and_a_resume_goes_on_in_a_new_episode(
    raises: str, place: str, at: int, env_steps: int, said: str, train_on: Train, resume: Resume
) -> None:
    run = train_on("Fragile-v0", *fragile(raises, place, at))
    assert run.outcome.code == 3
    assert said in run.outcome.error
    assert (run.status.state, run.status.env_steps, run.saved_at) == ("failed", env_steps, env_steps)
    assert said in run.status.reason
    log = run.paths.log.read_text()
    assert "Traceback" in log and "in call\n" in log
    before = len(run.metrics("interval"))
    Fragile.mended = True
    again = resume(run)
    assert again.outcome.code == 0
    (resumed,) = again.events("resumed")
    assert (resumed["exact"], resumed["env_steps"]) == (False, env_steps)
    assert resumed["why"] == "the environment broke in the episode under way"
    assert len(again.metrics("interval")) == 6 > before
    assert (again.status.state, again.status.env_steps, again.saved_at) == ("finished", 120, 120)


def test_a_fault_in_an_evaluation_costs_nothing_and_the_resume_is_exact(train_on: Train, resume: Resume) -> None:
    twin = train_on("Fragile-v0", *fragile("exit", "close", 99), run_id="twin")
    Fragile.made = 0
    run = train_on("Fragile-v0", *fragile("exit", "step", 25, evaluating=True))
    assert run.outcome.code == 3
    assert run.outcome.error.startswith("error: Fragile-v0.step raised SystemExit: licence expired")
    assert (run.status.env_steps, run.saved_at) == (120, 120)  # the second evaluation, which the end makes
    Fragile.mended = True
    again = resume(run)
    assert again.outcome.code == 0
    assert again.events("resumed")[0]["exact"] is True
    assert again.figures() == twin.figures()


def test_a_simulator_without_memory_ends_with_8_and_what_was_learned_is_saved(train_on: Train) -> None:
    run = train_on("Fragile-v0", *fragile("memory", "step", 70))
    assert run.outcome.code == 8
    assert run.outcome.error.startswith("error: Fragile-v0.step raised MemoryError (gymnasium")
    assert (run.status.state, run.saved_at) == ("failed", 69)


@pytest.mark.parametrize("raises", ["exit", "interrupt", "error", "base", "memory"])
@pytest.mark.parametrize(("place", "act"), [("make", "cannot be made with at, evaluating"), ("reset", "reset raised")])
def test_what_fails_before_there_is_a_run_leaves_no_trace(raises: str, place: str, act: str, train_on: Train) -> None:
    run = train_on("Fragile-v0", *fragile(raises, place))
    assert run.outcome.code == (8 if raises == "memory" else 3)
    assert act in run.outcome.error
    assert type(RAISED[raises]()).__name__ in run.outcome.error
    assert run.outcome.out == ""
    assert not run.paths.root.exists()


@pytest.mark.parametrize("raises", ["exit", "interrupt", "error", "stop"])
def test_a_close_that_raises_costs_nothing(raises: str, train_on: Train, call: Callable[..., Outcome]) -> None:
    flags = fragile(raises, "close")
    run = train_on("Fragile-v0", *flags)
    assert run.outcome.code == 0
    assert (run.status.state, run.saved_at) == ("finished", 120)
    name = type(RAISED[raises]()).__name__
    assert all(f"Fragile-v0.close raised {name}" in line for line in run.outcome.err.splitlines())
    assert len(run.outcome.err.splitlines()) <= 1  # of three environments
    measured = call(evaluate.main, run.paths.root, "--episodes", 1)
    assert (measured.code, len(measured.out.splitlines())) == (0, 1)
    checked = call(check_env.main, "Fragile-v0", *flags, "--steps", 60)
    assert checked.code == 0
    assert "To train:" in checked.out.splitlines()[-1]


def test_check_env_says_where_it_broke(call: Callable[..., Outcome]) -> None:
    checked = call(check_env.main, "Fragile-v0", *fragile("interrupt", "step", 33), "--steps", 60)
    assert (checked.code, checked.err) == (3, "")
    assert "After 32 random steps it stopped: Fragile-v0.step raised KeyboardInterrupt" in " ".join(checked.out.split())
