"""Filter, order and groups of the runs are there again at the next start, and to be seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driving import Driver
from seed_runs import two_groups
from test_filtering import listed, runs

from workbench.app import Workbench
from workbench.memory import of_root, place, save
from workbench.runs_view import RunsView
from workbench.widgets.runs_panel import FilterLine


@pytest.mark.parametrize("size", [(60, 18), (160, 45)])
async def test_a_filter_and_an_order_are_there_again_and_let_go_as_ever(tmp_path: Path, size: tuple[int, int]) -> None:
    runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("slash", *"swing", "enter", *["o"] * 4)
        await driver.until(lambda: listed(app) == ["swing-0", "swing-1", "swing-2"])
        await driver.press("down")
        await driver.until(lambda: app.selected == tmp_path / "swing-1")
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=size) as pilot:
        driver = Driver(again, pilot)
        await driver.look()
        assert listed(again) == ["swing-0", "swing-1", "swing-2"] and again.selected == tmp_path / "swing-1"
        await driver.shows("│swing  ", "3 shown · by name")
        assert again.query_one(FilterLine).is_on_screen
        await driver.press("slash", "escape", *["o"] * 3)
        await driver.until(lambda: len(listed(again)) == 6)
        await driver.hides("shown", "by name")
    last = Workbench(tmp_path, watch=False)
    async with last.run_test(size=size) as pilot:
        driver = Driver(last, pilot)
        await driver.look()
        assert len(listed(last)) == 6 and not last.query_one(FilterLine).is_on_screen


async def test_each_runs_root_has_its_own_and_a_first_run_in_focus_is_one_that_is_listed(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        runs(tmp_path / name)
    save(tmp_path / "one", "listing", {"filter": "seed=2 swing"})
    for name, focus, count in (("one", "swing-2", 1), ("other", "hopper-0", 6)):
        app = Workbench(tmp_path / name, watch=False)
        async with app.run_test(size=(120, 34)) as pilot:
            await Driver(app, pilot).look()
            assert app.selected == tmp_path / name / focus and len(listed(app)) == count


async def test_groups_are_there_again_with_the_run_in_focus_in_sight(tmp_path: Path) -> None:
    two_groups(tmp_path, seeds=3)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k5-s1")
        await driver.look()
        await driver.press("G")
        await driver.until(lambda: len(listed(app)) == 2)
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=(120, 34)) as pilot:
        driver = Driver(again, pilot)
        await driver.look()
        await driver.shows("2 groups")
        assert again.selected == tmp_path / "k5-s1" and "k5-s1" in listed(again) and len(listed(again)) == 5
        await driver.press("left")  # folds it, with the focus on the group
        await driver.until(lambda: len(listed(again)) == 2 and str(again.selected).startswith("group:"))
        again.select(tmp_path / "k1-s0")  # as the palette does
        await driver.until(lambda: "k1-s0" in listed(again))
        await driver.press("up", "enter")
        await driver.until(lambda: len(listed(again)) == 2)
        await driver.press("G")
        await driver.until(lambda: len(listed(again)) == 6)
    assert not RunsView(tmp_path).grouped


@pytest.mark.parametrize(
    "listing",
    [
        *(3, [], "swing", None, {"filter": 3, "sorted_by": [], "grouped": "yes"}),
        *({"filter": 'k>"', "sorted_by": "of another version"}, {"filter": "a" * 10_000}, {"grouped": 1}),
        {"filter": "nothing=1"},
    ],
)
def test_what_nobody_can_read_is_as_at_first(tmp_path: Path, listing: object) -> None:
    save(tmp_path, "listing", listing)
    view = RunsView(tmp_path)
    assert (view.filter, view.fault, view.sorted_by, view.grouped, view.filtered) == ("", "", "", False, False)


@pytest.mark.parametrize("text", ["{", '{"listing": ' + "[" * 100_000, json.dumps({"listing": {"filter": "\x1b[31m"}})])
async def test_a_garbled_file_lets_the_app_start(tmp_path: Path, text: str) -> None:
    runs(tmp_path)
    file = place(of_root("memory", tmp_path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("slash", "escape", "o")
        await driver.until(lambda: len(listed(app)) == 6)
        await driver.shows("by eval")
        assert "\x1b" not in driver.text()
