"""Many runs are ordered from the form, and the queue is shown, reordered, cancelled and tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of

from mbpo.errors import ConfigError, EnvironmentFault, StorageError
from mbpo.lifecycle.command_line import parse_launch
from mbpo.runs.queue import Queue
from mbpo.runs.records.order import CANCELLED, WAITING, Order, OrderedRun
from mbpo.seeds.plan import make_plan
from mbpo.settings import threads as thread_counts
from mbpo.settings.config import SETTINGS, resolve
from mbpo.settings.grid import Grid, parse_grid, values_of
from workbench import queueing as queueing_module
from workbench.app import Workbench
from workbench.queueing import Queueing
from workbench.screens import queue_screen
from workbench.screens.launch_form import LaunchForm
from workbench.screens.queue_screen import ConfirmCancel, QueueScreen


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(thread_counts.os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(queue_screen, "LOOK_S", 0.1)
    yield


def app_at(root: Path) -> Workbench:
    """Return an app whose runner never starts anything."""
    return Workbench(root, queueing=Queueing(root, start=lambda queue: None), watch=False)


def ordered(root: Path, name: str = "a", count: int = 3) -> Queue:
    queue = Queue(root)
    runs = [OrderedRun(run_id=f"{name}-s{n}", label=str(n), flags=[f"--seed={n}"]) for n in range(count)]
    queue.add(Order(name=name, issued_at=time.time(), env_id="Pendulum-v1", total_steps=400, runs=runs))
    return queue


def states(root: Path) -> dict[str, str]:
    return {entry.run_id: entry.turn.state for entry in Queue(root).read().entries}


# What a field lists


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("rollout_length", "1,5, 15", (1, 5, 15)),
        ("rollout_length", "auto,5", ("auto", 5)),
        ("rollout_length", "5", (5,)),
        ("real_ratio", "0.05,1e-1", (0.05, 0.1)),
        ("normalize_targets", "true,false", (True, False)),
        ("k_policy", "schedule,bound", ("schedule", "bound")),
        ("rollout_schedule", "20,150,1,15", ((20.0, 150.0, 1.0, 15.0),)),
        ("rollout_schedule", "20,150,1,1|20,150,1,15", ((20.0, 150.0, 1.0, 1.0), (20.0, 150.0, 1.0, 15.0))),
        ("env_id", "a:Mine,Yours-v0", ("a:Mine,Yours-v0",)),
        ("wrappers", 'm:W(a="x|y", b=1)', (('m:W(a="x|y", b=1)',),)),
        ("env_kwargs", "g=[1,2]", ({"g": [1, 2]},)),
        ("seed", "0:3", (0, 1, 2)),
        ("seed", "7, 1:3", (7, 1, 2)),
        ("seed", "4", (4,)),
    ],
)
def test_a_text_is_one_value_or_lists_several(name: str, text: str, values: tuple[object, ...]) -> None:
    assert values_of(SETTINGS[name], text) == values


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rollout_length", "1,x", "rollout_length must be a whole number"),
        ("rollout_length", "1,,5", "got nothing"),
        ("rollout_length", "1,5,1", "each value once, got 1 twice"),
        ("real_ratio", "0,05", "real_ratio must lie in [0, 1], got 5"),
        ("rollout_schedule", "20,150,1", "be 4 numbers"),
        ("seed", "5:0", "seed A:B:STEP must have A < B"),
        ("seed", "0,0", "each seed once"),
    ],
)
def test_what_cannot_be_listed_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        values_of(SETTINGS[name], text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["rollout_length"], "must be like rollout_length=1,5,15"),
        (["rolout_length=1"], "did you mean rollout_length?"),
        (["seed=1,2"], "give --seeds 0:5"),
        (["env_id=A-v0"], "one command for each"),
        (["gamma=0.9", "gamma=0.8"], "name gamma once"),
    ],
)
def test_a_grid_that_cannot_be_used_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_grid(texts)
    assert words in str(refused.value)


def test_every_value_goes_with_every_other_and_names_sort() -> None:
    grid = Grid((0, 1), {"rollout_length": (1, 15), "k_policy": ("schedule",)})
    assert [point.end for point in grid.points][:2] == ["g1-s0", "g2-s0"]  # the values are too long for a name
    grid = Grid((0, 10), {"rollout_length": (5, 1, 15)})
    ends = [point.end for point in grid.points]
    assert ends == ["k05-s00", "k01-s00", "k15-s00", "k05-s10", "k01-s10", "k15-s10"]
    assert grid.words == "3 k × 2 seeds"
    assert next(point.label for point in grid.points) == "k=5 s0"
    with pytest.raises(ConfigError, match="at most 1000 runs at once, got 1001"):
        Grid(tuple(range(1001)), {}).check({}, "debug")
    with pytest.raises(ConfigError, match="elites must be at most"):
        Grid((0,), {"elites": (1, 50)}).check({}, "debug")


def test_the_command_that_the_form_shows_makes_the_same_runs(tmp_path: Path) -> None:
    grid = Grid((0, 1), {"rollout_length": (1, 5), "rollout_schedule": ((1.0, 2.0, 1.0, 3.0), (1.0, 2.0, 1.0, 5.0))})
    flags = ["--preset", "debug", *grid.flags("0:2"), "--runs-root", str(tmp_path / "command")]
    plan = make_plan(parse_launch(flags))
    queueing = Queueing(tmp_path / "queue", start=lambda queue: None)
    order = queueing.order("debug", {}, grid)
    ends = [plan.run_id(point).removeprefix(plan.batch.name) for point in plan.grid.points]
    assert ends == [run.run_id.removeprefix(order.name) for run in order.runs]
    for point, run in zip(plan.grid.points, order.runs, strict=True):
        by_command = parse_launch(plan.command(point)[3:]).config
        assert by_command == parse_launch([*order.flags, *run.flags]).config
        assert by_command == resolve({**point.changes, "threads": 1}, "debug")


# The form


async def test_seeds_and_values_in_the_form_are_queued(tmp_path: Path) -> None:
    app = app_at(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        form = await driver.opens(LaunchForm, "n")
        await driver.fill("#set-seed", "0:5")
        await driver.shows("5 runs: 5 seeds, 2 at once, in the queue", "mbpo.train --preset pendulum --seeds 0:5")
        await driver.fill("#set-rollout_length", "1,5,15")
        await driver.shows("15 runs: 3 k × 5 seeds, 2 at once", "--seeds 0:5 --grid rollout_length=1,5,15")
        await driver.fill("#run-id", "mine")
        await driver.shows("leave it empty")
        assert form.order() is None
        await driver.fill("#run-id", "")
        await driver.fill("#set-real_ratio", "0.1,2")
        await driver.shows("real_ratio cannot be used")
        await driver.fill("#set-real_ratio", "0.1")
        await driver.shows("15 runs", "--real-ratio 0.1")
        await driver.closes("ctrl+s")
        await driver.shows("Queued 15 runs")
        entries = Queue(tmp_path).read().entries
        assert len(entries) == 15
        assert entries[1].run is not None and entries[1].run.label == "k=5 s0"
        assert entries[0].order is not None
        assert entries[0].order.flags == ["--preset", "pendulum", "--real-ratio", "0.1", "--threads", "1"]
        assert not app.launcher.launches


def test_what_cannot_be_queued_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    nowhere = Queueing(tmp_path / "file", start=lambda queue: None)
    with pytest.raises(StorageError, match="cannot write in"):
        nowhere.order("debug", {}, Grid((0, 1), {}))
    here = Queueing(tmp_path, start=lambda queue: None)
    with pytest.raises(ConfigError, match="real_ratio must"):
        here.order("debug", {}, Grid((0,), {"real_ratio": (0.1, 2.0)}))
    monkeypatch.setattr(queueing_module, "lacking", lambda env_id: f"{env_id} needs MuJoCo")
    with pytest.raises(EnvironmentFault, match="Pendulum-v1 needs MuJoCo"):
        here.order("debug", {}, Grid((0, 1), {}))
    assert not (tmp_path / ".launch").exists()


# The page


@pytest.mark.parametrize("size", [(60, 18), (120, 34)])
async def test_the_queue_is_shown_and_changed_by_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    queue = ordered(tmp_path)
    queue.take("a-s0")
    make_run(tmp_path, "a-s0", status_of("running", env_steps=120, total_steps=400))
    app = app_at(tmp_path)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(QueueScreen, "Q")
        await driver.shows("1 at work", "2 waiting", "a-s0", "running", "a-s1", "a-s2")
        if size[0] > 80:
            await driver.shows("120/400", "Pendulum-v1 1")
        if size[0] < 80:
            return
        await driver.press("down", "down", "K")
        await driver.until(lambda: [*states(tmp_path)] == ["a-s0", "a-s2", "a-s1"])
        await driver.until(lambda: driver.text().index("a-s2") < driver.text().index("a-s1"))
        await driver.press("x")  # the cursor went with the run
        await driver.until(lambda: states(tmp_path)["a-s2"] == CANCELLED)
        await driver.shows("1 cancelled")
        queue.note("a-s0", "failed", "exit code 3:\x1b[2J the joint came [b]off[/b]")
        await driver.shows("failed", "2J the joint came [b]off[/b]")
        await driver.press("X")
        await driver.until(lambda: isinstance(app.screen, ConfirmCancel))
        await driver.press("y")
        await driver.until(lambda: states(tmp_path)["a-s1"] == CANCELLED)
        await driver.shows("2 cancelled")
        await driver.press("up", "up", "r")
        await driver.until(lambda: WAITING in states(tmp_path).values())
        await driver.shows("1 waiting")
        await driver.press("c")
        await driver.until(lambda: len(states(tmp_path)) == 1)
        await driver.closes("escape")


async def test_enter_opens_a_run(tmp_path: Path) -> None:
    ordered(tmp_path, count=2).take("a-s0")
    make_run(tmp_path, "other", status_of("finished"))
    path = make_run(tmp_path, "a-s0", status_of("running"))
    app = app_at(tmp_path)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(QueueScreen, "Q")
        await driver.shows("a-s1")
        await driver.press("down", "enter")
        await driver.shows("a-s1 has not begun")
        await driver.press("x", "x")
        await driver.shows("a-s1 is cancelled: r tries it again")
        await driver.closes("up", "enter")
        assert app.selected == path


async def test_readonly_changes_nothing(tmp_path: Path) -> None:
    ordered(tmp_path)
    started: list[Queue] = []
    queueing = Queueing(tmp_path, start=started.append)  # type: ignore[arg-type]
    app = Workbench(tmp_path, readonly=True, queueing=queueing, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(QueueScreen, "Q")
        await driver.shows("3 waiting", "nobody starts what waits")
        await driver.press("x", "X", "J", "c", "r")
        await driver.shows("Read-only")
        await driver.closes("q")
    assert not started
    assert states(tmp_path) == {"a-s0": WAITING, "a-s1": WAITING, "a-s2": WAITING}
    assert not (tmp_path / ".queue" / "line.json").exists()


async def test_an_empty_queue_says_how_to_fill_it_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    app = app_at(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("Q")
        await driver.shows("Nothing is queued")
        queue = ordered(tmp_path)
        (queue.folder / "b.json").write_text("{")
        await driver.shows("a-s0", ".queue/b.json cannot be read")


async def test_a_run_that_fails_in_the_queue_is_told(tmp_path: Path) -> None:
    queue = ordered(tmp_path)
    app = app_at(tmp_path)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        queue.take("a-s0")
        queue.note("a-s0", "failed", "unrecognized arguments: --old")
        app.go_on_with_queue()
        app.go_on_with_queue()
        await driver.shows("a-s0 failed: unrecognized arguments: --old")


# The runner that the app starts


class FailingRunner:
    """Stand for a runner that ends at once."""

    returncode = 5

    def poll(self) -> int:
        return self.returncode


def test_a_runner_that_fails_again_and_again_is_told_once(tmp_path: Path) -> None:
    queue = ordered(tmp_path)
    (queue.folder / "runner.log").write_text("error: cannot run the queue: no space\n")
    started: list[Queue] = []
    queueing = Queueing(tmp_path, start=lambda queue: started.append(queue) or FailingRunner())  # type: ignore
    assert queueing.go_on() == 3
    queueing.go_on()
    queueing.go_on()
    with pytest.raises(StorageError, match="the queue stands still: cannot run the queue: no space"):
        queueing.go_on()
    assert queueing.go_on() == 0
    assert len(started) == 3
