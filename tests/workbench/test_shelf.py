"""Name, tag, put away, throw away, bring back, on one run and on a group; and everything of one run on a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, put_status, status_of
from family import put_config
from seed_runs import two_groups
from textual.widgets import OptionList

from mbpo.runs.about import change_about, read_about
from mbpo.runs.layout import RunPaths
from mbpo.runs.trash import trashed_below
from workbench.app import Workbench
from workbench.format import byte_size, short_age
from workbench.run_index import RunIndex
from workbench.run_info import Facts, sections_of, with_words
from workbench.screens.about_form import AboutForm
from workbench.screens.confirm import Confirm
from workbench.screens.info_screen import InfoScreen
from workbench.screens.trash_dialogs import ConfirmDelete
from workbench.screens.trash_page import TrashPage
from workbench.widgets.runs_table import RunsTable


def listed(app: Workbench) -> list[str]:
    return [row.path.name for row in app.query_one(RunsTable)._rows]


def some_runs(root: Path) -> None:
    for index, name in enumerate(("one", "two", "three")):
        put_config(make_run(root, name, status_of("finished", started=2e9 - index), rows=5), seed=3)


async def test_a_title_is_seen_found_and_leaves_the_directory_as_it_is(tmp_path: Path) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(AboutForm, "N")
        await driver.press(*"best", "tab", *"fig", "tab", *"ok a=b")
        await driver.shows("a tag must be a word")
        await driver.press("enter")
        assert isinstance(app.screen, AboutForm)
        for _ in "=b":
            await driver.press("backspace")
        await driver.closes("enter")
        await driver.until(lambda: read_about(RunPaths(tmp_path / "one")).tags == ("ok", "a"))
        change_about(RunPaths(tmp_path / "one"), {"note": "another app says \x1b]0;evil\x07 \u202e this"})
        await driver.look()
        await driver.shows("best · one · ✓")
        await driver.press("slash", *"tag=ok note~evil", "enter")
        await driver.until(lambda: listed(app) == ["one"])
        form = await driver.opens(AboutForm, "N")
        await driver.shows("another app says �]0;evil� � this")
        await driver.closes("ctrl+s")  # nothing changed, nothing written
        assert form is not None and "\x1b" in read_about(RunPaths(tmp_path / "one")).note
        assert "\x1b]0;evil" not in app.export_screenshot()


async def test_put_away_and_back_by_one_key(tmp_path: Path) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("A")
        await driver.until(lambda: read_about(RunPaths(tmp_path / "one")).archived)
        await driver.look()
        assert listed(app) == ["one", "two", "three"]  # it has the focus: A again takes it back
        await driver.press("down")
        await driver.until(lambda: listed(app) == ["two", "three"])
        await driver.press("slash", *"archived", "enter")
        await driver.until(lambda: listed(app) == ["one"] and app.selected == tmp_path / "one")
        await driver.press("A")
        await driver.until(lambda: not read_about(RunPaths(tmp_path / "one")).archived)
        await driver.look()
        await driver.press("slash", "escape")
        await driver.until(lambda: listed(app) == ["one", "two", "three"])


async def test_deleted_restored_and_removed_for_good(tmp_path: Path) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "two")
        await driver.look()
        await driver.opens(ConfirmDelete, "D")
        await driver.shows("kB")
        await driver.closes("n")
        assert not trashed_below(tmp_path)
        await driver.opens(ConfirmDelete, "D")
        await driver.press("y")
        await driver.until(lambda: [each.place.name for each in trashed_below(tmp_path)] == ["two"])
        await driver.look()
        await driver.until(lambda: listed(app) == ["one", "three"] and app.selected == tmp_path / "three")
        await driver.command("trash", "trash")
        await driver.until(
            lambda: isinstance(app.screen, TrashPage) and app.screen.query_one(OptionList).option_count == 1
        )
        await driver.shows("1 run, ")
        await driver.press("r")
        await driver.shows("The trash is empty")
        assert (tmp_path / "two" / "metrics.jsonl").exists()
        await driver.closes("escape")
        await driver.look()
        app.select(tmp_path / "two")
        await driver.look()
        await driver.opens(ConfirmDelete, "D")
        await driver.press("y")
        await driver.until(lambda: len(trashed_below(tmp_path)) == 1)
        await driver.look()
        await driver.command("trash", "trash")
        await driver.until(
            lambda: isinstance(app.screen, TrashPage) and app.screen.query_one(OptionList).option_count == 1
        )
        await driver.opens(Confirm, "X")
        await driver.press("y")
        await driver.until(lambda: not trashed_below(tmp_path) and not (tmp_path / "two").exists())


async def test_one_at_work_is_not_deleted_by_the_table_nor_at_the_last_moment(tmp_path: Path) -> None:
    some_runs(tmp_path)
    make_run(tmp_path, "busy", status_of("running", started=3e9))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "busy")
        await driver.look()
        await driver.press("D")
        await driver.shows("busy is at work")
        app.select(tmp_path / "one")
        await driver.look()
        await driver.opens(ConfirmDelete, "D")
        put_status(tmp_path / "one", status_of("running"))
        await driver.press("y")
        await driver.shows("a learner is at work in one")
        assert (tmp_path / "one").exists()


async def test_a_group_is_tagged_put_away_and_deleted_together(tmp_path: Path) -> None:
    two_groups(tmp_path, seeds=3)
    change_about(RunPaths(tmp_path / "k5-s1"), {"title": "own", "tags": ["mine"]})
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k5-s0")
        await driver.look()
        await driver.press("G")
        await driver.shows("k=5 ×3")
        await driver.opens(AboutForm, "N")
        await driver.press("tab", *"sweep", "enter")
        await driver.until(
            lambda: all(read_about(RunPaths(tmp_path / f"k5-s{s}")).tags == ("sweep",) for s in range(3))
        )
        assert read_about(RunPaths(tmp_path / "k5-s1")).title == "own"
        await driver.opens(ConfirmDelete, "D")
        await driver.shows("3 runs")
        await driver.press("y")
        await driver.until(lambda: len(trashed_below(tmp_path)) == 3)
        await driver.look()
        await driver.until(lambda: all(name.startswith(("k1", "group:")) for name in listed(app)) and listed(app))


@pytest.mark.parametrize("key", ["N", "A", "D"])
async def test_read_only_changes_nothing(tmp_path: Path, key: str) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, readonly=True, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press(key)
        await driver.shows("Read-only")


async def test_the_page_of_one_run_has_everything_and_finds_it(tmp_path: Path) -> None:
    some_runs(tmp_path)
    put_config(tmp_path / "one", critic_lr=0.125, seed=3)
    (tmp_path / "one" / "manifest.json").write_text(
        json.dumps({"schema": 1, "versions": {"torch": "9.\x1b[5m9"}, "git_commit": "abc", "op": {"x": [1, {"y": 2}]}})
    )
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "one")
        await driver.look()
        await driver.press("i")
        await driver.until(lambda: isinstance(app.screen, InfoScreen))
        await driver.shows("critic_lr", "0.125  the preset has 0.001", "on disk")
        await driver.press("slash", *"--fork", "enter")
        await driver.shows("python -m mbpo.train --fork")
        await driver.press("escape")
        await driver.press("slash", *"torch", "enter")
        await driver.shows("9.�[5m9", "1 lines")
        await driver.hides("critic_lr")
        await driver.press("escape")
        await driver.shows("critic_lr")
        await driver.closes("escape")


def test_what_stands_on_the_page_comes_from_the_run_whatever_it_holds(tmp_path: Path) -> None:
    make_run(tmp_path, "bare", status_of("lost", preset="unknown\x1b"))
    (tmp_path / "bare" / "config.toml").write_text("not = [toml")
    row = RunIndex(tmp_path).rows()[0]
    deep: dict[str, object] = {"a": None}
    for _ in range(50):
        deep = {"a": deep}
    sections = sections_of(row, Facts(row.path, {"versions": 3, "deep": deep, "\x1b": "\x07"}, 10, 20))
    texts = [text for section in sections for line in section.lines for text in (line.name, line.value, line.note)]
    assert texts and all(text.isprintable() for text in texts)
    assert [line.name for section in with_words(sections, "doctor") for line in section.lines] == ["check"]


def test_sizes_and_ages_are_short() -> None:
    assert [byte_size(n) for n in (0, 999, 1000, 123_456, 5e9, 7e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "123 kB",
        "5.0 GB",
        "7.0 TB",
    ]
    assert [short_age(s) for s in (0, 99, 100, 5999, 6000, 1e5, 2e5, 1e9)] == [
        "0s",
        "99s",
        "1m",
        "99m",
        "1h",
        "27h",
        "2d",
        "31y",
    ]
