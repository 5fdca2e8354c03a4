"""No key press is lost, however fast they come and whatever is read meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, put_status, status_of
from textual.events import Key

from workbench.app import Workbench
from workbench.held_keys import Passed
from workbench.messages import RunsRead
from workbench.widgets.runs_table import RunsTable

PRESS_EVERY_S = 0.01


def runs(root: Path, count: int) -> None:
    for number in range(count):
        state = "running" if number < 8 else "finished"
        make_run(root, f"run-{number:03}", status_of(state, started=2e9 - number))


async def press_fast(app: Workbench, driver: Driver, keys: list[str]) -> None:
    """Press keys without waiting for what they do, while readings of runs at work come in."""
    reading = asyncio.create_task(read_on(app, driver))
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None).set_sender(app))
        await asyncio.sleep(PRESS_EVERY_S)
    reading.cancel()


async def read_on(app: Workbench, driver: Driver) -> None:
    """Let the app see eight runs go on, as often as can be."""
    for env_steps in itertools.count(1240):
        for at_work in range(8):
            status = status_of(started=2e9 - at_work, env_steps=env_steps)
            put_status(app.runs_root / f"run-{at_work:03}", status)
        driver.watcher.select(app.selected)
        app.post_message(RunsRead(await asyncio.to_thread(driver.watcher.look)))


async def test_200_presses_are_200_moves_among_500_runs(tmp_path: Path) -> None:
    runs(tmp_path, 500)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        assert app.selected == tmp_path / "run-000"
        await press_fast(app, driver, ["down"] * 200)
        await driver.until(lambda: app.query_one(RunsTable).cursor_row == 200)
        assert app.selected == tmp_path / "run-200"
        await press_fast(app, driver, ["up"] * 10 + ["down"] * 3)
        await driver.until(lambda: app.query_one(RunsTable).cursor_row == 193)
        assert app.selected == tmp_path / "run-193"


async def test_marks_and_moves_keep_their_order(tmp_path: Path) -> None:
    runs(tmp_path, 20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await press_fast(app, driver, ["c", "down"] * 5)
        await driver.until(lambda: app.query_one(RunsTable).cursor_row == 5)
        marked = app.get_default_screen().selection.marks.letters
        assert sorted(path.name for path in marked) == [f"run-{number:03}" for number in range(5)]


async def test_the_run_last_moved_to_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    runs(tmp_path / "runs", 5)
    await walk_on(tmp_path / "runs", "run-002")
    await walk_on(tmp_path / "runs", "run-004")


async def test_a_key_that_took_effect_after_the_app_ended_is_no_error(tmp_path: Path) -> None:
    Workbench(tmp_path, watch=False).on_passed(Passed(Key("down", None)))  # no screen is there any more


async def walk_on(root: Path, wanted: str) -> None:
    """Open the app, go two runs down, and leave at once."""
    app = Workbench(root, watch=False)
    async with app.run_test(size=(120, 30)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await press_fast(app, driver, ["down"] * 2)
        await driver.until(lambda: app.selected == root / wanted)
