"""Cursor, zoom, other axes, log y and the mouse, on the charts of the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driving import Driver
from fake_run import make_run, status_of
from textual.events import MouseScrollUp
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets._footer import FooterKey
from trusted_run import make_trusted_run

from workbench.app import Workbench
from workbench.charts import scene
from workbench.screens.help_screen import HelpScreen
from workbench.screens.launch_form import LaunchForm
from workbench.screens.log_screen import LogScreen
from workbench.screens.metrics_screen import MetricsScreen
from workbench.screens.trust_screen import TrustScreen
from workbench.widgets import painter
from workbench.widgets.chart import Chart

LARGE = (160, 45)


async def a_run(app: Workbench, pilot: Pilot[None]) -> Driver:
    driver = Driver(app, pilot)
    await driver.look()
    await driver.until(lambda: chart(app).picture.drawn and chart(app).dots > 50)
    await pilot.pause()
    return driver


def chart(app: Workbench, name: str = "return") -> Chart:
    return app.screen.query_one(f"#chart-{name}", Chart)


def chart_on(app: Workbench, selector: str) -> Chart:
    return app.screen.query_one(selector, Chart)


async def test_keys_move_one_cursor_over_all_charts_of_the_run_and_their_pages(tmp_path: Path) -> None:
    make_trusted_run(tmp_path, "one")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        view = driver.bench.view
        await driver.press("comma")
        await driver.until(lambda: view.cursor("env steps") == 1240.0)
        await driver.press(*["less_than_sign"] * 4, "comma")
        at = 1240 - 41 * 1300 / (chart(app).dots - 1)
        await driver.until(lambda: view.cursor("env steps") == pytest.approx(at))
        returns = chart(app).picture.lines[1]  # evaluations: the nearest of one every 100 steps or so
        nearest = min(range(len(returns.x)), key=lambda index: abs(returns.x[index] - at))
        await driver.shows(f"evaluation {returns.y[nearest]:.0f}".replace("-", "−"))
        assert f" {at:.0f} " in chart(app, "error").render_line(chart(app, "error").size.height - 1).text
        assert view.cursor("k (steps)") is None
        await driver.press("t")
        await driver.until(lambda: isinstance(app.screen, TrustScreen) and app.screen.lead() is not None)
        page = app.screen.query_one("#trust-coverage", Chart)
        await driver.until(lambda: page.picture.drawn and f" {at:.0f} " in page.render_line(page.size.height - 1).text)
        await driver.press("escape")  # the cursor first, then the page
        await driver.until(lambda: view.cursor("env steps") is None)
        assert isinstance(app.screen, TrustScreen)
        await driver.closes("escape")


async def test_moving_the_cursor_smooths_nothing_and_draws_its_cells_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "one", status_of(), rows=500)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        await driver.press("comma")
        await driver.until(lambda: "1,240" in driver.text())
        drawn: list[Region] = []

        def none(*arguments: Any, **options: Any) -> None:
            raise AssertionError("drawn anew")

        for module, name in ((scene, "ema"), (scene, "spread"), (painter, "thin"), (painter, "polyline")):
            monkeypatch.setattr(module, name, none)
        refresh = Chart.refresh

        def noted(self: Chart, *regions: Region, **options: Any) -> Any:
            drawn.extend(regions or [Region(0, 0, *self.size)])
            return refresh(self, *regions, **options)

        monkeypatch.setattr(Chart, "refresh", noted)
        before = chart(app).view.cursor("env steps")
        await driver.press("comma", "comma", "comma", "comma")
        await driver.until(lambda: chart(app).view.cursor("env steps") != before)
        await pilot.pause(0.1)
        height = chart(app).size.height
        inside = [region for region in drawn if region.y not in (0, height - 1)]
        assert drawn and all(region.width <= 6 for region in inside)


async def test_zooming_panning_and_all_again(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=500)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        view, shown = driver.bench.view, chart(app)
        before = driver.text()
        await driver.press("z")
        await driver.until(lambda: view.shown(shown) == (620.0, 1240.0))
        assert view.shown(chart(app, "error")) == (620.0, 1240.0)
        assert view.shown(chart(app, "bound")) == chart(app, "bound").whole
        await driver.press("left_square_bracket")
        await driver.until(lambda: view.shown(shown) == (465.0, 1085.0))
        await driver.press("Z", "Z")
        await driver.until(lambda: not view.is_zoomed("env steps"))
        await driver.press("z", "z", "backspace")
        await driver.until(lambda: not view.is_zoomed("env steps"))
        await driver.until(lambda: driver.text() == before)
        await driver.press("2", "z")  # alone: its own axis
        await driver.until(lambda: view.is_zoomed("k (steps)") and not view.is_zoomed("env steps"))


async def test_the_x_axis_goes_round_and_pages_have_the_same(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of("finished"), rows=60)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        before = driver.text()
        await driver.press("X")
        await driver.shows("wall time (s)", "k (steps)")
        await driver.press("M")
        await driver.until(lambda: isinstance(app.screen, MetricsScreen))
        await driver.shows("X wall time")
        await driver.until(lambda: chart_on(app, "#metric-0").picture.seconds)
        await driver.press("X")
        await driver.shows("X episodes", "no row of this run tells episodes")
        await driver.closes("escape")
        await driver.shows("no row of this run tells episodes", "C over k")
        await driver.press("X", "X")
        await driver.until(lambda: driver.text() == before)


async def test_smoothing_by_degree_and_log_y_on_the_bench(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=60)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        await driver.shows("m: raw")
        for shown in ("raw · m: smoothed 0.8", "smoothed 0.8 · m", "smoothed 0.95 · m", "smoothed 0.99 · m: smoothed"):
            await driver.press("m")
            await driver.shows(shown)
        await driver.press("m")
        await driver.hides("smoothed 0.99")
        await driver.press("y")
        await driver.until(lambda: chart(app, "error").picture.log_y and chart(app, "bound").picture.log_y)
        assert not chart(app).picture.log_y  # returns are below 0
        await driver.press("v")  # log at first
        await driver.until(lambda: not chart(app, "error").picture.log_y)
        await driver.press("y")
        await driver.until(lambda: chart(app, "error").picture.log_y and not chart(app, "bound").picture.log_y)


async def test_the_mouse_points_zooms_drags_and_shows_a_chart_alone(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=500)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        view, shown = driver.bench.view, chart(app)
        await pilot.hover("#chart-return", offset=(30, 5))
        await driver.until(lambda: view.cursor("env steps") is not None)
        at = view.cursor("env steps")
        await driver.until(lambda: f" {at:,.0f} " in driver.text())
        assert driver.text().count(f" {at:,.0f} ") >= 3  # on each chart over env steps
        await pilot.hover("#runs")
        await driver.until(lambda: view.cursor("env steps") is None)
        await pilot._post_mouse_events([MouseScrollUp], "#chart-return", offset=(30, 5))
        await driver.until(lambda: view.is_zoomed("env steps"))
        low = view.shown(shown)[0]
        await pilot.mouse_down("#chart-return", offset=(20, 5))
        await pilot.hover("#chart-return", offset=(30, 5))
        await pilot.mouse_up("#chart-return", offset=(30, 5))
        await driver.until(lambda: view.shown(shown)[0] < low)
        assert not app.screen.query_one("#charts").has_class("-alone")  # a drag is no click
        await pilot.click("#chart-return", offset=(20, 5))
        await driver.until(lambda: app.screen.query_one("#charts").has_class("-alone"))
        await pilot.click("#chart-return", offset=(20, 5))
        await driver.until(lambda: not app.screen.query_one("#charts").has_class("-alone"))
        await pilot.click("#panel-bound", offset=(10, 0))  # its border
        await driver.until(lambda: app.screen.query_one("#charts").has_class("-alone"))


async def test_wheel_and_click_where_a_person_would_try_them(tmp_path: Path) -> None:
    path = make_run(tmp_path, "one", status_of(), rows=60)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = await a_run(app, pilot)
        await driver.shows("1200 refit done")
        await pilot._post_mouse_events([MouseScrollUp], "#log-tail", offset=(5, 3))
        await driver.hides("1200 refit done")
        await pilot.click("#log-tail")
        await driver.until(lambda: isinstance(app.screen, LogScreen))
        await pilot.click(offset=(1, 1))  # beside a page that only shows something
        await driver.until(lambda: app.screen is driver.bench)
        await pilot._post_mouse_events([MouseScrollUp], "#dial-rollout_length", offset=(5, 0))
        assert [command["set"] for command in await driver.sent(path)] == [{"rollout_length": 4}]
        keys = {key.key: key for key in app.screen.query(FooterKey)}
        await pilot.click(keys["question_mark"])
        await driver.until(lambda: isinstance(app.screen, HelpScreen))
        await pilot.click(offset=(1, 1))
        await driver.until(lambda: app.screen is driver.bench)


async def test_wheel_and_click_where_one_chart_fits(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=60)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = await a_run(app, pilot)
        await pilot._post_mouse_events([MouseScrollUp], "#tabs", offset=(3, 0))
        await driver.shows("4 mix and rollouts")
        view = driver.bench.view
        await pilot.click("#chart-length", offset=(20, 2))
        await pilot.hover("#runs")
        await driver.until(lambda: view.cursor("env steps") is not None)
        await driver.press("escape")
        await driver.until(lambda: view.cursor("env steps") is None)


async def test_a_click_starts_the_first_run(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=LARGE) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("No runs here yet.")
        await pilot.click("#no-runs")
        await driver.until(lambda: isinstance(app.screen, LaunchForm))
