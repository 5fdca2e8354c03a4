from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest
from driving import STAND_IN, Driver, commands, end_stand_in
from fake_run import add_event, lost_status, make_run, put_status, status_of
from textual.command import CommandPalette
from textual.widgets import Input, Select

from mbpo.errors import StorageError
from mbpo.settings.config import defaults_of
from mbpo.settings.presets import PRESETS
from workbench.app import Workbench, main
from workbench.launcher import Launcher
from workbench.promises import DEBOUNCE_S
from workbench.screens.dialogs import ConfirmStop, EditValues
from workbench.screens.launch_form import LaunchForm
from workbench.widgets.runs_table import RunsTable

EVIL = ["[@click=app.quit]x[/]", "[/x]", "\x1b]52;c;aGk=\x07", "a\u202eb\u200b", "\x9b2J", "z" * 10_000]


async def test_k_pressed_thrice_is_one_command_pending_then_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("workbench.screens.steering.monotonic", lambda: now)  # a busy machine presses slowly
    path = make_run(tmp_path, "pendulum-3", status_of(), rows=20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("K", "K", "K")
        await driver.shows("k 3 → 6 pending…")
        now += DEBOUNCE_S
        (command,) = await driver.sent(path)
        assert command["set"] == {"rollout_length": 6} and command["by"] == "workbench"
        await driver.look()
        await driver.shows("k 3 → 6 pending…")
        add_event(
            path,
            event="control",
            id=command["id"],
            status="applied",
            at_env_steps=1250,
            old={"rollout_length": 3},
            new={"rollout_length": 6},
            revision=3,
            by="workbench",
        )
        put_status(path, status_of(controls={"rollout_length": 6, "real_ratio": 0.1}))
        await driver.look()
        await driver.shows("✓ k 3 → 6 applied @ 1,250")
        await driver.hides("pending")
        await driver.shows("k 3→6")


async def test_a_rejection_shows_its_reason(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("R")
        (command,) = await driver.sent(path)
        assert command["set"] == {"real_ratio": 0.15}
        add_event(
            path,
            event="control",
            id=command["id"],
            status="rejected",
            at_env_steps=9,
            reason="the run is stopping",
            revision=1,
        )
        await driver.look()
        await driver.shows("✗ real_ratio → 0.15 rejected: the run is")


async def test_pending_on_a_run_that_is_lost_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("workbench.screens.steering.monotonic", lambda: now)
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("space")
        assert (await driver.sent(path))[0]["action"] == "pause"
        put_status(path, lost_status())
        now += 5
        await driver.look()
        await driver.shows("pause unanswered: the run was lost")
        await driver.press("K")
        await driver.shows("nobody answers")
        assert len(commands(path)) == 1 and driver.bench.steering.own.pending({}) == []


async def test_an_inbox_that_cannot_be_written_breaks_the_promise_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise StorageError("cannot write control: Read-only file system")

    monkeypatch.setattr("workbench.app.send", refuse)
    make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("space")
        await driver.shows("Read-only file system")


async def test_stop_asks_first(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(ConfirmStop, "s")
        await driver.closes("n")
        assert commands(path) == []
        await driver.opens(ConfirmStop, "s")
        await driver.closes("y")
        assert [c["action"] for c in await driver.sent(path)] == ["stop"]


async def test_exact_values_are_checked_and_expect_the_revision_seen(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(revision=4))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(EditValues, "e")
        await driver.fill("#edit-rollout_length", "-2")
        await driver.press("ctrl+s")
        await driver.shows("rollout_length must be a whole number in [0, 1000]")
        await driver.fill("#edit-rollout_length", "auto")
        await driver.closes("ctrl+s")
        (command,) = await driver.sent(path)
        assert command["set"] == {"rollout_length": "auto"}
        assert command["expect_revision"] == 4


async def test_readonly_sends_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False, readonly=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        said: list[str] = []
        monkeypatch.setattr(app, "say", lambda text, severity: said.append(text))
        await driver.press("K", "space", "s", "e", "n", "a")
        await driver.until(lambda: len(said) == 6)
        assert all(text.startswith("Read-only") for text in said)
        assert commands(path) == [] and driver.bench.steering.own.pending({}) == []


async def test_the_form_starts_what_it_shows(tmp_path: Path) -> None:
    own = PRESETS["pendulum"].settings["real_ratio"]
    root = tmp_path / "runs"
    launcher = Launcher(root, (sys.executable, "-c", STAND_IN))
    app = Workbench(root, watch=False, launcher=launcher)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        form = await driver.opens(LaunchForm, "n")
        await driver.fill("#set-real_ratio", "2")
        await driver.shows("real_ratio must lie in [0, 1], got 2")
        await driver.press("ctrl+s")
        assert app.screen is form
        await driver.fill("#set-real_ratio", str(own))
        await driver.fill("#set-seed", "5")
        await driver.fill("#run-id", "mine")
        await driver.shows("python -m mbpo.train --preset pendulum --seed 5 --run-id mine")
        await driver.closes("ctrl+s")
        await driver.look()
        await driver.shows("mine", "launching")
        given = await driver.until_given(root)
        assert given == f"--preset pendulum --seed 5 --runs-root {root} --run-id mine"
        end_stand_in(root, launcher)


async def test_the_form_says_before_it_starts_that_nothing_would_be_trained(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        form = await driver.opens(LaunchForm, "n")
        await driver.fill("#set-total_steps", "300")
        await driver.shows("nothing will be trained: total_steps 300 ends within warmup_steps 300")
        assert not form.query_one("#start").disabled  # it may be meant
        await driver.fill("#set-total_steps", "301")
        await driver.shows("python -m mbpo.train --preset pendulum --total-steps 301")
        await driver.closes("escape")


async def test_the_form_says_what_a_preset_lacks_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)  # as where it is not installed
    heavy = {"torch", "gymnasium"} & set(sys.modules)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        form = await driver.opens(LaunchForm, "n")
        await driver.shows("python -m mbpo.train --preset pendulum")
        form.query_one("#preset", Select).value = "hopper"
        await driver.shows("Hopper-v5 needs MuJoCo: ", "-m pip install 'gymnasium[mujoco]'")
        await driver.press("ctrl+s")
        await driver.fill("#set-env_id", "Pendulum-v1")
        await driver.shows("python -m mbpo.train --preset hopper --env-id Pendulum-v1")
        await driver.closes("escape")
        await driver.command("start hopper", "start hopper")
        await driver.shows("Hopper-v5 needs MuJoCo: ")
        assert app.launcher.launches == {} and not (tmp_path / ".launch").exists()
    assert {"torch", "gymnasium"} & set(sys.modules) == heavy


async def test_the_environment_typed_chooses_the_preset_until_a_person_does(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        form = await driver.opens(LaunchForm, "n")
        preset, steps = form.query_one("#preset", Select), form.query_one("#set-total_steps", Input)
        for env_id, chosen, command in (
            ("Hopper-v5", "hopper", "--preset hopper"),
            ("Walker2d-v4", "walker2d", "--preset walker2d --env-id Walker2d-v4"),
            ("mine:Hopper-v5", "default", "--preset default --env-id mine:Hopper-v5"),
            ("x" * 201, "default", "env_id cannot be used"),
            ("", "pendulum", "--preset pendulum"),
        ):
            await driver.fill("#set-env_id", env_id)
            await driver.shows(command, PRESETS[chosen].doc)
            assert (preset.value, steps.placeholder) == (chosen, str(defaults_of(chosen)["total_steps"]))
        form.query_one("#set-env_id", Input).value = "HalfCheetah-v5"
        order = form.order()  # at once, as a fast typist asks for it
        assert order is not None and (order.preset, order.overrides) == ("halfcheetah", {})
        preset.value = "debug"
        await driver.shows("--preset debug")
        await driver.fill("#set-env_id", "Hopper-v5")
        await driver.shows("--preset debug --env-id Hopper-v5")
        preset.value = "default"
        await driver.shows("--preset default --env-id Hopper-v5")
        await driver.fill("#set-env_id", "")
        await driver.shows("preset default goes with any environment and names none: give env_id")
        await driver.press("ctrl+s")
        assert app.screen is form


async def test_what_brings_no_environment_is_not_offered_to_start_at_once(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--start", "default"])
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.opens(CommandPalette, "ctrl+p")
        await driver.press(*"start de")
        await driver.shows("start debug")
        await driver.hides("start default")


async def test_a_learner_that_fails_at_once_is_quoted(tmp_path: Path) -> None:
    code = "import sys; print('expected X, [/got] Y', file=sys.stderr); sys.exit(2)"
    app = Workbench(tmp_path, watch=False, start="debug", launcher=Launcher(tmp_path, (sys.executable, "-c", code)))
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.shows("did not start: expected X,", "[/got] Y")


async def test_hostile_text_is_shown_and_obeyed_by_nobody(tmp_path: Path) -> None:
    evil = " ".join(EVIL)
    controls = {"rollout_length": evil, "real_ratio": evil, evil: evil}
    status = status_of(env_id=evil, reason=evil, phase=evil, preset=evil, controls=controls, parent=evil)
    for name in EVIL:
        make_run(tmp_path, name.replace("/", "∕")[:60], status)
    path = make_run(tmp_path, evil.replace("/", "∕")[:60], msgspec.structs.replace(status, started=9e9), rows=10)
    (path / "log.txt").write_text(f"{evil}\n" * 5)
    add_event(path, event=evil, env_steps=3, **{evil: evil})
    add_event(path, event="control", id=evil, status="rejected", reason=evil, by=evil, action=evil)
    add_event(
        path,
        event="control",
        id="y",
        status="applied",
        by=evil,
        at_env_steps=7,
        old={evil: evil},
        new={evil: evil, "rollout_length": evil},
    )
    add_event(path, event="control", id="z", status="applied", at_env_steps=8, new={"rollout_length": 10**400})
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        assert app.selected == path
        for keys in (["0"], ["0", "l"], ["escape", "s"], ["n", "e"], ["escape", "ctrl+p"], ["escape", "4"]):
            await driver.press(*keys)
            await driver.look()
            drawn = app.export_screenshot()
            assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u200b"} & set(drawn)
        app.say(evil, "error")
        for place, offset in (("#headline", (3, 0)), ("#runs", (6, 3)), ("#events", (12, 7))):
            await pilot.click(place, offset=offset)
        await driver.look()
        assert app.is_running and app.return_code is None


async def test_the_palette_knows_the_run_in_focus(tmp_path: Path) -> None:
    path = make_run(tmp_path, "pendulum-3", status_of())
    make_run(tmp_path, "[/x]", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.command("k=5", "set k = 5 on pendulum-3")
        (command,) = await driver.sent(path)
        assert command["set"] == {"rollout_length": 5}


async def test_the_focus_survives_the_app_and_stays_on_its_run(tmp_path: Path) -> None:
    for index in range(3):
        make_run(tmp_path, f"run-{index}", status_of(started=float(index)))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("down")
        await driver.until(lambda: app.selected == tmp_path / "run-1")
        make_run(tmp_path, "run-9", status_of(started=9.0))
        await driver.look()
        await driver.until(lambda: app.screen.query_one(RunsTable).cursor_row == 2)
        assert app.selected == tmp_path / "run-1"
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=(160, 45)) as pilot:
        driver = Driver(again, pilot)
        await driver.look()
        assert again.selected == tmp_path / "run-1"


async def test_quitting_leaves_runs_alone_and_a_vanished_run_harms_nothing(tmp_path: Path) -> None:
    import shutil

    path = make_run(tmp_path, "a", status_of(), rows=10)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        shutil.rmtree(path)
        await driver.look()
        await driver.shows("No runs here yet")
        await driver.press("K", "space", "l", "escape", "q")
    assert not path.exists()


async def test_the_reader_thread_feeds_the_app(tmp_path: Path) -> None:
    make_run(tmp_path, "pendulum-3", status_of(), rows=10)
    app = Workbench(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await Driver(app, pilot).shows("1,240 / 4,000")


def test_bad_arguments_end_with_exit_code_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--start", "no-such-preset"])
    assert ended.value.code == 2


def test_every_binding_can_be_given_another_key() -> None:
    from workbench.screens.differences import Differences
    from workbench.screens.fork_form import ForkForm
    from workbench.screens.help_screen import HelpScreen
    from workbench.screens.keys import bench_keys
    from workbench.screens.log_screen import LogScreen

    for owner in (Workbench, ConfirmStop, Differences, EditValues, ForkForm, HelpScreen, LogScreen, LaunchForm):
        assert all(getattr(binding, "id", None) for binding in owner.BINDINGS), owner
    ids = [binding.id for binding in bench_keys()]
    assert all(ids) and len(ids) == len(set(ids))
