"""Fork and resume runs from the app, with a stand-in for the learner."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from driving import Bench, assert_screen
from fake_run import add_checkpoint, add_event, lost_status, make_run, put_status, status_of
from textual.widgets import Input

from workbench.app import Workbench
from workbench.launcher import Launcher
from workbench.screens.fork_form import ForkForm

LEARNER = """\
import pathlib, sys, time
pathlib.Path("args").write_text(" ".join(sys.argv[1:]))
time.sleep(1)
"""
SIZES = [(80, 24), (160, 45)]


def workbench(root: Path, code: str = LEARNER, readonly: bool = False) -> Workbench:
    launcher = Launcher(root, (sys.executable, "-c", code))
    return Workbench(root, watch=False, launcher=launcher, readonly=readonly)


async def arguments(bench: Bench, root: Path) -> str:
    for _ in range(200):
        await bench.pilot.pause(0.02)
        if (root / "args").exists() and (text := (root / "args").read_text()):
            return text
    return ""


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
        bench = Bench(app, pilot)
        app.select(tmp_path / "base")
        await bench.look()
        assert_screen(app, f"tree-{size[0]}x{size[1]}")
        await bench.press("0")
        assert_screen(app, f"tree-wide-{size[0]}x{size[1]}")
        await bench.press("0", "f")
        await bench.press("end", "backspace", "5")
        assert_screen(app, f"fork-{size[0]}x{size[1]}")


async def test_the_charts_of_a_fork_show_where_it_begins(tmp_path: Path) -> None:
    make_run(tmp_path, "fork", status_of(parent="base@300"), rows=60)
    make_run(tmp_path, "liar", status_of(parent="base@999999"), rows=60)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        bench = Bench(app, pilot)
        for name, shown in (("fork", True), ("liar", False)):
            app.select(tmp_path / name)
            await bench.look()
            assert ("┊⑂ fork" in bench.text()) is shown


async def test_a_fork_starts_from_the_newest_checkpoint_with_what_was_changed(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "base")
        await bench.look()
        await bench.press("f")
        form = app.screen
        assert isinstance(form, ForkForm)
        form.query_one("#fork-total_steps", Input).value = "1240"
        await pilot.pause()
        assert "total_steps must be more than the 1,240" in bench.text()
        form.query_one("#fork-total_steps", Input).value = "3000"
        form.query_one("#fork-real_ratio", Input).value = "2"
        await bench.press("enter")
        assert app.screen is form and "real_ratio must lie in [0, 1], got 2" in bench.text()
        form.query_one("#fork-real_ratio", Input).value = "0.1"
        form.query_one("#fork-seed", Input).value = "7"
        await bench.press("enter")
        await bench.look()
        assert app.selected is not None and app.selected.name.startswith("pendulum-s7-")
        row = next(row for row in app.rows if row.path == app.selected)
        assert (row.state, row.parent, row.lines) == ("launching", "base@1240", "└")
        shown = await arguments(bench, tmp_path)
        assert shown == (
            f"--fork {tmp_path}/base@1240 --seed 7 --total-steps 3000 "
            f"--runs-root {tmp_path} --run-id {app.selected.name}"
        )
        app.launcher.launches[app.selected.name].process.wait(timeout=20)


async def test_another_step_brings_what_was_in_force_there(tmp_path: Path) -> None:
    a_family(tmp_path)
    change = {"event": "control", "status": "applied", "at_env_steps": 1100}
    add_event(tmp_path / "base", **change, id="x", new={"rollout_length": 7}, old={})
    app = workbench(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "base")
        await bench.look()
        await bench.press("f")
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
            await pilot.pause()
            assert (k.value, ratio.value) == (k_there, "0.4")
            shown = " ".join(bench.text().split())
            assert f"base@{at.replace(',', '')} --real-ratio 0.4" in shown and says in shown
        for wrong in ("1241", "-1", "1.5", "", "[/x]"):
            step.value = wrong
            await pilot.pause()
            assert "step must be a whole number from 0 to 1,240, got" in bench.text()
            await bench.press("enter")
            assert isinstance(app.screen, ForkForm)
        await bench.press("escape")
        assert app.launcher.launches == {}


async def test_what_cannot_be_forked_says_why(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(started=9e9))
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.press("f")
        assert "No run is selected" in bench.text()
        await bench.look()
        await bench.press("f")
        assert "repeats 1,240 steps first" in bench.text()
        await bench.press("escape")
        add_checkpoint(path, 500, rollout_length="[/x]\x1b")
        await bench.look()
        await bench.press("f")
        assert "Cannot fork a: rollout_length must be a whole number" in bench.text()


@pytest.mark.parametrize("state", ["lost", "stopped", "failed", "diverged"])
async def test_g_goes_on_with_a_run_once(tmp_path: Path, state: str) -> None:
    status = lost_status() if state == "lost" else status_of(state)
    path = make_run(tmp_path, "a", status)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        assert f"This run is {state}: g goes on with it" in bench.text()
        await bench.press("g")
        await bench.look()
        assert "Going on with a." in bench.text() and "launching" in bench.text()
        assert await arguments(bench, tmp_path) == f"--resume {path}"
        learner = app.launcher.launches["a"]
        await bench.press("g")
        assert "a is launching: only what is lost" in bench.text()
        assert app.launcher.launches["a"] is learner
        learner.process.wait(timeout=20)


@pytest.mark.parametrize("state", ["running", "paused", "finished"])
async def test_a_run_at_work_or_at_its_end_does_not_go_on(tmp_path: Path, state: str) -> None:
    path = make_run(tmp_path, "a", status_of(state))
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("g")
        assert f"a is {state}: only what is lost" in bench.text()
        put_status(path, status_of(state))
        assert app.launcher.launches == {}


async def test_a_learner_that_will_not_resume_is_quoted(tmp_path: Path) -> None:
    make_run(tmp_path, "a", lost_status())
    app = workbench(tmp_path, "import sys; print('no [/got] manifest'); sys.exit(5)")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("g")
        for _ in range(100):
            await pilot.pause(0.1)
            if "did not start" in bench.text():
                break
        assert "a did not start: no [/got] manifest" in bench.text()
        await bench.look()
        assert app.rows[0].state == "lost"


async def test_readonly_neither_forks_nor_resumes(tmp_path: Path) -> None:
    add_checkpoint(make_run(tmp_path, "a", lost_status()), 500)
    app = workbench(tmp_path, readonly=True)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        for key in ("f", "g"):
            app.clear_notifications()
            await bench.press(key)
            assert "Read-only" in bench.text()
        assert app.launcher.launches == {} and len(app.screen_stack) == 1


async def test_the_palette_forks_and_resumes(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", lost_status())
    add_checkpoint(path, 500)
    app = workbench(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("ctrl+p", *"fork")
        await pilot.pause(0.3)
        assert "fork a" in bench.text()
        await bench.press("enter")
        await pilot.pause(0.3)
        assert isinstance(app.screen, ForkForm)
        await bench.press("escape", "ctrl+p", *"resume")
        await pilot.pause(0.3)
        await bench.press("enter")
        assert await arguments(bench, tmp_path) == f"--resume {path}"
        app.launcher.launches["a"].process.wait(timeout=20)
