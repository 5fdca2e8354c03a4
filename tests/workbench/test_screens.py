"""Compare whole screens with stored text. ``UPDATE_SCREENS=1 pytest`` stores them anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver
from fake_run import lost_status, make_run, status_of

from workbench.app import Workbench

SIZES = [(60, 18), (80, 24), (120, 30), (160, 45), (200, 55)]


def some_runs(root: Path) -> None:
    make_run(root, "pendulum-3", status_of(), rows=60)
    make_run(root, "hopper-k5", status_of("paused", env_id="Hopper-v5", last_return=1203.0, started=1.6e9))
    make_run(root, "hopper-k1", status_of("finished", env_id="Hopper-v5", last_return=987.0))
    make_run(root, "ant-0", lost_status(env_id="Ant-v5", last_return=None, started=1.5e9))


VIEWS: dict[str, tuple[list[str], list[str]]] = {  # name: keys that open it, keys that leave it
    "charts": ([], []),
    "bound": (["2"], ["2"]),
    "error": (["v", "3"], ["v", "3"]),
    "mix": (["4"], ["4"]),
    "table": (["0"], ["0"]),
    "launch": (["n"], ["escape"]),
    "edit": (["e"], ["escape"]),
    "stop": (["s"], ["n"]),
    "log": (["l"], ["l"]),
    "help": (["question_mark"], ["escape"]),
}

SOME = {(60, 18): ("charts", "launch", "log", "help"), (120, 30): ("charts",), (200, 55): ("charts", "log")}


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=named)
async def test_every_view_of_a_run(tmp_path: Path, size: tuple[int, int]) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        for name in SOME.get(size, VIEWS):
            enter, leave = VIEWS[name]
            await driver.press(*enter)
            await driver.screen(f"{name}-{named(size)}")
            await driver.closes(*leave)


@pytest.mark.parametrize("size", SIZES, ids=named)
async def test_without_runs_it_says_what_to_do(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.screen(f"empty-{named(size)}")
