"""What the app says in passing: once, with the keys that lead on, and nothing that contradicts the screen."""

from __future__ import annotations

import shutil
from pathlib import Path

from driving import Driver
from fake_run import make_run, put_status, status_of
from textual.command import CommandPalette
from textual.widgets._toast import Toast

from workbench.app import Workbench


def toasts(app: Workbench) -> list[str]:
    return [toast._notification.message for toast in app.screen.query(Toast)]


async def test_equal_notices_stand_once(tmp_path: Path) -> None:
    make_run(tmp_path, "done", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press(*["K"] * 9)
        await driver.shows("done is finished, nobody answers: f forks it.")
        await driver.press("d")
        await driver.until(lambda: len(toasts(app)) == 2)


async def test_what_is_lost_says_both_keys(tmp_path: Path) -> None:
    make_run(tmp_path, "broke", status_of("failed"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("s")
        await driver.shows("nobody answers: g goes on with it, f")


async def test_the_palette_sets_nothing_on_a_finished_run(tmp_path: Path) -> None:
    make_run(tmp_path, "done", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(CommandPalette, "ctrl+p")
        await driver.press(*"k = 5")
        await driver.shows("No matches found")


async def test_one_mark_is_no_comparison_yet(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("c", "d")
        await driver.shows("One run is marked: move to another")


async def test_nothing_stays_of_a_deleted_run(tmp_path: Path) -> None:
    make_run(tmp_path, "only", status_of("finished"), rows=40)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("only", "evaluation −151")
        await driver.press("down")  # chosen, not fallen upon
        shutil.rmtree(tmp_path / "only")
        await driver.look()
        await driver.shows("No runs here yet")
        await driver.hides("evaluation", "finished")


async def test_help_lists_our_keys_and_flows(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 60)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("question_mark")
        await driver.shows("quit", "compare")
        await driver.hides("PgUp", "pgup", "Home", "End")
        assert not [line for line in driver.text().splitlines() if 0 < len(line.strip("│ ▁▂▃▄▅▆▇█")) < 12][6:]


async def test_a_paused_run_offers_to_resume_in_full(tmp_path: Path) -> None:
    path = make_run(tmp_path, "one", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows(" pause ")
        put_status(path, status_of("paused"))
        await driver.look()
        await driver.shows(" resume ")
