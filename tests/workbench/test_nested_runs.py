"""Watch, resume and remember runs in folders below the root, and behind links."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from driving import STAND_IN, Driver, end_stand_in
from fake_run import lost_status, make_run, status_of

from workbench.app import Workbench
from workbench.fork_tree import descent, in_tree
from workbench.last_selected import load_selected, save_selected
from workbench.launcher import Launcher
from workbench.run_index import RunIndex


def two_groups(root: Path) -> None:
    for group in ("a", "b"):
        make_run(root / group, "base", status_of("finished"), rows=60)
        make_run(root / group, "fork", status_of("finished", parent="base@600"))
    make_run(root, "lone", status_of("finished", parent="fork@700"))
    make_run(root, "orphan", status_of("finished", parent="gone@600"))


def test_runs_of_one_name_in_two_folders_are_two_families(tmp_path: Path) -> None:
    two_groups(tmp_path)
    rows = in_tree(RunIndex(tmp_path).rows())
    drawn = {f"{row.lines}{row.run_id}" for row in rows}
    assert drawn == {"a/base", "└a/fork", " └lone", "b/base", "└b/fork", "orphan"}
    by_name = {row.run_id: row for row in rows}
    assert by_name["b/fork"].parent == "b/base@600"
    assert by_name["orphan"].parent == "gone@600"
    assert descent(by_name["lone"], by_name).keys() == {"lone", "a/fork", "a/base"}


def test_a_run_behind_a_link_is_listed_where_the_link_is(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    real = make_run(tmp_path / "disk", "s1", status_of("finished"))
    make_run(root, "s0", status_of("finished"))
    (root / "moved").symlink_to(real)
    (root / "loop").symlink_to(root)
    assert {row.path for row in RunIndex(root).rows()} == {root / "s0", root / "moved"}


def test_the_root_may_be_a_run_itself(tmp_path: Path) -> None:
    path = make_run(tmp_path, "only", status_of("finished"))
    (row,) = RunIndex(path).rows()
    assert (row.run_id, row.path) == ("only", path)


def test_a_run_without_a_status_says_so(tmp_path: Path) -> None:
    path = make_run(tmp_path, "old", status_of("finished"), rows=5)
    (path / "status.json").unlink()
    (row,) = RunIndex(tmp_path).rows()
    assert (row.run_id, row.state) == ("old", "unreadable")


def test_the_run_in_focus_is_remembered_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "runs"
    two_groups(root)
    for path in (root / "b" / "base", root / "lone", root):
        save_selected(root, path)
        assert load_selected(root) == path
    (kept,) = (tmp_path / "state" / "mbpo-workbench").iterdir()
    for name in ("../state", str(tmp_path), "a/../../state", ""):
        kept.write_text(name)
        assert load_selected(root) is None


async def test_a_nested_run_is_shown_and_goes_on_where_it_is(tmp_path: Path) -> None:
    path = make_run(tmp_path / "group", "gone", lost_status(), rows=60)
    launcher = Launcher(tmp_path, (sys.executable, "-c", STAND_IN))
    app = Workbench(tmp_path, watch=False, launcher=launcher)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(path)
        await driver.look()
        await driver.shows("group/gone", "lost")
        await driver.press("g")
        assert await driver.until_given(tmp_path) == f"--resume {path}"
        await driver.shows("Going on with group/gone.")
        await driver.look()
        await driver.shows("launching")
        end_stand_in(tmp_path, launcher)
