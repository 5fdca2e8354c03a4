"""What the app says in passing: once, with the keys that lead on, and nothing that contradicts the screen."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from driving import Driver
from fake_run import make_run, put_status, status_of
from textual.command import CommandPalette
from textual.widgets._toast import Toast

from workbench.app import Workbench
from workbench.screens.help_screen import _flowing


@contextlib.asynccontextmanager
async def opened(root: Path, name: str, state: str) -> AsyncIterator[Driver]:
    """Open the app on one run."""
    make_run(root, name, status_of(state))
    app = Workbench(root, watch=False)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        yield driver


def toasts(app: Workbench) -> list[str]:
    return [toast._notification.message for toast in app.screen.query(Toast)]


async def test_equal_notices_stand_once(tmp_path: Path) -> None:
    async with opened(tmp_path, "done", "finished") as driver:
        await driver.press(*["K"] * 9)
        await driver.shows("done is finished, nobody answers: f forks it.")
        await driver.press("d")
        await driver.until(lambda: len(toasts(driver.app)) == 2)


async def test_what_is_lost_says_both_keys(tmp_path: Path) -> None:
    async with opened(tmp_path, "broke", "failed") as driver:
        await driver.press("s")
        await driver.shows("nobody answers: g goes on with it, f")


async def test_the_palette_sets_nothing_on_a_finished_run(tmp_path: Path) -> None:
    async with opened(tmp_path, "done", "finished") as driver:
        await driver.opens(CommandPalette, "ctrl+p")
        await driver.press(*"k = 5")
        await driver.shows("No matches found")


async def test_one_mark_is_no_comparison_yet(tmp_path: Path) -> None:
    async with opened(tmp_path, "one", "finished") as driver:
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


async def test_help_lists_our_keys_and_none_of_the_tables(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 60)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("question_mark")
        await driver.shows("quit", "compare")
        await driver.hides("Page up", "pgup", "Cursor down", "Home")


def test_help_flows_to_the_width_of_the_page_and_leaves_formulas() -> None:
    assert _flowing("one\ntwo\n\n    C(k) =\n    more\n\nthree\n").plain == "one two\n\n    C(k) =\n    more\n\nthree"


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
