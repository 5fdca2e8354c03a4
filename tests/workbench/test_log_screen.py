"""The log in full: followed, and filtered by words."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of
from textual.widgets import RichLog

from workbench.app import Workbench
from workbench.format import has_words
from workbench.screens.log_screen import LogScreen

LINES = [f"{step:>6} {'Refit done' if step % 100 else 'evaluation [b]−151[/b]'}" for step in range(50, 1250, 50)]


def test_words_are_found_in_any_order_and_case() -> None:
    assert has_words("200 Evaluation −151", "eval 200") and has_words("anything", "  ")
    assert not has_words("200 evaluation", "eval 300")


async def at_log(app: Workbench, driver: Driver, path: Path) -> Path:
    log = path / "log.txt"
    log.write_text("".join(f"{line}\n" for line in LINES))
    await driver.look()
    await driver.opens(LogScreen, "l")
    await driver.shows("evaluation [b]−151[/b]", "/ filters")
    return log


def written(app: Workbench) -> list[str]:
    return [strip.text.strip() for strip in app.screen.query_one(RichLog).lines]


@pytest.mark.parametrize("size", [(60, 18), (160, 45)])
async def test_the_lines_with_all_words_are_shown_counted_and_followed(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Workbench(tmp_path, watch=False)
    path = make_run(tmp_path, "one", status_of())
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        log = await at_log(app, driver, path)
        await driver.press("slash", *"REFIT", "space", "5")
        await driver.shows("/ REFIT 5: 12 of the last 24 lines")
        assert written(app) == [line.strip() for line in LINES if "Refit" in line]
        with log.open("a") as file:
            file.write("  1250 Refit done\n  1300 warning\n")
        await driver.look()
        await driver.shows("/ REFIT 5: 13 of the last 26 lines", "1250 Refit done")
        assert len(written(app)) == 13
        await driver.press("enter")
        await driver.until(lambda: isinstance(app.screen.focused, RichLog))
        await driver.shows("/ REFIT 5: 13")
        await driver.press("escape")
        await driver.shows("/ filters", "1300 warning")
        assert len(written(app)) == 26
        await driver.closes("escape")


async def test_a_filter_that_no_line_has_says_so_until_one_comes(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    path = make_run(tmp_path, "one", status_of())
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        log = await at_log(app, driver, path)
        await driver.press("slash", *"[/b]", "space", *"qlq")
        await driver.shows("No line has these words.", "/ [/b] qlq: 0 of the last 24 lines")
        with log.open("a") as file:
            file.write("  1250 QLQ [/b]\n")
        await driver.look()
        await driver.shows("1250 QLQ [/b]", "1 of the last 25 lines")
        await driver.hides("No line has these words.")
        log.write_text("begun anew\n")  # what does not go on with what was there
        await driver.look()
        await driver.shows("No line has these words.", "0 of the last 1 lines")
        await driver.press("escape")
        await driver.shows("begun anew")
        await pilot.click(offset=(1, 1))  # beside the page, where nothing can be typed into it
        await driver.until(lambda: app.screen is driver.bench)
