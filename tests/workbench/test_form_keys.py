"""Forms open at once, and lose no key that is pressed while they do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of
from textual.events import Key
from textual.widgets import Input

from workbench.app import Workbench
from workbench.screens.fork_form import ForkForm
from workbench.screens.launch_form import Field, Group, LaunchForm
from workbench.screens.metrics_screen import MetricsScreen
from workbench.screens.start_form import StartForm
from workbench.screens.what_if_form import WhatIfForm
from workbench.widgets.runs_panel import FilterLine


async def type_fast(app: Workbench, *keys: str, pause_s: float) -> None:
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None).set_sender(app))
        await asyncio.sleep(pause_s)


@pytest.mark.parametrize("pause_s", [0.01])
@pytest.mark.parametrize(
    ("keys", "form", "field", "typed"),
    [
        (("n", "tab", *"Hopper-v5", "tab", *"17"), LaunchForm, "#set-seed", "17"),
        (("f", "end", *"25"), ForkForm, "#fork-rollout_length", "25"),
        (("w", "end", *" x"), WhatIfForm, "#ask-sets", " x"),
    ],
)
async def test_keys_typed_while_a_form_opens_are_in_it(
    tmp_path: Path, keys: tuple[str, ...], form: type[StartForm[object]], field: str, typed: str, pause_s: float
) -> None:
    make_run(tmp_path, "one", status_of("finished"), rows=40)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await type_fast(app, *keys, pause_s=pause_s)
        await driver.until(lambda: isinstance(app.screen, form))
        await driver.until(lambda: app.screen.query_one(field, Input).value.endswith(typed))
        if form is LaunchForm:
            assert app.screen.query_one("#set-env_id", Input).value == "Hopper-v5"


async def test_settings_that_are_folded_away_are_made_when_they_are_opened(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        form = await driver.opens(LaunchForm, "n")
        made = len(form.query(Field))
        group = form.query_one("#group-model", Group)
        group.collapsed = False
        await driver.fill("#set-model_hidden", "33")
        await driver.until(lambda: form.order() is not None and form.order().overrides == {"model_hidden": 33})
        assert made < 10 < len(form.query(Field))
        group.collapsed = True
        group.collapsed = False
        await driver.until(lambda: form.order().overrides == {"model_hidden": 33})


async def test_a_key_right_behind_enter_is_not_the_filters_any_more(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of("finished"), rows=40)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await type_fast(app, "slash", *"one", "enter", "M", pause_s=0.0)
        await driver.until(lambda: isinstance(app.screen, MetricsScreen))
        assert app.get_default_screen().query_one(FilterLine).value == "one"
