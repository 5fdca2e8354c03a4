"""Compare runs in the app: marks, charts, panel, page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from driving import Bench, assert_screen
from fake_run import make_run, status_of
from family import a_family

from workbench.app import Workbench
from workbench.screens.chart_panels import ChartPanels
from workbench.widgets.chart import Chart


async def test_marks_are_set_kept_and_lost(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "other")
        await bench.look()
        await bench.press("c")
        await bench.look()
        assert "A other" in bench.text() and "compared" not in bench.text()
        app.select(tmp_path / "base-k5")
        await bench.look()
        assert "A other" in bench.text() and "▸◆ base-k5" in bench.text()
        assert {line.letter for line in picture(app, "return").lines} >= {"A", "◆"}
        await bench.press("C")
        await bench.look()
        for name in ("B base", "C base-k5", "E base-k9", "D deeper"):
            assert name in bench.text()
        await bench.press("c")
        assert "C base-k5" not in bench.text()
        shutil.rmtree(tmp_path / "other")
        await bench.look()
        assert [path.name for path in app.compared] == ["base", "deeper", "base-k9"]
        await bench.press("C")
        await bench.look()
        assert len(app.compared) == 4 and "A base-k5" in bench.text()
        await bench.press("C")
        await bench.look()
        assert app.compared == () and "compared" not in bench.text()
        assert "e episodes" in bench.text()


def picture(app: Workbench, name: str) -> Any:
    return app.screen.query_one(ChartPanels).query_one(f"#chart-{name}", Chart).picture


async def test_a_ninth_run_gets_a_line_and_no_mark(tmp_path: Path) -> None:
    for index in range(9):
        make_run(tmp_path, f"run-{index}", status_of(started=-float(index)))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        bench = Bench(app, pilot)
        await bench.look()
        for _ in range(8):
            await bench.press("c", "down")
        assert len(app.compared) == 8
        await bench.press("c")
        assert len(app.compared) == 8 and "8 runs are marked" in bench.text()


async def test_all_charts_show_every_run_and_the_palette_and_d_know_them(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "base-k9")
        await bench.look()
        await bench.press("d")
        assert "Nothing is compared yet" in bench.text()
        await bench.press("ctrl+p", *"family")
        await pilot.pause(0.3)
        assert "compare the family of base-k9" in bench.text()
        await bench.press("enter")
        await bench.look()
        for name in ("return", "bound", "error", "length", "ratio"):
            assert {line.letter for line in picture(app, name).lines} - {""} == set("ABCD"), name
        await bench.press("v")
        assert picture(app, "error").log_y and picture(app, "error").lines[0].letter == "A"
        await bench.press("d")
        assert "They differ in k, real_ratio." in bench.text()
        await bench.press("escape", "ctrl+p", *"nothing")
        await pilot.pause(0.3)
        await bench.press("enter")
        await bench.look()
        assert app.compared == ()


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 18)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_the_comparison_on_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "base-k5")
        await bench.look()
        await bench.press("C")
        await bench.look()
        assert_screen(app, f"compare-{size[0]}x{size[1]}")
        await bench.press("d")
        assert_screen(app, f"differences-{size[0]}x{size[1]}")


async def test_without_colour_letters_tell_the_runs_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        bench = Bench(app, pilot)
        app.select(tmp_path / "base")
        await bench.look()
        await bench.press("C")
        await bench.look()
        assert "#56B4E9" not in app.export_screenshot().upper()
        assert "▸A base" in bench.text() and "B 81.3" in bench.text()
