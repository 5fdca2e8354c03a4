"""A read-only app: no key of any place, no click and no command changes what is on disk or starts a process."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from driving import Driver
from fake_run import add_checkpoint, make_run, status_of
from family import put_config
from textual.binding import Binding
from textual.widgets import Button

from mbpo.runs.queue import Queue
from mbpo.runs.records.order import Order, OrderedRun
from mbpo.runs.trash import move_to_trash
from workbench import spawn
from workbench.app import Workbench
from workbench.command_line import options_or_exit
from workbench.launcher import Launcher
from workbench.promises import Promise
from workbench.queueing import Queueing
from workbench.screens.keys import bench_keys
from workbench.screens.queue_screen import QueueScreen
from workbench.screens.trash_page import TrashPage
from workbench.screens.trust_screen import TrustScreen

LEAVING = {"ctrl+q", "q", "escape"}


def a_folder(root: Path) -> None:
    """Make a run at work, one that is done, one in the trash, and two that wait."""
    for name, state in (("a", "running"), ("b", "finished"), ("c", "stopped")):
        put_config(make_run(root, name, status_of(state), rows=20), seed=3)
        add_checkpoint(root / name, 500)
    move_to_trash(root, root / "c")
    runs = [OrderedRun(run_id=f"d-s{n}", label=str(n), flags=[f"--seed={n}"]) for n in range(2)]
    Queue(root).add(Order(name="d", issued_at=time.time(), env_id="Pendulum-v1", total_steps=400, runs=runs))


def on_disk(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    root = tmp_path / "runs"  # beside it the app remembers what is looked at
    a_folder(root)
    monkeypatch.setattr(spawn.subprocess, "Popen", lambda *args, **given: pytest.fail(f"it started {args}"))
    launcher = Launcher(root, (sys.executable, "-c", ""))
    queueing = Queueing(root, start=lambda queue: pytest.fail("it started the queue"))
    return Workbench(root, readonly=True, watch=False, launcher=launcher, queueing=queueing)


def keys_of(bindings: list[Binding]) -> list[str]:
    return [key for binding in bindings for key in binding.key.split(",") if key not in LEAVING]


@pytest.mark.parametrize("page", [None, QueueScreen, TrashPage, TrustScreen])
async def test_no_key_of_a_place_changes_anything(watching: Workbench, page: type | None) -> None:
    app, root = watching, watching.runs_root
    before = on_disk(root)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(root / "a")
        await driver.look()
        bindings = bench_keys() if page is None else [b for b in page.BINDINGS if isinstance(b, Binding)]  # type: ignore[attr-defined]
        for key in [*keys_of(bindings), "enter"]:
            if page is not None and not isinstance(app.screen, page):
                await app.screen.run_action({QueueScreen: "app.queue", TrashPage: "trash"}.get(page, "trust"))
                await driver.until(lambda: isinstance(app.screen, page))  # type: ignore[arg-type]
                await pilot.pause()
            await driver.press(key, "enter", "y")  # what would confirm a question
            while app.screen is not driver.bench and not (page is not None and isinstance(app.screen, page)):
                await driver.press("escape")
        await pilot.pause(0.3)  # what was typed is sent after 150 ms
        assert app.is_running
    assert on_disk(root) == before


@pytest.mark.parametrize("readonly", [False, True])
async def test_what_changes_runs_has_no_key_in_the_last_line_and_none_in_the_help(
    tmp_path: Path, readonly: bool
) -> None:
    make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, readonly=readonly, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("c compare", "palette")
        line = driver.text().splitlines()[-1]
        assert all((word in line) is not readonly for word in ("n new", "s stop", "f fork", "w what if", "k/K"))
        shown = {item.binding.id for item in app.screen.active_bindings.values()}
        assert {"compare.run", "run.info", "queue.open"} <= shown
        assert ({"run.new", "run.delete", "k.auto", "run.about"} <= shown) is not readonly


async def test_neither_mouse_nor_commands_nor_callers_change_anything(watching: Workbench) -> None:
    app, root = watching, watching.runs_root
    before = on_disk(root)
    async with app.run_test(size=(160, 52), notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(root / "a")
        await driver.look()
        for button in app.screen.query(Button):
            button.disabled = False
            await pilot.click(button)
        app.launch("pendulum", {})
        app.resume(root / "b")
        app.send(root / "a", Promise(token=1, settings={}, action="stop"))
        await driver.shows("Read-only")
        await pilot.pause(0.3)
    assert on_disk(root) == before


async def test_the_same_keys_change_something_where_the_app_is_not_read_only(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    make_run(root, "b", status_of("finished"))
    before = on_disk(root)
    app = Workbench(root, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("A")
        await driver.until(lambda: on_disk(root) != before)


@pytest.mark.parametrize("flag", ["--read-only", "--readonly"])
def test_to_watch_and_to_start_contradict_each_other(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options_or_exit([flag, "--start", "pendulum"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: --start pendulum starts a run, and --read-only starts none: give one of them\n"
    )
