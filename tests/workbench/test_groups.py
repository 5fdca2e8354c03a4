"""Runs that differ by their seed only, as one line, one band, one letter: the figures are those of ``mbpo.compare``."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import Driver
from fake_run import put_status, status_of
from seed_runs import ENDED, add_seed, two_groups

from mbpo import compare
from mbpo.comparison.statistics import iqm_band, iqm_interval
from workbench import group_reader, seed_follower
from workbench.app import Workbench
from workbench.charts.picture import GREY
from workbench.group_figures import GroupsRead
from workbench.group_reader import GroupReader
from workbench.groups_side_by_side import compare_groups
from workbench.messages import RunRow
from workbench.run_groups import groups_of
from workbench.run_index import RunIndex
from workbench.screens.chart_panels import ChartPanels
from workbench.widgets.chart import Chart
from workbench.widgets.group_table import group_table
from workbench.widgets.runs_table import RunsTable


def read(root: Path) -> tuple[RunRow, ...]:
    return RunIndex(root).rows()


def figures(root: Path, drawn: bool = True) -> tuple[GroupReader, GroupsRead]:
    rows, reader = read(root), GroupReader()
    reader.asked = tuple(group.asked(drawn) for group in groups_of(rows, rows))
    reader.poll()
    while reader.has_backlog:
        reader.poll()
    return reader, reader.poll()


def row(name: str, alike: str, seed: int = 0, **facts: Any) -> RunRow:
    return RunRow(
        Path("/runs") / name, "finished", alike=alike, seed=seed, settings={"env_id": "E", "preset": "p"}, **facts
    )


def members(*rows: RunRow) -> list[list[str]]:
    return [[each.path.name for each in group.rows] for group in groups_of(rows, rows)]


def test_seeds_make_a_group_and_nothing_else_does() -> None:
    found = members(
        row("a1", "a", 1), row("b", "b"), row("a0", "a"), row("hand", "a", 2, interactive=True), row("new", "")
    )
    assert found == [["a0", "a1"]]


def test_forks_are_of_a_group_where_their_origins_are() -> None:
    bases = [row("a0", "a"), row("a1", "a", 1), row("b0", "b")]
    forks = [row(f"f-{base.path.name}", "f", base.seed, parent=f"{base.path.name}@600") for base in bases]
    later = row("later", "f", 5, parent="a0@900")
    away = [row(f"g{seed}", "f", seed, parent="away@600") for seed in (0, 1)]
    circle = [row("x", "c", parent="y@1"), row("y", "c", parent="x@1")]
    found = members(*bases, *forks, later, *away, *circle)
    assert found[:3] == [["a0", "a1"], ["f-a0", "f-a1"], ["g0", "g1"]]


def test_forks_alike_of_different_runs_are_named_by_those() -> None:
    bases = [row(f"{name}{seed}", name, seed) for name in "ab" for seed in (0, 1)]
    forks = [row(f"f-{base.path.name}", "f", base.seed, parent=f"{base.path.name}@600") for base in bases]
    assert [group.name for group in groups_of(forks, [*bases, *forks])] == ["fork=a0@600", "fork=b0@600"]


def test_of_one_seed_twice_the_newest_counts() -> None:
    rows = (row("old", "a", 0, started=1.0), row("new", "a", 0, started=2.0), row("one", "a", 1))
    group = groups_of(rows, rows)[0]
    assert [each.path.name for each in group.seeds] == ["new", "one"] and len(group.rows) == 3


def test_a_band_is_the_interval_at_each_point() -> None:
    scores = np.random.default_rng(3).normal(size=(5, 9))
    low, high = iqm_band(scores, np.random.default_rng(0), 300)
    wanted = [iqm_interval([point], np.random.default_rng(0), 300) for point in scores]
    assert list(zip(low, high, strict=True)) == wanted
    assert np.isnan(iqm_band(scores[:, :1], np.random.default_rng(0), 300)).all()


def test_line_table_and_command_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_groups(tmp_path, seeds=5)
    add_seed(tmp_path, "k1-late", 7, 1, end=500, state="running")  # all share step 500 only
    _, found = figures(tmp_path)
    assert compare.main([str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["environments"][0]
    by_at = {score["group"]: score for score in told["scores"]}
    assert {score.at for score in found.common.values()} == {500.0}
    assert sorted(score.iqm for score in found.common.values()) == sorted(score["iqm"] for score in by_at.values())
    bands = sorted(score.band for score in found.common.values())
    assert bands == sorted(tuple(score["iqm_interval"]) for score in by_at.values())
    shares = {round(versus.better, 9) for versus in found.versus.values()}
    better = told["pairs"][0]["improvement"]
    assert shares == {round(better, 9), round(1 - better, 9)}
    assert sorted(score.at for score in found.scores.values()) == [500.0, 1000.0]  # of each alone
    for path, score in found.scores.items():
        band = found.details[path].bands["eval/return_mean"]
        assert (band.x[-1], band.middle[-1], band.low[-1], band.high[-1]) == pytest.approx(
            (score.at, score.iqm, *score.band)
        )


def test_reading_is_done_in_pieces_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_groups(tmp_path)
    monkeypatch.setattr(group_reader, "LOOK_S", 0.0)
    rows, reader = read(tmp_path), GroupReader()
    reader.asked = tuple(group.asked(False) for group in groups_of(rows, rows))
    looks = 0
    while [score.read for score in reader.poll().scores.values()] != [True, True]:
        looks += 1
        assert looks < 200
    assert looks > 8  # a piece or a figure at a time
    reader.poll()
    monkeypatch.setattr(seed_follower.SeedFollower, "poll", lambda self: 1 / 0)
    assert reader.poll() is reader.poll()  # what has ended is not read again


def test_a_large_run_waits_until_its_group_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_groups(tmp_path)
    monkeypatch.setattr(seed_follower, "UNASKED_BYTES", 100)
    reader, found = figures(tmp_path, drawn=False)
    assert all(math.isnan(score.iqm) and not score.read for score in found.scores.values())
    reader.asked = tuple(replace(asked, drawn=True) for asked in reader.asked)
    found = reader.poll()
    while not all(score.read for score in found.scores.values()):
        found = reader.poll()
    assert all(score.seeds == 4 for score in found.scores.values())


def test_many_groups_are_set_against_one_alone(tmp_path: Path) -> None:
    for k in range(1, 10):
        for seed in range(2):
            add_seed(tmp_path, f"k{k}-s{seed}", seed, k, gain=10.0 * k)
    rows = read(tmp_path)
    groups = groups_of(rows, rows)
    few, many = ({group.path: letter for group, letter in zip(groups[:n], "ABCDEFGHI", strict=False)} for n in (8, 9))
    focus = groups[2].path
    asked = {
        n: compare_groups(rows, groups, letters, focus, GroupsRead()).asked for n, letters in ((8, few), (9, many))
    }
    assert not any(one.against for one in asked[8].values())
    assert [path for path, one in asked[9].items() if one.against] == [focus]
    reader, found = GroupReader(), {}
    for n, wanted in asked.items():
        reader.asked = tuple(wanted.values())
        reader.poll()
        while reader.has_backlog:
            reader.poll()
        found[n] = reader.poll()
    assert len(found[8].versus) == 8 * 7 and len(found[9].versus) == 2 * 8
    both = found[8].versus.keys() & found[9].versus.keys()
    assert len(both) == 14 and all(found[8].versus[pair] == found[9].versus[pair] for pair in both)
    told = group_table(compare_groups(rows, groups, many, focus, found[9]), 120, 14).plain
    assert told.count("beats") == 1 and "beats C" in told and "each is set against C alone" in told
    assert compare_groups(rows, groups, many, None, found[9]).against[0].letter == "A"


async def test_all_lines_are_marked_groups_and_single_runs(tmp_path: Path) -> None:
    two_groups(tmp_path, seeds=2)
    add_seed(tmp_path, "lone", 0, 9)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k5-s0")
        await driver.look()
        await driver.press("G", "enter", "asterisk")
        marks = driver.bench.selection.marks
        await driver.until(lambda: "".join(marks.letters.values()) == "ABC")
        assert sum(str(path).startswith("group:") for path in marks.letters) == 2
        await driver.look()
        await driver.until(lambda: {line.letter for line in drawn(app, "return").lines} == {"A", "B", "C"})
        await driver.press("asterisk")
        await driver.until(lambda: not marks.letters)


def lines(app: Workbench) -> list[str]:
    return [each.run_id for each in app.query_one(RunsTable)._rows]


def drawn(app: Workbench, name: str) -> Any:
    return app.query_one(ChartPanels).query_one(f"#chart-{name}", Chart).picture


@pytest.mark.parametrize("size", [(120, 34), (60, 18)])
async def test_groups_fold_unfold_and_compare(tmp_path: Path, size: tuple[int, int]) -> None:
    two_groups(tmp_path)
    add_seed(tmp_path, "lone", 0, 9)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k1-s2")
        await driver.look()
        await driver.press("G")
        await driver.until(lambda: len(lines(app)) == 3 and "lone" in lines(app))
        assert "k=1" in lines(app) and str(app.selected).startswith("group:")
        await driver.look()
        await driver.shows("k=1 ×4", "IQM −122")
        await driver.press("s")
        await driver.shows("A group of seeds is in")
        await driver.until(lambda: [line.low is not None for line in drawn(app, "return").lines if line.bold] == [True])
        assert sum(line.color == GREY for line in drawn(app, "return").lines) == 4  # its seeds, thin
        for name in ("bound", "error", "length", "ratio"):
            assert drawn(app, name).lines, name
        await driver.press("c")
        await driver.press("right")
        await driver.until(lambda: len(lines(app)) == 7 and "k1-s0" in lines(app))
        at = lines(app).index("k=1")
        assert lines(app)[at + 1 : at + 5] == [f"k1-s{seed}" for seed in range(4)]
        await driver.press("down")
        await driver.until(lambda: app.selected == tmp_path / "k1-s0")
        await driver.press("left")
        await driver.until(lambda: len(lines(app)) == 3 and str(app.selected).startswith("group:"))
        other = next(each.path for each in app.query_one(RunsTable)._rows if each.run_id == "k=5")
        app.select(other)
        await driver.press("c")
        await driver.look()
        await driver.until(lambda: {line.letter for line in drawn(app, "return").lines} == {"A", "B"})
        if size == (120, 34):
            await driver.shows("beats A", "groups compared", "k  IQM at 1,000")
        await driver.press("d")
        await driver.shows("They differ in k.", "P(a seed of A beats one of B) = 0.")
        await driver.closes("escape")
        await driver.press("G")
        await driver.until(lambda: len(lines(app)) == 9)
        assert app.selected is not None and app.selected.parent == tmp_path


async def test_a_filter_takes_a_failed_seed_out_of_its_group(tmp_path: Path) -> None:
    two_groups(tmp_path)
    add_seed(tmp_path, "k1-cut", 9, 1, end=500, state="failed", reason="the \x1b[31mpole broke")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k1-s0")
        await driver.look()
        await driver.press("G")
        await driver.look()
        await driver.shows("×5", "at 500 steps", "Seed 9 (failed) ends at 500", "✗ seed 9")
        await driver.press("slash", *"!failed", "enter")
        await driver.until(lambda: "k=1" in lines(app))
        await driver.look()
        await driver.shows("k=1 ×4", "at 1,000 steps")
        await driver.hides("Seed 9")


async def test_a_group_in_focus_lives_with_its_runs(tmp_path: Path) -> None:
    """A seed that ends, one that comes, and a group that falls apart."""
    two_groups(tmp_path, seeds=2)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k5-s0")
        await driver.look()
        await driver.press("G")
        await driver.shows("k=5 ×2")
        add_seed(tmp_path, "k5-s2", 2, 5, state="running")
        await driver.look()
        await driver.look()
        await driver.shows("k=5 ×3", "● 1 running")
        for name in ("k5-s1", "k5-s2"):
            put_status(tmp_path / name, status_of("finished", **{**ENDED, "interactive": True}))
        await driver.look()
        await driver.until(lambda: "k5-s1" in lines(app))
        await driver.until(lambda: app.selected is not None and app.selected.parent == tmp_path)


async def test_groups_on_screen(tmp_path: Path) -> None:
    two_groups(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "k5-s0")
        await driver.look()
        await driver.press("G")
        await driver.look()
        await driver.shows("IQM −110")
        await driver.screen("groups-160x45")
