"""Columns are chosen, ordered and remembered; any of them sorts, and any setting filters."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of
from family import put_config

from mbpo.errors import ConfigError
from mbpo.runs.about import About, change_about
from mbpo.runs.layout import RunPaths
from workbench.app import Workbench
from workbench.memory import keep, kept
from workbench.messages import RunRow
from workbench.run_fields import FIELDS, cell_text, columns_to_choose
from workbench.run_filter import asks_for_archived, parse_filter
from workbench.run_index import RunIndex
from workbench.runs_view import RunsView
from workbench.screens.columns_page import ColumnsPage
from workbench.widgets.run_columns import cell, columns_for
from workbench.widgets.runs_table import RunsTable

ROW = RunRow(
    Path("/runs/run"),
    "finished",
    about=About(title="The best", note="a\x1b[31mb", tags=("paper", "fig-2")),
    settings={"critic_lr": 0.001, "rollout_schedule": [20, 150, 1, 15], "env_kwargs": {"g": 9.8}, "seed": 4},
    seed=4,
    started=time.time() - 7200,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tag=paper", True),
        ("tags=fig*", True),
        ("tag=none", False),
        ("tag!=paper", False),
        ("tag!=bad and note~a", True),
        ("title:best", True),
        ("best", True),  # a word of the title
        ("fig-2", True),  # a tag
        ("critic_lr<=0.001", True),
        ("critic_lr=1e-3", True),
        ("env_kwargs~9.8", True),
        ("rollout_schedule=20,150,1,15", True),
        ("age>1h and age<3h", True),
        ("age<90m", False),
        ("begun>2020-01-31", True),
        ("begun>'2999-01-31 12:00'", False),
        ("archived", False),
        ("archived=no", True),
        ("actor_lr=none", True),
    ],
)
def test_what_people_say_and_every_setting_is_a_field(text: str, found: bool) -> None:
    assert parse_filter(text)(ROW) is found


@pytest.mark.parametrize(("text", "said"), [("age<soon", "a time like 90s"), ("begun>May", "a date like 2026-01-31")])
def test_a_time_that_is_none_says_what_one_is(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_filter(text)


def test_archived_is_asked_for_by_the_word_only() -> None:
    assert asks_for_archived("not archived and k=3") and asks_for_archived("archived=yes")
    assert not any(map(asks_for_archived, ("'archived'", "k=3", "archive", '"')))


def test_every_column_writes_a_safe_cell_of_any_run() -> None:
    strange = replace(
        ROW, settings={name: {"a": [None, {}]} for name in columns_to_choose()}, started=1e300, env_steps=-5
    )
    for row in (ROW, strange, RunRow(Path("/x"), "unreadable")):
        for name in columns_to_choose():
            text = cell(row, name, 12).plain
            assert len(text) <= 12 and text.isprintable(), name
    assert cell_text(ROW, "age") == ("2h", True) and cell_text(ROW, "tags") == ("paper fig-2", False)


def test_chosen_columns_fill_the_width_in_their_order() -> None:
    assert [name for name, _ in columns_for(60, ("seed", "k", "critic_lr"))] == ["", "run", "seed", "k", "critic_lr"]
    assert [name for name, _ in columns_for(30, ("seed", "k", "critic_lr"))] == ["", "run", "seed"]
    assert sum(width + 2 for _, width in columns_for(60, ("seed", "k"))) == 60
    assert [name for name, _ in columns_for(60, ("eval",), grouped=True)][-1] == "band"


def test_what_is_remembered_by_another_version_or_by_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keep("columns", "k\nof_a_later_version\nk\nseed")
    assert RunsView().columns == ("k", "seed")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    keep("columns", "seed")
    assert kept("columns") == "" and RunsView().columns == ()


def test_a_listing_reads_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path, "run", status_of("finished"))
    put_config(path, seed=3, critic_lr=0.25)
    index = RunIndex(tmp_path)
    monkeypatch.setattr("workbench.run_index.SETTINGS_S", -1.0)
    assert index.rows()[0].settings == {} and index.behind  # the table does not wait for settings
    monkeypatch.setattr("workbench.run_index.SETTINGS_S", 60.0)
    row = index.rows()[0]
    assert (row.setting("critic_lr"), row.setting("rollout_length"), row.setting("gamma")) == (0.25, 3, 0.99)
    change_about(RunPaths(path), {"title": "new"})
    assert index.rows()[0].titled == "new"
    for name in ("read_settings", "read_about", "load_status"):
        monkeypatch.setattr(f"workbench.run_index.{name}", lambda paths: 1 / 0)
    assert index.rows()[0] == replace(row, about=About(title="new"))


@pytest.mark.parametrize("size", [(60, 18), (120, 34)])
async def test_columns_are_chosen_ordered_and_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    for seed in range(3):
        put_config(
            make_run(tmp_path, f"run-{seed}", status_of("finished", seed=seed)), seed=seed, critic_lr=10.0**-seed
        )
    app = Workbench(tmp_path, readonly=True, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        page = await driver.opens(ColumnsPage, "O")
        await driver.until(lambda: page.query_one("#columns-list").option_count == len(columns_to_choose()))  # type: ignore[attr-defined]
        shown = list(page._chosen)
        await driver.press("slash", *"critic_lr", "enter", "space")
        await driver.until(lambda: page._chosen == [*shown, "critic_lr"])
        await driver.press("escape")
        for _ in shown:
            page._show(page._listed().index("critic_lr"))
            await driver.press("left_square_bracket")
        await driver.until(lambda: page._chosen == ["critic_lr", *shown])
        await driver.closes("enter")
        await driver.until(lambda: app.query_one(RunsTable).shown_columns[:2] == ("run", "critic_lr"))
        await driver.shows("critic_lr", "0.01")
        while driver.bench.selection.view.sorted_by != "critic_lr":
            await driver.press("o")
        await driver.until(lambda: [r.path.name for r in app.query_one(RunsTable)._rows] == ["run-0", "run-1", "run-2"])
    assert RunsView().columns == ("critic_lr", *shown)
    assert set(FIELDS) - {"name"} <= set(columns_to_choose())
