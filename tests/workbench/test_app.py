from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from driving import Bench
from fake_run import add_event, lost_status, make_run, put_status, status_of
from textual.widgets import Input, Static

from mbpo.errors import StorageError
from mbpo.settings.presets import PRESETS
from workbench import promises
from workbench.app import Workbench, main
from workbench.launcher import Launcher
from workbench.screens.launch_form import LaunchForm

EVIL = ["[@click=app.quit]x[/]", "[/x]", "\x1b]52;c;aGk=\x07", "a\u202eb\u200b", "\x9b2J", "z" * 10_000]


def commands(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in (path / "control").glob("*.json")]
    return sorted(found, key=lambda command: command["issued_at"])


async def sent(bench: Bench, path: Path, count: int = 1) -> list[dict[str, Any]]:
    for _ in range(200):
        await bench.pilot.pause(0.02)
        if len(commands(path)) >= count:
            await bench.pilot.pause(0.05)
            break
    return commands(path)


async def test_k_pressed_thrice_is_one_command_pending_then_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promises, "DEBOUNCE_S", 2.0)  # a busy machine presses slowly
    path = make_run(tmp_path, "pendulum-3", status_of(), rows=20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("K", "K", "K")
        assert "k 3 → 6 pending…" in bench.text()
        (command,) = await sent(bench, path)
        assert command["set"] == {"rollout_length": 6} and command["by"] == "workbench"
        await bench.look()
        assert "k 3 → 6 pending…" in bench.text()
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
        await bench.look()
        assert "✓ k 3 → 6 applied @ 1,250" in bench.text()
        assert "pending" not in bench.text()
        assert "k 3→6" in bench.text()  # the marker on the charts


async def test_a_rejection_shows_its_reason(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("R")
        (command,) = await sent(bench, path)
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
        await bench.look()
        assert "✗ real_ratio → 0.15 rejected: the run is" in bench.text()


async def test_pending_on_a_run_that_is_lost_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("workbench.screens.steering.monotonic", lambda: now)
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("space")
        assert (await sent(bench, path))[0]["action"] == "pause"
        put_status(path, lost_status())
        now += 5
        await bench.look()
        assert "pause unanswered: the run was lost" in bench.text()
        await bench.press("K")
        await pilot.pause(0.3)
        assert len(commands(path)) == 1
        assert "nobody answers" in bench.text()


async def test_an_inbox_that_cannot_be_written_breaks_the_promise_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise StorageError("cannot write control: Read-only file system")

    monkeypatch.setattr("workbench.app.send", refuse)
    make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("space")
        await pilot.pause(0.2)
        assert "Read-only file system" in bench.text()


async def test_stop_asks_first(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("s", "n")
        assert commands(path) == []
        await bench.press("s", "y")
        assert [c["action"] for c in await sent(bench, path)] == ["stop"]


async def test_exact_values_are_checked_and_expect_the_revision_seen(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(revision=4))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("e")
        app.screen.query_one("#edit-rollout_length", Input).value = "-2"
        await bench.press("ctrl+s")
        assert "rollout_length must be a whole number in [0, 1000]" in bench.text()
        app.screen.query_one("#edit-rollout_length", Input).value = "auto"
        await bench.press("ctrl+s")
        (command,) = await sent(bench, path)
        assert command["set"] == {"rollout_length": "auto"}
        assert command["expect_revision"] == 4


async def test_readonly_sends_and_starts_nothing(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False, readonly=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("K", "space", "s", "e", "n", "a")
        await pilot.pause(0.3)
        assert commands(path) == [] and "Read-only" in bench.text()


async def test_the_form_starts_what_it_shows(tmp_path: Path) -> None:
    own = PRESETS["pendulum"].settings["real_ratio"]
    script = tmp_path / "stub.py"
    script.write_text(
        "import sys, time, pathlib; pathlib.Path('args').write_text(' '.join(sys.argv[1:]));time.sleep(2)"
    )
    root = tmp_path / "runs"
    launcher = Launcher(root, (sys.executable, str(script)))
    app = Workbench(root, watch=False, launcher=launcher)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.press("n")
        form = app.screen
        assert isinstance(form, LaunchForm)
        form.query_one("#set-real_ratio", Input).value = "2"
        await pilot.pause()
        assert "real_ratio must lie in [0, 1], got 2" in bench.text()
        await bench.press("ctrl+s")
        assert app.screen is form
        form.query_one("#set-real_ratio", Input).value = str(own)
        form.query_one("#set-seed", Input).value = "5"
        form.query_one("#run-id", Input).value = "mine"
        await pilot.pause()
        assert "python -m mbpo.train --preset pendulum --seed 5 --run-id mine" in bench.text()
        await bench.press("ctrl+s")
        await bench.look()
        assert "mine" in bench.text() and "launching" in bench.text()
        launcher.launches["mine"].process.wait(timeout=20)
    assert (root / "args").read_text() == (f"--preset pendulum --seed 5 --runs-root {root} --run-id mine")


async def test_a_learner_that_fails_at_once_is_quoted(tmp_path: Path) -> None:
    code = "import sys; print('expected X, [/got] Y', file=sys.stderr); sys.exit(2)"
    app = Workbench(tmp_path, watch=False, start="debug", launcher=Launcher(tmp_path, (sys.executable, "-c", code)))
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        for _ in range(100):
            await pilot.pause(0.1)
            if "did not start" in bench.text():
                break
        assert "did not start: expected X, [/got] Y" in bench.text()


async def test_hostile_text_is_shown_and_obeyed_by_nobody(tmp_path: Path) -> None:
    evil = " ".join(EVIL)
    controls = {"rollout_length": evil, "real_ratio": evil, evil: evil}
    status = status_of(env_id=evil, reason=evil, phase=evil, preset=evil, controls=controls, parent=evil)
    for name in EVIL:
        make_run(tmp_path, name.replace("/", "∕")[:60], status)
    path = make_run(tmp_path, evil.replace("/", "∕")[:60], dataclasses.replace(status, started=9e9), rows=10)
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
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        assert app.selected == path
        for keys in (["0"], ["0", "l"], ["escape", "s"], ["n", "e"], ["escape", "ctrl+p"], ["escape", "4"]):
            await bench.press(*keys)
            await bench.look(1)
            drawn = app.export_screenshot()
            assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u200b"} & set(drawn)
        app.say(evil, "error")
        for place, offset in (("#headline", (3, 0)), ("#runs", (6, 3)), ("#events", (12, 7))):
            await pilot.click(place, offset=offset)
        await pilot.pause()
        assert app.is_running and app.return_code is None


async def test_the_palette_knows_the_run_in_focus(tmp_path: Path) -> None:
    path = make_run(tmp_path, "pendulum-3", status_of())
    make_run(tmp_path, "[/x]", status_of("finished"))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("ctrl+p")
        await bench.press(*"k=5")
        await pilot.pause(0.3)
        assert "set k = 5 on pendulum-3" in bench.text()
        await bench.press("enter")
        (command,) = await sent(bench, path)
        assert command["set"] == {"rollout_length": 5}


async def test_the_focus_survives_the_app_and_stays_on_its_run(tmp_path: Path) -> None:
    for index in range(3):
        make_run(tmp_path, f"run-{index}", status_of(started=float(index)))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        await bench.press("down")
        assert app.selected == tmp_path / "run-1"
        make_run(tmp_path, "run-9", status_of(started=9.0))
        await bench.look(3)
        assert app.selected == tmp_path / "run-1"
        assert app.screen.query_one("#runs").cursor_row == 2  # type: ignore[attr-defined]
    again = Workbench(tmp_path, watch=False)
    async with again.run_test(size=(160, 45)) as pilot:
        bench = Bench(again, pilot)
        await bench.look()
        assert again.selected == tmp_path / "run-1"


async def test_quitting_leaves_runs_alone_and_a_vanished_run_harms_nothing(tmp_path: Path) -> None:
    import shutil

    path = make_run(tmp_path, "a", status_of(), rows=10)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        shutil.rmtree(path)
        await bench.look()
        assert "No runs here yet" in bench.text()
        await bench.press("K", "space", "l", "escape", "q")
    assert not path.exists()


async def test_the_reader_thread_feeds_the_app(tmp_path: Path) -> None:
    make_run(tmp_path, "pendulum-3", status_of(), rows=10)
    app = Workbench(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for _ in range(100):
            await pilot.pause(0.05)
            headline = app.screen.query_one("#headline", Static)
            if "1,240 / 4,000" in str(headline.content):
                break
        assert "1,240 / 4,000" in str(headline.content)


def test_bad_arguments_end_with_exit_code_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--start", "no-such-preset"])
    assert ended.value.code == 2


def test_every_binding_can_be_given_another_key() -> None:
    from workbench.screens.dialogs import ConfirmStop, EditValues
    from workbench.screens.differences import Differences
    from workbench.screens.fork_form import ForkForm
    from workbench.screens.help_screen import HelpScreen
    from workbench.screens.keys import bench_keys
    from workbench.screens.log_screen import LogScreen

    for owner in (Workbench, ConfirmStop, Differences, EditValues, ForkForm, HelpScreen, LogScreen, LaunchForm):
        assert all(getattr(binding, "id", None) for binding in owner.BINDINGS), owner
    ids = [binding.id for binding in bench_keys()]
    assert all(ids) and len(ids) == len(set(ids))
