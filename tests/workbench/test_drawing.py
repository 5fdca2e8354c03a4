"""What does not change is not drawn: a terminal far away pays for every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driving import Driver
from fake_run import make_run, put_status, status_of
from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget

from workbench.app import Workbench
from workbench.charts.picture import Picture
from workbench.messages import RunsRead
from workbench.screens import pace
from workbench.screens.pace import NEWS_S, Pace
from workbench.widgets.chart import Chart
from workbench.widgets.runs_table import RunsTable


async def refreshed(driver: Driver, monkeypatch: pytest.MonkeyPatch, times: int) -> list[Any]:
    """Return the widgets that a number of readings draw anew."""
    drawn: list[Any] = []
    refresh = Widget.refresh

    def noted(self: Widget, *regions: Region, **options: Any) -> Widget:
        if not isinstance(self, Screen):
            drawn.append(self)
        return refresh(self, *regions, **options)

    monkeypatch.setattr(Widget, "refresh", noted)
    for _ in range(times):
        driver.app.post_message(RunsRead(driver.watcher.look()))
        await driver.pilot.pause()
    monkeypatch.setattr(Widget, "refresh", refresh)
    return drawn


@pytest.mark.parametrize("size", [(60, 18), (120, 34), (200, 55)])
@pytest.mark.parametrize("state", ["finished", "running"])
async def test_readings_without_news_draw_nothing(
    tmp_path: Path, size: tuple[int, int], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path, "one", status_of(state), rows=60)
    make_run(tmp_path, "two", status_of("finished"), rows=60)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("c", "down", "c")  # and where runs are compared
        await driver.look()
        await pilot.pause(0.5)
        put_status(path, status_of(state))  # with another heartbeat
        assert await refreshed(driver, monkeypatch, 5) == []


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.timers = 100.0, list[float]()
        monkeypatch.setattr(pace, "monotonic", lambda: self.now)

    def after(self, seconds: float, call: object) -> None:
        self.timers.append(seconds)


def test_news_waits_and_what_a_person_does_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    at = Pace(clock.after, lambda: None)
    assert at.is_due("run a", 1)
    assert not at.is_due("run a", 1) and not clock.timers
    clock.now += 0.2
    assert not at.is_due("run a", 2) and not at.is_due("run a", 3)
    assert clock.timers == [pytest.approx(NEWS_S - 0.2)]
    assert at.is_due("run b", 3)
    at.forget()
    assert at.is_due("run b", 3)
    clock.now += NEWS_S
    assert at.is_due("run b", 4)


async def test_of_many_runs_only_the_row_of_the_one_with_news_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path, "one", status_of(), rows=20)
    for number in range(5):
        make_run(tmp_path, f"other-{number}", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await pilot.pause(0.5)
        drawn: list[tuple[Region, ...]] = []
        refresh = Widget.refresh

        def noted(self: Widget, *regions: Region, **options: Any) -> Widget:
            drawn.extend([regions] * isinstance(self, RunsTable))
            return refresh(self, *regions, **options)

        monkeypatch.setattr(Widget, "refresh", noted)
        put_status(path, status_of(eval_return=-77.0))
        await driver.look()
        await driver.until(lambda: "−77" in driver.text().splitlines()[3])
        assert {region.height for regions in drawn for region in regions or [app.screen.region]} == {1}


@pytest.mark.parametrize(("stays_s", "drawn"), [(600.0, True), (0.02, False)])
async def test_curves_stay_until_the_next_run_is_read_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stays_s: float, drawn: bool
) -> None:
    monkeypatch.setattr("workbench.screens.bench.UNREAD_S", stays_s)
    one, other = (make_run(tmp_path, name, status_of(), rows=40) for name in ("one", "other"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        app.select(one)
        await driver.look()
        await driver.shows("episodes −")
        app.select(other)  # which nothing has read yet
        await driver.until(lambda: "other" in driver.text().splitlines()[0])
        await driver.until(lambda: ("episodes −" in driver.text()) is drawn)
        await driver.look()
        await driver.shows("episodes −")


async def test_controls_drawn_while_they_were_hidden_fit_when_they_are_back(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=40)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("measured 3", "episodes")
        await driver.press("0")
        await driver.hides("episodes")
        await driver.look()
        await driver.press("0")
        await driver.shows("measured 3 │", "episodes")


async def test_a_chart_of_which_a_part_was_drawn_in_between_is_drawn_in_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "one", status_of(), rows=20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await pilot.pause(0.5)
        chart = app.screen.query_one("#chart-return", Chart)
        before = chart.picture
        drawn: list[Region] = []
        monkeypatch.setattr(chart, "refresh", lambda *regions, **options: drawn.extend(regions or [chart.region]))
        chart.picture = Picture("other", empty="nothing of it")
        chart.render_lines(Region(0, 0, 3, 1))  # as where something above it gave way
        chart.look()
        assert before.drawn and {region.y for region in drawn} >= set(range(1, chart.size.height - 1))
