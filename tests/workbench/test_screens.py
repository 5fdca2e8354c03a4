"""Compare whole screens with stored text. ``UPDATE_SCREENS=1 pytest`` stores them anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver
from fake_run import lost_status, make_run, status_of

from workbench.app import Workbench

SIZES = [(80, 24), (160, 45)]


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


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_of_a_run(tmp_path: Path, size: tuple[int, int]) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        for name, (enter, leave) in VIEWS.items():
            await driver.press(*enter)
            await driver.screen(f"{name}-{size[0]}x{size[1]}")
            await driver.closes(*leave)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_without_runs_it_says_what_to_do(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.screen(f"empty-{size[0]}x{size[1]}")


async def test_60x18_shows_table_and_chart(tmp_path: Path) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(60, 18)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.screen("charts-60x18")
