"""A filter typed into the app: live, kept, let go, and no key of it steers a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver, commands
from fake_run import make_run, put_status, status_of

from workbench.app import Workbench
from workbench.widgets.runs_panel import FilterLine
from workbench.widgets.runs_table import RunsTable


def runs(root: Path) -> None:
    for seed in range(3):
        make_run(root, f"hopper-{seed}", status_of("running", env_id="Hopper-v5", seed=seed, started=2e9 - seed))
        make_run(root, f"swing-{seed}", status_of("finished", seed=seed, eval_return=-160.0 - 30 * seed))


def listed(app: Workbench) -> list[str]:
    return [row.path.name for row in app.query_one(RunsTable)._rows]


@pytest.mark.parametrize("size", [(60, 18), (160, 45)])
async def test_typing_filters_and_escape_lets_go(tmp_path: Path, size: tuple[int, int]) -> None:
    runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        assert len(listed(app)) == 6
        await driver.press("slash")
        await driver.until(lambda: isinstance(app.focused, FilterLine))
        await driver.press(*"env=Pend*", "space", *"and", "space", *"eval>-200")
        await driver.until(lambda: listed(app) == ["swing-0", "swing-1"])
        await driver.shows("2 shown · 3 of 6 at work")
        assert app.selected == tmp_path / "swing-0"  # what was in focus is not listed any more
        await driver.press("enter", "down")
        await driver.until(lambda: app.selected == tmp_path / "swing-1")
        put_status(tmp_path / "swing-1", status_of("finished", eval_return=-900.0))
        await driver.look()
        await driver.until(lambda: listed(app) == ["swing-0"])
        await driver.press("slash", "escape")
        await driver.until(lambda: len(listed(app)) == 6 and isinstance(app.focused, RunsTable))
        await driver.hides("shown")
        assert not any(commands(path) for path in tmp_path.glob("*-*"))


async def test_a_filter_that_cannot_be_read_says_so_and_changes_nothing(tmp_path: Path) -> None:
    runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("slash", *"hopper")
        await driver.until(lambda: len(listed(app)) == 3)
        await driver.press("space", *'"x')
        await driver.shows("a quote is not closed")
        assert len(listed(app)) == 3
        await driver.press('"')
        await driver.until(lambda: listed(app) == [])
        await driver.shows("0 shown")


async def test_a_key_and_a_click_sort(tmp_path: Path) -> None:
    runs(tmp_path)
    make_run(tmp_path, "new", status_of("running", eval_return=None, started=1e9))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        first, focus = listed(app), app.selected
        await driver.press("o")
        await driver.until(lambda: listed(app)[-3:] == ["swing-1", "swing-2", "new"])  # −190, −220, none yet
        await driver.shows("by eval")
        assert app.selected == focus
        await pilot.click(RunsTable, offset=(6, 0))  # the head of "run"
        await driver.until(lambda: listed(app) == sorted(first))
        await pilot.click(RunsTable, offset=(6, 0))
        await driver.until(lambda: listed(app) == first)
        await driver.hides("by name")
