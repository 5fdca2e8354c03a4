"""Help begins with the panel in focus."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver
from test_screens import some_runs
from textual.containers import VerticalScroll
from textual.widgets import Static

from workbench.app import Workbench
from workbench.screens.help_screen import HelpScreen
from workbench.widgets.chart_panel import ChartPanel
from workbench.widgets.events import Events


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ((), "Keys"),
        (("3",), "The model's error"),
        (("tab",), "What you steer"),
        (("t",), "How far to trust the model"),
        (("M",), "Every metric"),
    ],
)
async def test_the_first_section_is_about_what_is_in_focus(tmp_path: Path, keys: tuple[str, ...], first: str) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press(*keys, "question_mark")
        await driver.until(lambda: isinstance(app.screen, HelpScreen) and _first_line(driver) == first)


async def test_a_panel_is_reached_by_tab_and_named_by_its_help(tmp_path: Path) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        topics = []
        for widget in (*driver.bench.query(ChartPanel), driver.bench.query_one(Events)):
            widget.focus()
            await driver.until(lambda widget=widget: app.focused is widget)
            await driver.press("question_mark")
            await driver.until(lambda: isinstance(app.screen, HelpScreen) and app.screen.is_mounted)
            topics.append(_first_line(driver))
            await driver.closes("escape")
        charts = ["Returns", "What the bound says, and what not", "The model's error", "What SAC learns from"]
        assert topics == [*charts, "Events and log"]


def _first_line(driver: Driver) -> str:
    page = driver.app.screen.query(VerticalScroll).first()
    return str(page.query(Static).first().content).splitlines()[0]
