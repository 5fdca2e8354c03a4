"""Every metric can be looked at: paged, filtered, smoothed by degree, on a log axis."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from driving import Driver
from fake_run import make_run, status_of

from mbpo.runs.metrics import METRICS
from workbench.app import Workbench
from workbench.charts.any_metric import DEGREES, matching, metric_picture
from workbench.charts.metric_layout import MetricLayout, layout_in
from workbench.charts.scene import scene_of
from workbench.messages import Points, RunDetail
from workbench.screens.metrics_screen import MetricsScreen
from workbench.series import ema
from workbench.widgets.chart import Chart


def run_with_all(root: Path) -> Path:
    path = make_run(root, "one", status_of("finished"))
    with (path / "metrics.jsonl").open("w") as file:
        for step in range(1, 40):
            values = {key: 1.0 + n + math.sin(step + n) for n, key in enumerate(METRICS)}
            file.write(json.dumps({"seq": step, "attempt": 1, "env_steps": 10 * step, **values}) + "\n")
    return path


def titles(app: Workbench) -> list[str]:
    panels = [panel for panel in app.screen.query("#metrics-grid > .panel") if panel.display]
    return [str(panel.border_title) for panel in panels]


@pytest.mark.parametrize("size", [(60, 18), (120, 30), (200, 55)])
async def test_paging_shows_every_declared_metric_once(tmp_path: Path, size: tuple[int, int]) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("M")
        await driver.until(lambda: isinstance(app.screen, MetricsScreen) and titles(app))
        await driver.shows(f"{len(METRICS)} metrics")
        seen: list[str] = []
        while len(seen) < len(METRICS):
            page = titles(app)
            assert page and not set(page) & set(seen)
            seen += page
            if len(seen) < len(METRICS):
                await driver.press("pagedown")
                await driver.until(lambda page=page: titles(app) != page)
        assert seen == list(METRICS)
        last = titles(app)
        await driver.press("pagedown")
        assert titles(app) == last
        await driver.press("escape")
        await driver.until(lambda: app.screen is driver.bench)


async def test_a_filter_smoothing_and_a_log_axis(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("M")
        await driver.until(lambda: isinstance(app.screen, MetricsScreen) and titles(app))
        await driver.press("slash", *"sac", "space", *"loss", "enter")
        await driver.until(lambda: titles(app) == ["sac/critic_loss", "sac/actor_loss"])
        await driver.press("m", "y")
        await driver.shows("smoothed 0.8", "log y", "/ sac loss")
        picture = app.screen.query_one("#metric-0", Chart).picture
        assert picture.log_y and picture.lines[0].low is not None
        await driver.press("slash", *" nothing", "enter")
        await driver.shows("No metric of this run has such a name.")
        await driver.press("slash", "escape")
        await driver.shows(f"{len(METRICS)} metrics")


def test_a_run_shows_what_it_has_and_smoothing_is_the_moving_average() -> None:
    x, y = np.arange(50.0), np.cos(np.arange(50.0))
    detail = RunDetail(Path(), 1, series={"sac/alpha": Points(x, y), "no such": Points(x, y)})
    assert matching("", detail.series) == matching("ALPHA sac", detail.series) == ["sac/alpha"]
    assert matching("beta", detail.series) == []
    for weight in DEGREES:
        line = metric_picture(scene_of(None, detail, ()), "sac/alpha", weight, log_y=False).lines[0]
        np.testing.assert_allclose(line.y, ema(y, weight) if weight else y)


async def at_metrics(driver: Driver) -> MetricsScreen:
    await driver.look()
    await driver.press("M")
    await driver.until(lambda: isinstance(driver.app.screen, MetricsScreen) and titles(driver.app))
    page = driver.app.screen
    assert isinstance(page, MetricsScreen)
    return page


def at(app: Workbench) -> list[str]:
    panels = [panel for panel in app.screen.query("#metrics-grid > .panel.-at") if panel.display]
    return [str(panel.border_title) for panel in panels]


async def test_a_cursor_goes_over_the_charts_and_from_page_to_page(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    keys = list(METRICS)
    async with app.run_test(size=(120, 34)) as pilot:  # three beside each other, four rows
        driver = Driver(app, pilot)
        await at_metrics(driver)
        await driver.until(lambda: at(app) == keys[:1])
        for pressed, where in [(["right"], 1), (["down"], 4), (["left", "up"], 0), (["tab"] * 12, 12), (["left"], 11)]:
            await driver.press(*pressed)
            await driver.until(lambda where=where: at(app) == [keys[where]])
        await driver.press("pageup", *["up"] * 5, "shift+tab", "shift+tab")
        await driver.until(lambda: at(app) == keys[:1])
        await pilot.click("#metric-4")
        await driver.until(lambda: at(app) == [keys[4]])
        await pilot.click("#metric-4")  # again: alone
        await driver.until(lambda: titles(app) == [keys[4]])
        await driver.press("right")
        await driver.until(lambda: titles(app) == [keys[5]])
        await driver.press("escape")
        await driver.until(lambda: len(titles(app)) == 12 and at(app) == [keys[5]])


def said(app: Workbench) -> str:
    return " ".join(notice.message for notice in app._notifications)


TWO_WORDS = [*"two", "space", *"words"]
PINNED = ["★ episode/length", "★ sac/alpha"]


async def test_pinned_metrics_come_first_and_are_there_at_the_next_start(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 26)) as pilot:
        driver = Driver(app, pilot)
        await at_metrics(driver)
        await driver.press("P")
        await driver.until(lambda: "No metric is pinned yet" in said(app))
        await driver.press("right", "p", "slash", *"alpha", "enter", "p", "slash", "escape")
        await driver.until(lambda: len(titles(app)) == 6 and titles(app)[:3] == [*PINNED, "episode/return"])
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=(80, 26)) as pilot:
        driver = Driver(again, pilot)
        await at_metrics(driver)
        assert titles(again)[:2] == PINNED
        await driver.press("P")
        await driver.until(lambda: titles(again) == PINNED)
        await driver.press("p", "p")  # the last pin taken out: all are shown again
        await driver.until(lambda: len(titles(again)) == 6)


async def test_columns_and_rows_are_chosen_kept_and_never_more_than_fit(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:  # three beside each other, four rows
        driver = Driver(app, pilot)
        page = await at_metrics(driver)
        await driver.until(lambda: len(titles(app)) == 12)
        for keys, count, told in (["c"], 8, "2 columns"), (["r", "r"], 4, "2 × 2"), (["c"], 2, "1 × 2"):
            await driver.press(*keys)
            await driver.until(lambda count=count: len(titles(app)) == count)
            await driver.shows(told)
        await driver.press("down", "down", "c")  # the cursor stays, on a page of three columns and two rows
        await driver.until(lambda: len(titles(app)) == 6 and at(app) == [list(METRICS)[2]])
        await driver.shows("2 rows")
        await driver.press("c", "enter", "r")  # one alone: all again, with a row fewer
        await driver.until(lambda: len(titles(app)) == 2)
        await driver.shows("2 × 1")
        assert page.query_one("#metric-panel-0").size.height > 28
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=(60, 18)) as pilot:  # two rows of one fit
        driver = Driver(again, pilot)
        await at_metrics(driver)
        await driver.until(lambda: len(titles(again)) == 1)
        await driver.shows("1 × 1")
        await driver.press("c")
        await driver.until(lambda: "No more than one fits" in said(again))
        await driver.press("r")
        await driver.until(lambda: len(titles(again)) == 2)
        await pilot.resize_terminal(120, 34)
        await driver.until(lambda: len(titles(again)) == 8)


@pytest.mark.parametrize("kept", [3, [], {"columns": True, "rows": -1}, {"columns": 1e9, "rows": "2"}, {"rows": 10**9}])
def test_a_grid_that_nobody_chose_is_none(tmp_path: Path, kept: object) -> None:
    assert MetricLayout(columns=2, rows=2).with_grid(kept) == MetricLayout()
    assert layout_in({"columns": 3, "rows": 1})[0].grid == "3 × 1"


async def test_the_head_has_what_fits_in_whole(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(60, 18)) as pilot:
        driver = Driver(app, pilot)
        await at_metrics(driver)
        await driver.press("y", "slash", *"sac", "enter", "r")
        await driver.shows(" one · 7 metrics · page 1 of 7 · 1 row · log y · / sac\n")
        await driver.press("slash", *"o" * 30, "enter")
        await driver.shows("page 1 of 1 · / ")
        assert all(len(line) <= 60 for line in driver.text().splitlines())
        await pilot.resize_terminal(200, 40)
        await driver.shows("c r columns, rows", "m smooths", "L layouts · ? help")


async def test_a_layout_is_saved_shown_again_and_deleted(tmp_path: Path) -> None:
    run_with_all(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 26)) as pilot:
        driver = Driver(app, pilot)
        page = await at_metrics(driver)
        await driver.press("L")
        await driver.until(lambda: "No layout is saved yet" in said(app))
        await driver.press("p", "slash", *"sac", "enter", "m", "y", "X", "c", "S", *TWO_WORDS, "enter")
        await driver.until(lambda: "Saved as two words" in said(app))
        saved = page._layout
        await driver.press("m", "X", "slash", "escape", "p")
        await driver.until(lambda: page._layout != saved and titles(app)[0] == "episode/return")
        await driver.press("S", *TWO_WORDS)
        await driver.shows("That name is taken")
        await driver.press("escape", "L")
        await driver.shows("two words", "1 pinned · / sac · smoothed 0.8 · log y · 1 column")
        await driver.press("enter")
        await driver.until(lambda: page._layout == saved and page.view.x.label == "wall time")
        await driver.press("L", "d")
        await driver.until(lambda: app.screen is page)
        await driver.press("L")
        await driver.until(lambda: app.screen is page)


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_with_all(tmp_path)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 26)) as pilot:
        driver = Driver(app, pilot)
        await at_metrics(driver)
        monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
        await driver.press("p")
        await driver.shows("★ episode/return")
        assert "It cannot be kept" in said(app)
