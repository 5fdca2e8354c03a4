"""Fork and resume runs from the app, with a stand-in for the learner."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from driving import STAND_IN, Driver, end_stand_in
from fake_run import add_checkpoint, add_event, lost_status, make_run, put_status, status_of
from textual.widgets import Input

from workbench.app import Workbench
from workbench.launcher import Launcher
from workbench.screens.fork_form import ForkForm

SIZES = [(80, 24), (160, 45)]


def workbench(root: Path, code: str = STAND_IN, readonly: bool = False) -> Workbench:
    launcher = Launcher(root, (sys.executable, "-c", code))
    return Workbench(root, watch=False, launcher=launcher, readonly=readonly)


def a_family(root: Path) -> None:
    base = make_run(root, "base", status_of("finished"), rows=60)
    with (base / "config.toml").open("a") as config:
        config.write("total_steps = 4000\n")
    add_checkpoint(base, 1000, rollout_length=1)
    add_checkpoint(base, 1240)
    make_run(root, "base-k5", status_of(parent="base@600"))
    make_run(root, "base-k9", status_of("stopped", parent="base@1000"))
    make_run(root, "deeper", status_of("finished", parent="base-k5@800"))
    make_run(root, "orphan", lost_status(parent="gone@600"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_table_is_a_tree_and_the_form_fits(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the command shown is relative to it
    a_family(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base")
        await driver.look()
        await driver.screen(f"tree-{size[0]}x{size[1]}")
        await driver.press("0")
        await driver.screen(f"tree-wide-{size[0]}x{size[1]}")
        await driver.press("0")
        form = await driver.opens(ForkForm, "f")
        await driver.until(lambda: form.focused is form.query_one("#fork-rollout_length"))
        await driver.press("end", "backspace", "5")
        await driver.screen(f"fork-{size[0]}x{size[1]}")


async def test_the_charts_of_a_fork_show_where_it_begins(tmp_path: Path) -> None:
    make_run(tmp_path, "fork", status_of(parent="base@300"), rows=60)
    make_run(tmp_path, "liar", status_of(parent="base@999999"), rows=60)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        for name, shown in (("fork", True), ("liar", False)):
            app.select(tmp_path / name)
            await driver.look()
            await driver.shows(f" {name} ·", "e episodes")
            await (driver.shows if shown else driver.hides)("┊⑂ fork")


async def test_a_fork_starts_from_the_newest_checkpoint_with_what_was_changed(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base")
        await driver.look()
        form = await driver.opens(ForkForm, "f")
        await driver.fill("#fork-total_steps", "1240")
        await driver.shows("total_steps must be more than the 1,240")
        await driver.fill("#fork-total_steps", "3000")
        await driver.fill("#fork-real_ratio", "2")
        await driver.press("enter")
        await driver.shows("real_ratio must lie in [0, 1], got 2")
        assert app.screen is form
        await driver.fill("#fork-real_ratio", "0.1")
        await driver.fill("#fork-seed", "7")
        await driver.closes("enter")
        await driver.look()
        assert app.selected is not None and app.selected.name.startswith("pendulum-s7-")
        row = next(row for row in app.rows if row.path == app.selected)
        assert (row.state, row.parent, row.lines) == ("launching", "base@1240", "└")
        shown = await driver.until_given(tmp_path)
        assert shown == (
            f"--fork {tmp_path}/base@1240 --seed 7 --total-steps 3000 "
            f"--runs-root {tmp_path} --run-id {app.selected.name}"
        )
        end_stand_in(tmp_path, app.launcher)


async def test_another_step_brings_what_was_in_force_there(tmp_path: Path) -> None:
    a_family(tmp_path)
    change = {"event": "control", "status": "applied", "at_env_steps": 1100}
    add_event(tmp_path / "base", **change, id="x", new={"rollout_length": 7}, old={})
    app = workbench(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base")
        await driver.look()
        await driver.opens(ForkForm, "f")
        k, ratio = (app.screen.query_one(f"#fork-{n}", Input) for n in ("rollout_length", "real_ratio"))
        assert (k.value, ratio.value) == ("3", "0.1")
        ratio.value = "0.4"
        step = app.screen.query_one("#fork-step", Input)
        for at, k_there, says in (
            ("1000", "1", "a checkpoint is there"),
            ("1100", "1", "repeats 100 steps first"),
            ("1,101", "7", "repeats 101 steps first"),
            ("17", "3", "repeats 17 steps first"),
        ):
            step.value = at
            await driver.until(lambda wanted=(k_there, "0.4"): (k.value, ratio.value) == wanted)
            command = f"base@{at.replace(',', '')} --real-ratio 0.4"
            await driver.until(lambda words=(command, says): all(w in " ".join(driver.text().split()) for w in words))
        for wrong in ("1241", "-1", "1.5", "", "[/x]"):
            step.value = wrong
            await driver.shows("step must be a whole number from 0 to 1,240, got")
            await driver.press("enter")
            assert isinstance(app.screen, ForkForm)
        await driver.closes("escape")
        assert app.launcher.launches == {}


async def test_what_cannot_be_forked_says_why(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(started=9e9))
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.press("f")
        await driver.shows("No run is selected")
        await driver.look()
        await driver.press("f")
        await driver.shows("repeats 1,240 steps first")
        await driver.closes("escape")
        add_checkpoint(path, 500, rollout_length="[/x]\x1b")
        await driver.look()
        await driver.press("f")
        await driver.shows("Cannot fork a: rollout_length must be a whole number")


@pytest.mark.parametrize("state", ["lost", "stopped", "failed", "diverged"])
async def test_g_goes_on_with_a_run_once(tmp_path: Path, state: str) -> None:
    status = lost_status() if state == "lost" else status_of(state)
    path = make_run(tmp_path, "a", status)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows(f"This run is {state}: g goes on with it")
        await driver.press("g")
        await driver.shows("Going on with a.")
        await driver.look()
        await driver.shows("launching")
        assert await driver.until_given(tmp_path) == f"--resume {path}"
        learner = app.launcher.launches["a"]
        await driver.press("g")
        await driver.shows("a is launching: only what is lost")
        assert app.launcher.launches["a"] is learner
        end_stand_in(tmp_path, app.launcher)


@pytest.mark.parametrize("state", ["running", "paused", "finished"])
async def test_a_run_at_work_or_at_its_end_does_not_go_on(tmp_path: Path, state: str) -> None:
    path = make_run(tmp_path, "a", status_of(state))
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("g")
        await driver.shows(f"a is {state}: only what is lost")
        put_status(path, status_of(state))
        assert app.launcher.launches == {}


async def test_a_learner_that_will_not_resume_is_quoted(tmp_path: Path) -> None:
    make_run(tmp_path, "a", lost_status())
    app = workbench(tmp_path, "import sys; print('no [/got] manifest'); sys.exit(5)")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("g")
        await driver.shows("a did not start: no [/got] manifest")
        assert app.rows[0].state == "lost"


async def test_readonly_neither_forks_nor_resumes(tmp_path: Path) -> None:
    add_checkpoint(make_run(tmp_path, "a", lost_status()), 500)
    app = workbench(tmp_path, readonly=True)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        for key in ("f", "g"):
            app.clear_notifications()
            await driver.press(key)
            await driver.shows("Read-only")
        assert app.launcher.launches == {} and len(app.screen_stack) == 1


async def test_the_palette_forks_and_resumes(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", lost_status())
    add_checkpoint(path, 500)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.command("fork", "fork a")
        await driver.opens(ForkForm)
        await driver.closes("escape")
        await driver.command("resume", "resume a")
        assert await driver.until_given(tmp_path) == f"--resume {path}"
        end_stand_in(tmp_path, app.launcher)
