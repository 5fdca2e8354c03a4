"""x: a report of the run in focus, of runs compared, of groups, written by a process that the app does not wait for."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from driving import LIMIT_S, Driver
from fake_run import make_run, status_of
from family import put_config

from workbench.app import Workbench
from workbench.reporter import Reporter

NOTES = "import pathlib, sys; pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).write_text(chr(10).join(sys.argv[1:]))"
WAITS = "import pathlib, sys, time\nwhile not pathlib.Path('{end}').exists(): time.sleep(0.05)"
REFUSES = "import sys; sys.exit('error: a report needs bokeh: python -m pip install bokeh')"
SIZE = (140, 45)


@asynccontextmanager
async def driven(app: Workbench) -> AsyncIterator[Driver]:
    """Show the app, once it has seen the runs; at the end wait for what it started."""
    async with app.run_test(size=SIZE) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        yield driver
    for writing in app.reporter.writing:
        writing.process.wait(timeout=LIMIT_S)


async def said(driver: Driver, *texts: str) -> None:
    """Wait until a notice says each of ``texts``."""
    await driver.until(
        lambda: all(any(text in notice.message for notice in driver.app._notifications) for text in texts)
    )


def an_app(root: Path, code: str = NOTES, **changes: object) -> Workbench:
    return Workbench(root, watch=False, reporter=Reporter((sys.executable, "-c", code)), **changes)  # type: ignore[arg-type]


def some_runs(root: Path) -> None:
    for seed in (3, 4):
        put_config(
            make_run(root, f"swing-{seed}", status_of("finished", seed=seed, interactive=False), rows=20), seed=seed
        )


async def test_the_run_in_focus_is_written_and_its_place_said(tmp_path: Path) -> None:
    some_runs(tmp_path)
    async with driven(an_app(tmp_path)) as driver:
        focus = driver.app.selected
        assert focus is not None
        await driver.press("x")
        await said(driver, f"Writing a report of {focus.name}.")
        await said(driver, f"The report of {focus.name} is {focus}/report.html")
        assert (focus / "report.html").read_text().splitlines() == [str(focus), "-o", str(focus / "report.html")]
        assert driver.app.reporter.writing == []


async def test_runs_that_are_marked_are_compared(tmp_path: Path) -> None:
    some_runs(tmp_path)
    async with driven(an_app(tmp_path)) as driver:
        await driver.press("c", "down", "c")
        await driver.look()
        await driver.press("x")
        await said(driver, "Writing a report of 2 runs.")
        await driver.until(lambda: list(tmp_path.glob("comparison-*.html")))
        (page,) = tmp_path.glob("comparison-*.html")
        words = page.read_text().splitlines()
        assert {*words[:2]} == {str(tmp_path / "swing-3"), str(tmp_path / "swing-4")}
        assert words[2:] == ["-o", str(page), "--archived"]


async def test_a_group_is_written_with_all_its_seeds(tmp_path: Path) -> None:
    some_runs(tmp_path)
    async with driven(an_app(tmp_path)) as driver:
        await driver.press("G")
        await driver.look()
        await driver.press("home", "x")
        await said(driver, "Writing a report of 2 runs.")


async def test_why_there_is_none_is_said_in_a_line(tmp_path: Path) -> None:
    some_runs(tmp_path)
    async with driven(an_app(tmp_path, REFUSES)) as driver:
        await driver.press("x")
        await said(driver, "No report of swing", "a report needs bokeh")


async def test_the_app_does_not_wait_for_it_nor_write_it_twice(tmp_path: Path) -> None:
    some_runs(tmp_path)
    end = tmp_path / "end"
    async with driven(an_app(tmp_path, WAITS.format(end=end))) as driver:
        await driver.press("x", "x")
        await said(driver, "is being written")
        (writing,) = driver.app.reporter.writing
        assert writing.process.poll() is None
        end.write_text("")
        await driver.until(lambda: not driver.app.reporter.writing)
        assert not writing.output.exists()


async def test_who_only_watches_writes_none(tmp_path: Path) -> None:
    some_runs(tmp_path / "runs")
    async with driven(an_app(tmp_path / "runs", readonly=True)) as driver:
        await driver.press("x")
        await said(driver, "Read-only")
        assert not driver.app.reporter.writing and not list((tmp_path / "runs").glob("*/report.html"))


async def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    async with driven(an_app(tmp_path)) as driver:
        await driver.press("x")
        await said(driver, "No run is selected")
