"""Compare runs in the app: marks, charts, panel, page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from driving import Driver
from fake_run import make_run, status_of
from family import a_family

from workbench.app import Workbench
from workbench.screens.chart_panels import ChartPanels
from workbench.widgets.chart import Chart


async def test_marks_are_set_kept_and_lost(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "other")
        await driver.look()
        await driver.press("c")
        await driver.shows("A other")
        await driver.look()
        await driver.hides("compared")
        app.select(tmp_path / "base-k5")
        await driver.look()
        await driver.shows("A other", "▸◆ base-k5")
        await driver.until(lambda: letters(app, "return") >= {"A", "◆"})
        await driver.press("C")
        for name in ("B base", "C base-k5", "E base-k9", "D deeper"):
            await driver.shows(name)
        await driver.press("c")
        await driver.hides("C base-k5")
        shutil.rmtree(tmp_path / "other")
        await driver.look()
        await driver.until(lambda: [path.name for path in app.compared] == ["base", "deeper", "base-k9"])
        await driver.press("C")
        await driver.shows("A base-k5")
        assert len(app.compared) == 4
        await driver.look()
        await driver.press("C")
        await driver.until(lambda: app.compared == ())
        await driver.hides("compared")
        await driver.shows("e episodes")


def picture(app: Workbench, name: str) -> Any:
    return app.screen.query_one(ChartPanels).query_one(f"#chart-{name}", Chart).picture


def letters(app: Workbench, name: str) -> set[str]:
    return {line.letter for line in picture(app, name).lines}


@pytest.mark.parametrize("size", [(60, 18), (160, 45)])
async def test_all_runs_listed_are_marked_at_once_and_let_go(tmp_path: Path, size: tuple[int, int]) -> None:
    for number in range(55):
        make_run(tmp_path, f"run-{number:02}", status_of(seed=number, started=-float(number)), rows=10)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("slash", *"seed<30", "enter", "c", "asterisk")
        await driver.until(lambda: len(app.compared) == 30)
        await driver.until(lambda: "30 are compared; * again" in said(app))
        await driver.look()
        letters_of_30 = {*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"}
        await driver.until(lambda: letters(app, "return") - {""} == letters_of_30)
        await driver.shows("A run-00", "+")
        await driver.press("comma")
        await driver.shows(" more")
        if size == (160, 45):
            await driver.shows("compared · 21 more below", "▸A run-00")
        await driver.press("escape", "ctrl+a")
        await driver.until(lambda: app.compared == ())
        await driver.press("slash", "escape", "asterisk")
        await driver.until(lambda: len(app.compared) == 52)
        await driver.until(lambda: "52 are marked, the most there can be; left out: 3." in said(app))
        await driver.look()
        await driver.press("d")
        await driver.shows("They differ in")
        await driver.closes("escape")
        app.select(tmp_path / "run-54")
        await driver.press("c")
        await driver.until(lambda: "; left out: 1." in said(app))
        await driver.command("all runs", "compare all runs listed")
        await driver.until(lambda: app.compared == ())
        await driver.press("slash", *"no-such", "enter", "asterisk")
        await driver.until(lambda: "No run is listed that could be compared." in said(app))


def said(app: Workbench) -> str:
    return " ".join(notice.message for notice in app._notifications)


async def test_all_charts_show_every_run_and_the_palette_and_d_know_them(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base-k9")
        await driver.look()
        await driver.press("d")
        await driver.shows("Nothing is compared yet")
        await driver.command("family", "compare the family of base-k9")
        await driver.until(lambda: len(app.compared) == 4)
        await driver.look()
        for name in ("return", "bound", "error", "length", "ratio"):
            await driver.until(lambda name=name: letters(app, name) - {""} == set("ABCD"))
        await driver.press("v")
        await driver.until(lambda: picture(app, "error").log_y and picture(app, "error").lines[0].letter == "A")
        await driver.press("d")
        await driver.shows("They differ in k, real_ratio.")
        await driver.closes("escape")
        await driver.command("nothing", "compare nothing")
        await driver.until(lambda: app.compared == ())


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 18)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_the_comparison_on_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base-k5")
        await driver.look()
        await driver.press("C")
        await driver.until(lambda: len(app.compared) == 4)
        await driver.look()
        await driver.screen(f"compare-{size[0]}x{size[1]}")
        await driver.press("d")
        await driver.screen(f"differences-{size[0]}x{size[1]}")


async def test_without_colour_letters_tell_the_runs_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base")
        await driver.look()
        await driver.press("C")
        await driver.until(lambda: len(app.compared) == 4)
        await driver.look()
        await driver.shows("▸A base", "B 79.5")
        assert "#56B4E9" not in app.export_screenshot().upper()
