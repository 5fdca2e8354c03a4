"""A study is a line above its runs: how many are done, at work, waiting, cut off and failed, and ``g`` goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of
from study_runs import ELSEWHERE, a_thousand, add_run, half_done, write_study

from mbpo.runs import find
from mbpo.runs.queue import Queue
from mbpo.studies.folder import KEPT, driven, slurm_folder, state_of
from mbpo.studies.samples import keep_sample
from mbpo.studies.standing import AT_WORK, CUT_OFF, FAILED, FINISHED, MISSING
from mbpo.studies.study import sample_of
from workbench import study_index
from workbench.app import Workbench
from workbench.messages import Reading
from workbench.queueing import Queueing
from workbench.runs_view import RunsView
from workbench.study_rows import StudyRow, path_of
from workbench.study_starter import StudyStarter
from workbench.watcher import Watcher
from workbench.widgets.runs_table import RunsTable
from workbench.widgets.study_words import study_lines

NOTES = "import pathlib, sys; pathlib.Path('{file}').write_text(' '.join(sys.argv[1:]))"
SIZES = [(80, 24), (160, 45)]


def read(root: Path) -> Reading:
    return Watcher(root, lambda message: None).look()


def viewed(root: Path) -> tuple[RunsView, Reading]:
    view, reading = RunsView(), read(root)
    view.studies = reading.studies
    return view, reading


def head(root: Path) -> StudyRow:
    view, reading = viewed(root)
    found = view.study(reading.rows, path_of(reading.studies[0]))
    assert found is not None
    return found


def lines(root: Path, view: RunsView) -> list[str]:
    reading = read(root)
    view.studies = reading.studies
    return [f"{row.lines}{row.run_id}" for row in view.arranged(reading.rows, None, {})]


def an_app(root: Path, code: str = NOTES, **changes: object) -> Workbench:
    """Return an app whose runner starts nothing, and whose driver is a stand-in."""
    queueing = Queueing(root, start=lambda queue: None)
    driver = (sys.executable, "-c", code.format(file=root.parent / "args"))
    starter = StudyStarter(queueing, driver)
    return Workbench(root, watch=False, queueing=queueing, study_starter=starter, **changes)  # type: ignore[arg-type]


async def said(driver: Driver, text: str) -> None:
    await driver.until(lambda: any(text in notice.message for notice in driver.app._notifications))


# What is counted


def test_every_run_that_is_asked_for_is_counted_once(tmp_path: Path) -> None:
    folder = half_done(tmp_path)
    row = head(tmp_path)
    assert row.counts == {FINISHED: 2, AT_WORK: 1, CUT_OFF: 2, FAILED: 1, MISSING: 2} and row.asked == 8
    assert row.troubles[0].path.name == "k1-s2" and row.troubles[0].reason == "out of memory"
    assert row.waiting == ["k1-s3", "k5-s3"]
    assert (row.state, row.study.engine, row.study.words) == ("running", "slurm", "2 k × 4 seeds")
    add_run(folder, 9, 0)  # of a value that the study has no more
    assert head(tmp_path).asked == 8


def test_a_run_that_could_not_begin_has_failed_and_says_why(tmp_path: Path) -> None:
    folder = half_done(tmp_path)
    slurm = slurm_folder(folder)
    slurm.mkdir(parents=True, exist_ok=True)
    (slurm / "7.runs").write_text("k5-s3")
    (slurm / "7_0.txt").write_text("error: no such environment\n")
    row = head(tmp_path)
    assert row.counts == {FINISHED: 2, AT_WORK: 1, CUT_OFF: 2, FAILED: 2, MISSING: 1} and row.asked == 8
    assert [(run.path.name, run.reason) for run in row.troubles[:2]] == [
        ("k1-s2", "out of memory"),
        ("k5-s3", "no such environment"),
    ]
    assert row.waiting == ["k1-s3"]
    add_run(folder, 5, 3)  # it was submitted again, and has finished
    assert head(tmp_path).counts == {FINISHED: 3, AT_WORK: 1, CUT_OFF: 2, FAILED: 1, MISSING: 1}


def test_a_learner_on_another_host_is_judged_by_its_heartbeat(tmp_path: Path) -> None:
    folder = write_study(tmp_path, seeds=1)
    for k, age in ((1, 30.0), (5, 90.0)):
        add_run(folder, k, 0, state="running", **ELSEWHERE | {"heartbeat": time.time() - age})
    assert head(tmp_path).counts == {AT_WORK: 1, CUT_OFF: 1}


def test_a_study_that_has_not_begun_is_listed(tmp_path: Path) -> None:
    write_study(tmp_path)
    row = head(tmp_path)
    assert (row.counts, row.state) == ({MISSING: 8}, "waiting")
    assert lines(tmp_path, RunsView()) == ["swing"]


def test_what_a_study_asks_for_is_read_again_when_its_file_changes_and_else_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_study(tmp_path)
    watcher = Watcher(tmp_path, lambda message: None)
    assert len(watcher.look().studies[0].runs) == 8
    (folder / "new").write_text((folder / KEPT).read_text().replace("0:4", "0:5"))
    (folder / "new").replace(folder / KEPT)
    assert len(watcher.look().studies[0].runs) == 10
    monkeypatch.setattr(study_index, "read_kept", lambda folder: 1 / 0)
    assert len(watcher.look().studies[0].runs) == 10


def test_of_a_search_the_samples_that_are_not_drawn_wait_too(tmp_path: Path) -> None:
    folder = write_study(tmp_path, seeds=2, engine="ray")
    axes = "[axes]\nrollout_length = [1, 5]"
    search = "total_steps = 1000\n[search]\nsamples = 6\n[search.space]\nrollout_length = [1, 5, 9]"
    (folder / KEPT).write_text((folder / KEPT).read_text().replace(axes, search))
    assert head(tmp_path).counts == {MISSING: 12} and head(tmp_path).study.is_search
    keep_sample(state_of(folder), sample_of({"rollout_length": 5}))
    add_run(folder, 5, 1)
    assert head(tmp_path).counts == {FINISHED: 1, MISSING: 11}
    add_run(folder, 5, 0, state="stopped", end=500)
    assert head(tmp_path).counts == {FINISHED: 1, CUT_OFF: 1, MISSING: 10}
    keep_sample(state_of(folder), replace(sample_of({"rollout_length": 5}), given_up=True))
    assert head(tmp_path).counts == {FINISHED: 2, MISSING: 10}


def test_runs_that_failed_alike_share_a_line_and_what_has_room_is_not_cut_off(tmp_path: Path) -> None:
    folder, why = write_study(tmp_path, seeds=2), "no module named robots; python -m pip install robots installs it"
    slurm_folder(folder).mkdir()
    (slurm_folder(folder) / "7.runs").write_text("k1-s0\nk5-s0\nk1-s1")
    for task in range(3):
        (slurm_folder(folder) / f"7_{task}.txt").write_text(f"error: {why}\n")
    row = head(tmp_path)
    assert plain(row, 120, 4) == [f"✗ 3 failed: {why} (k1-s0, k5-s0, k1-s1)", "○ 1 waiting: k5-s1"]
    assert plain(row, 40, 4) == [
        "✗ 3 failed: no module named robots;",
        "python -m pip install robots installs it",
        "(k1-s0, k5-s0, k1-s1)",
        "○ 1 waiting: k5-s1",
    ]
    assert plain(row, 40, 2) == ["✗ 3 failed: no module named robots; pyt…", "○ 1 waiting: k5-s1"]


def plain(row: StudyRow, width: int, height: int) -> list[str]:
    return [line.plain for line in study_lines(row, width, height)]


# Where it stands


def test_a_study_stands_above_its_runs_and_apart_from_others(tmp_path: Path) -> None:
    folder = half_done(tmp_path)
    make_run(tmp_path, "alone", status_of("finished", started=5.0))
    make_run(tmp_path, "a-fork", status_of("finished", parent="k1-s0@500", started=9.0))
    view = RunsView()
    found = lines(tmp_path, view)
    assert found[0] == "swing" and len(found) == 9
    assert {line.lstrip("├└│ ") for line in found[1:7]} == {"k1-s0", "k5-s0", "k1-s1", "k5-s1", "k1-s2", "k5-s2"}
    view.closed.add(path_of(read(tmp_path).studies[0]))
    assert set(lines(tmp_path, view)) == {"swing", "alone", "a-fork"}
    view.grouped = True
    view.closed.clear()
    grouped = lines(tmp_path, view)
    assert [line for line in grouped if line[0] in "├└"] == ["├k=1", "└k=5"], grouped
    view.ask("state=failed")
    assert lines(tmp_path, view) == ["swing", "└k1-s2"]
    assert folder.exists()


def test_equal_settings_in_two_studies_are_two_groups(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = write_study(tmp_path, name, seeds=2)
        for seed in (0, 1):
            add_run(folder, 1, seed)
    view = RunsView()
    view.grouped = True
    view.studies = read(tmp_path).studies
    groups = view.groups(read(tmp_path).rows, None)
    assert len({group.path for group in groups}) == 2 and [len(group.rows) for group in groups] == [2, 2]


@pytest.mark.parametrize("content", ["[", 'name = "swing"\nseeds = "x"', "name = 3"])
async def test_a_file_that_cannot_be_read_is_said_in_a_line_and_hides_nothing(tmp_path: Path, content: str) -> None:
    folder = half_done(tmp_path)
    (folder / KEPT).write_text(content)
    app = an_app(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.look()
        await said(driver, "The study swing cannot be read: ")
        assert len(app._notifications) == 1
        names = [row.path.name for row in app.query_one(RunsTable)._rows]
        assert {"k1-s0", "k5-s0", "k1-s1", "k5-s1", "k1-s2", "k5-s2"} < set(names)


# On screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_study_and_its_arms_on_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    half_done(tmp_path)
    app = an_app(tmp_path)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("G", "up")
        await driver.until(lambda: app.selected == path_of(app._bench.selection.reading.studies[0]))
        await driver.look()
        await driver.shows("2 of 8 done", "1 failed", "2 cut off", "1 running", "2 waiting")
        await driver.look()
        await driver.screen(f"study-{size[0]}x{size[1]}")


async def test_it_folds_and_unfolds(tmp_path: Path) -> None:
    half_done(tmp_path)
    app = an_app(tmp_path)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("▾ swing", "k1-s0")
        await driver.press("left")
        await driver.shows("▸ swing")
        await driver.hides("k1-s0")
        await driver.press("right", "down")
        await driver.shows("▾ swing", "k1-s0")
        await driver.press("up", "enter")
        await driver.shows("▸ swing")
        app.select(tmp_path / "swing" / "k1-s0")  # as by the palette
        await driver.look()
        await driver.shows("▾ swing", "k1-s0")


async def test_without_runs_its_line_is_there(tmp_path: Path) -> None:
    write_study(tmp_path)
    app = an_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("swing · 0 of 8 done", "8 waiting", "0/8")
        await driver.press("c", "d", "G", "G", "N", "enter", "enter", "x")
        await driver.shows("0/8")


# Going on


async def test_a_run_goes_on_by_the_engine_that_had_it(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    folder = half_done(root)
    app = an_app(root)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        for name, state in (("k1-s2", "failed"), ("k5-s1", "silent"), ("k5-s2", "stopped")):
            (tmp_path / "args").unlink(missing_ok=True)
            app.select(folder / name)
            await driver.look()
            assert app._bench.selection.row is not None and app._bench.selection.row.state == state
            await driver.press("g")
            await said(driver, f"Going on with {name} on slurm")
            given = await driver.until_given(tmp_path)
            assert given == f"{folder / KEPT} --runs-root {root} --on slurm --only {name} --detach"
        assert not app.launcher.launches and not Queue(root).read().entries
        app.select(folder / "k1-s0")
        await driver.look()
        await driver.press("g")
        await said(driver, "k1-s0 is finished: only what is lost")
        await driver.until(lambda: not app.study_starter.driving)
        assert not list((root / ".launch").iterdir())


async def test_a_study_goes_on_with_all_that_is_left(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    folder = half_done(root, engine="ray")
    app = an_app(root)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(path_of(read(root).studies[0]))
        await driver.look()
        await driver.press("g")
        assert await driver.until_given(tmp_path) == f"{folder / KEPT} --runs-root {root} --on ray"
        await driver.until(lambda: not app.study_starter.driving)


async def test_why_it_does_not_go_on_is_said_in_the_words_of_the_command(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    folder = half_done(root)
    app = Workbench(root, watch=False)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(folder / "k1-s2")
        await driver.look()
        with driven(folder):
            await driver.press("g")
            await said(driver, f"Not gone on with swing: {folder} is driven by another python -m mbpo.study")
        folder.rename(root / "other")
        app.select(root / "other" / "k1-s2")
        await driver.look()
        await driver.press("g")
        await said(driver, f"{root / 'other'} is not called swing, as its study is: rename it")
    assert not app.study_starter.driving


async def test_here_a_run_goes_on_in_the_queue(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    folder = half_done(root, engine="local")
    app = an_app(root)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(folder / "k1-s2")
        await driver.look()
        await driver.press("g")
        await said(driver, "k1-s2 waits in the queue")
        assert [entry.run_id for entry in Queue(root).read().entries] == ["swing/k1-s2"]
        app.select(path_of(read(root).studies[0]))
        await driver.look()
        await driver.press("g")
        await said(driver, "5 runs of swing are in the queue")
        names = {entry.run_id.split("/")[1] for entry in Queue(root).read().entries}
        assert names == {"k1-s2", "k5-s2", "k5-s1", "k1-s3", "k5-s3"}


@pytest.mark.parametrize("opened", [".", "sub/swing"])
async def test_a_study_may_lie_deeper_or_be_what_is_opened(tmp_path: Path, opened: str) -> None:
    folder = half_done(tmp_path / "sub", engine="local")
    started: list[Path] = []
    queueing = Queueing(tmp_path / opened, start=lambda queue: started.append(queue.root))
    app = Workbench(tmp_path / opened, watch=False, queueing=queueing)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(folder / "k5-s2")
        await driver.look()
        await driver.shows("swing", "2/8", "└ k5-s2")
        await driver.press("g")
        await said(driver, "k5-s2 waits in the queue")
    assert [entry.run_id for entry in Queue(folder.parent).read().entries] == ["swing/k5-s2"]
    assert folder.parent in started


async def test_who_only_watches_starts_nothing(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    folder = half_done(root)
    app = an_app(root, readonly=True)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        for path in (folder / "k1-s2", path_of(read(root).studies[0])):
            app.select(path)
            await driver.look()
            await driver.press("g")
        app.go_on_in_study(read(root).studies[0])
        await said(driver, "Read-only")
    assert not app.study_starter.driving and not (root / ".launch").exists() and not Queue(root).read().entries


# Many


def test_a_thousand_runs_are_listed(tmp_path: Path) -> None:
    a_thousand(tmp_path)
    view, reading = viewed(tmp_path)
    assert len(view.arranged(reading.rows, None, {})) == 1001
    assert head(tmp_path).counts == {FINISHED: 998, AT_WORK: 2}


def test_what_is_known_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = half_done(tmp_path)
    watcher = Watcher(tmp_path, lambda message: None)
    watcher.look()
    monkeypatch.setattr(find, "is_run", lambda path: path == folder / "new")  # nor is it asked whether it is a run
    assert len(watcher.look().rows) == 6
    for file in ("status.json", "config.toml", "metrics.jsonl"):
        (folder / "k1-s0" / file).unlink()
    watcher.look()
    assert len(watcher.look().rows) == 5  # what is no run any more is listed no more
