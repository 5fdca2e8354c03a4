"""The tour goes on with what is there, from the first run to the comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from driving import Driver
from fake_run import make_run, status_of
from textual.widgets._toast import Toast

from workbench.app import Workbench
from workbench.messages import RunRow
from workbench.tour import AT, STEPS, stop_of
from workbench.widgets.tour_line import TourLine

BASE = RunRow(Path("base"), "running", preset="pendulum", env_steps=300, started=1.0)
DONE = replace(BASE, state="finished", env_steps=1200)


def fork(k: int, state: str = "finished", at: int = AT) -> RunRow:
    return RunRow(
        Path(f"fork-{k}"), state, preset="pendulum", parent=f"base@{at}", controls={"rollout_length": k}, env_steps=900
    )


def test_it_goes_from_the_first_run_to_the_comparison() -> None:
    stops = [
        stop_of((), None, 0),
        stop_of((BASE,), BASE, 0),
        stop_of((DONE,), DONE, 0),
        stop_of((DONE, fork(1)), DONE, 0),
        stop_of((DONE, fork(1), fork(10, "running")), DONE, 0),
        stop_of((DONE, fork(1), fork(10)), DONE, 1),
        stop_of((DONE, fork(1), fork(10)), DONE, 3),
    ]
    assert [stop.step for stop in stops] == [1, 2, 3, 4, 5, 5, STEPS + 1]
    assert len({stop.text for stop in stops}) == len(stops)
    assert [stop.over for stop in stops] == [False] * 6 + [True]


def test_it_stays_with_the_run_in_focus_and_takes_no_other_task() -> None:
    newer = replace(DONE, path=Path("newer"), started=9.0)
    assert "newer" in stop_of((DONE, newer), None, 0).text
    assert "base" in stop_of((DONE, newer), DONE, 0).text
    assert stop_of((newer, DONE, fork(1)), fork(1), 0).step == 4
    assert stop_of((replace(DONE, preset="hopper"),), None, 0).step == 1
    failed = replace(DONE, state="failed", env_steps=50)
    assert stop_of((failed,), failed, 0).step == 1


async def test_t_shows_it_above_the_keys_and_ends_it(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("T for a tour")
        await driver.press("T")
        await driver.shows("tour 1 of 5", "Press n")
        make_run(tmp_path, "first", status_of("finished", env_steps=1200), rows=20)
        await driver.look()
        await driver.shows("tour 3 of 5", "press f")
        await driver.press("T")
        await driver.hides("tour 3 of 5")


async def test_no_notice_covers_it(tmp_path: Path) -> None:
    make_run(tmp_path, "first", status_of("finished", env_steps=1200), rows=20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("T", "K")
        await driver.shows("tour 3 of 5", "first is finished, nobody answers")
        await driver.until(lambda: app.screen.query(Toast).first().region.bottom <= 24 - 1)
        tour = driver.bench.query_one(TourLine).region
        assert all(not toast.region.overlaps(tour) for toast in app.screen.query(Toast))
