"""A chart is one row of the table, a live setting one declaration: toys of both are in the app with nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driving import Driver, commands
from fake_run import make_run, metric_rows, status_of
from family import a_family, put_rows
from textual.widgets import Button

from mbpo.runs.metrics import METRICS
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS
from mbpo.settings.setting import Dial, Setting
from workbench.app import Workbench
from workbench.charts.overlay import Overlay
from workbench.charts.picture import Line, Picture
from workbench.charts.scene import Scene
from workbench.charts.spec import ChartSpec, Plot, Toggle
from workbench.charts.table import CHARTS, metrics_compared
from workbench.charts.x_axis import AXES
from workbench.dials import facts, named, turnable, turned
from workbench.screens.chart_panels import ChartPanels
from workbench.screens.dialogs import EditValues
from workbench.screens.help_screen import HelpScreen
from workbench.widgets.chart import Chart

TALL = (160, 60)


def toy_alone(scene: Scene, doubled: bool) -> Picture:
    points = scene.detail.series.get("toy/height")
    if points is None:
        return Picture("toy height", empty="no toy yet")
    y = points.y * (2 if doubled else 1)
    return Picture("toy height", lines=(Line("t", "toy", f"{y[-1]:g}", "#ffffff", points.x, y),))


def toy_together(overlay: Overlay, doubled: bool) -> Picture:
    return overlay.lines("toys of all", "toy/height", "no toy yet")


TOY_CHART = ChartSpec(
    name="toy",
    title="toy title",
    help="chart of the toy",
    plots=(Plot("toy", toy_alone, toy_together),),
    compared=("toy/height",),
    explained=("sac/entropy",),
    essay=("What the toy says", "It says nothing."),
    toggle=Toggle("doubled", "x", "toy twice as high"),
    words=lambda scene, on, several: "toys together" if several else "toy alone",
)


def put_toys(path: Path) -> None:
    put_rows(path, [{**row, "toy/height": float(row["seq"])} for row in metric_rows(20, 1240)])


async def test_a_chart_in_the_table_is_a_panel_a_tab_a_key_help_and_curves_of_the_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHARTS, "toy", TOY_CHART)  # type: ignore[arg-type]
    for name in ("a", "b"):
        put_toys(make_run(tmp_path, name, status_of()))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=TALL) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("5 toy title", "toy height", "t toy 20", "toy alone")
        await driver.press("x")
        await driver.shows("t toy 40")
        await driver.press("5")
        await driver.hides("1 return")
        page = await driver.opens(HelpScreen, "question_mark")
        await driver.shows("5  chart of the toy", "x  toy twice as high")
        page.focused.scroll_end(animate=False)  # type: ignore[union-attr]
        await driver.shows("What the toy says", "It says nothing.", METRICS["sac/entropy"].meaning)
        await driver.closes("escape")
        await driver.press("c")
        await driver.until(lambda: len(app.compared) == 1)
        await driver.press("down", "c")
        await driver.until(lambda: len(app.compared) == 2)
        await driver.look()
        await driver.shows("toys of all", "toys together")
        chart = app.screen.query_one(ChartPanels).query_one("#chart-toy", Chart)
        await driver.until(lambda: {line.letter for line in chart.picture.lines} == {"A", "B"})
    assert "toy/height" in metrics_compared()


async def test_the_tabs_show_a_chart_of_the_table_where_one_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHARTS, "toy", TOY_CHART)  # type: ignore[arg-type]
    put_toys(make_run(tmp_path, "a", status_of()))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("5 toy")
        await pilot.click("#tab-toy")
        await driver.shows("5 toy title", "toy alone")
        await driver.command("toy title", "chart toy title")


def toy_setting(**facts: object) -> Setting:
    return Setting("toy_knob", int, 3, "Turns the toy.", "trust", low=0, high=9, live=True, **facts)  # type: ignore[arg-type]


def run_with_toy(root: Path) -> Path:
    controls = {"rollout_length": 3, "real_ratio": 0.1, "toy_knob": 3}
    return make_run(root, "a", status_of(controls=controls))


async def test_a_live_setting_with_a_key_is_turned_by_key_dial_form_and_palette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial = Dial(key="y", down="less toy", up="more toy", metric="sac/alpha")
    monkeypatch.setitem(LIVE_SETTINGS, "toy_knob", toy_setting(dial=dial))  # type: ignore[arg-type]
    path = run_with_toy(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("toy_knob", "y/Y knob")
        await driver.press("Y")
        await driver.shows("toy_knob 3 → 4 pending…")
        assert [command["set"] for command in await driver.sent(path, 1)] == [{"toy_knob": 4}]
        await pilot.click("#toy_knob-up")
        assert [command["set"] for command in await driver.sent(path, 2)][1:] == [{"toy_knob": 5}]
        await driver.opens(EditValues, "e")
        await driver.shows("Turns the toy.")
        await driver.fill("#edit-toy_knob", "8")
        await driver.closes("ctrl+s")
        assert [command["set"] for command in await driver.sent(path, 3)][2:] == [{"toy_knob": 8}]
        await driver.command("knob = 0", "set toy_knob = 0 on a")
        assert [command["set"] for command in await driver.sent(path, 4)][3:] == [{"toy_knob": 0}]
        await driver.opens(HelpScreen, "question_mark")
        await driver.shows("less toy", "more toy")


async def test_a_live_setting_without_a_key_has_a_dial_where_there_is_room_and_turns_in_the_palette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIVE_SETTINGS, "toy_knob", toy_setting())  # type: ignore[arg-type]
    path = run_with_toy(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=TALL) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("toy_knob")
        await driver.until(lambda: not app.screen.query_one("#toy_knob-down", Button).disabled)
        await pilot.click("#toy_knob-down")
        assert [command["set"] for command in await driver.sent(path, 1)] == [{"toy_knob": 2}]
        await driver.command("more toy", "more toy_knob")
        assert [command["set"] for command in await driver.sent(path, 2)][1:] == [{"toy_knob": 3}]
        await pilot.resize_terminal(160, 45)
        await driver.hides("toy_knob  ")


async def test_a_value_that_no_learner_takes_is_no_place_to_turn_from(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(controls={"rollout_length": 10**400, "real_ratio": "[/x]"}))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("K", "R")
        wanted = {"rollout_length": 2, "real_ratio": 0.1}.items()
        await driver.until(lambda: {item for sent in commands(path) for item in sent["set"].items()} == set(wanted))


async def test_the_rule_for_k_is_turned_by_dial_palette_and_form(tmp_path: Path) -> None:
    controls = {**status_of().controls, "rollout_length": "auto", "k_policy": "schedule"}
    path = make_run(tmp_path, "a", status_of(controls=controls))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=TALL) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("k_policy           ◂     schedule")
        await driver.until(lambda: not app.screen.query_one("#k_policy-up", Button).disabled)
        await pilot.click("#k_policy-up")
        await driver.shows("k_policy schedule → bound pending…")
        assert [command["set"] for command in await driver.sent(path, 1)] == [{"k_policy": "bound"}]
        await driver.command("next k_p", "next k_policy")
        await driver.shows("disagreement…")
        assert [command["set"] for command in await driver.sent(path, 2)][1:] == [{"k_policy": "disagreement"}]
        await driver.command("k_policy = mask", "set k_policy = mask on a")
        assert [command["set"] for command in await driver.sent(path, 3)][2:] == [{"k_policy": "mask"}]
        await driver.opens(EditValues, "e")
        await driver.shows("k_policy", "count for less (WIMLE).", "[0, 1000] or auto")
        await driver.hides("∞")
        await driver.fill("#edit-k_policy", "none")
        await driver.shows("k_policy must be one of schedule, bound, disagreement,")
        await driver.fill("#edit-k_policy", "weight")
        await driver.closes("ctrl+s")
        assert [command["set"] for command in await driver.sent(path, 4)][3:] == [{"k_policy": "weight"}]


def test_what_a_setting_takes_is_said_once() -> None:
    assert facts(SETTINGS["k_policy"]) == ""  # its doc names each
    assert facts(SETTINGS["algo"]) == "mbpo or sac or pets"
    assert facts(SETTINGS["rollout_limit"]) == "steps, [1, 1000] or auto"


async def test_a_list_of_numbers_is_set_by_form_and_palette(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.command("schedule = 1,9,1,5", "set rollout_schedule = 1,9,1,5 on a")
        assert [command["set"] for command in await driver.sent(path)] == [{"rollout_schedule": [1, 9, 1, 5]}]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("k", "rollout_length"),
        ("rollout_length", "rollout_length"),
        ("ratio", "real_ratio"),
        ("rr", "real_ratio"),
        ("ups", "updates_per_step"),
        ("k_policy", "k_policy"),
        ("policy", "k_policy"),
        ("freq", "model_train_freq"),
        ("rollout", None),  # of two
        ("x", None),
        ("", None),
    ],
)
def test_a_setting_is_found_by_what_a_person_may_call_it(text: str, name: str | None) -> None:
    found = named(text)
    assert (found.name if found else None) == name


def test_every_live_setting_can_be_turned_or_is_a_list_and_its_dial_names_a_metric() -> None:
    rest = {name for name, setting in LIVE_SETTINGS.items() if setting not in turnable()}
    assert all(LIVE_SETTINGS[name].kind is tuple for name in rest)
    metrics = {setting.dial.metric for setting in LIVE_SETTINGS.values()} - {""}
    assert metrics <= METRICS.keys() and {f"{key}_measured" for key in metrics} <= METRICS.keys()


def a_setting(kind: type, low: float, high: float, **facts: object) -> Setting:
    return Setting("toy", kind, low, "A toy.", "trust", low=low, high=high, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "value", "down", "up"),
    [
        (a_setting(int, 0, 1000), 20, 19, 21),
        (a_setting(int, 1, 10**8), 250, 200, 500),
        (a_setting(int, 1, 10**8), 1, 1, 2),
        (a_setting(int, 1, 10**8), 10**8, 5 * 10**7, 10**8),
        (a_setting(float, 0, 1), 0.5, 0.45, 0.55),
        (a_setting(float, 0, 1), 0.0, 0.0, 0.05),
        (a_setting(float, 0, 1, open_low=True), 0.05, 0.05, 0.1),
        (a_setting(float, 0, 1e6), 0.02, 0.01, 0.05),
        (a_setting(float, -1000, 1000), -3.0, -5.0, -2.0),
        (a_setting(float, -1000, 1000), 0.0, -0.0001, 0.0001),
        (a_setting(bool, -np.inf, np.inf), False, False, True),
        (Setting("toy", str, "b", "A toy.", "trust", choices=("a", "b", "c")), "b", "a", "c"),
        (Setting("toy", str, "b", "A toy.", "trust", choices=("a", "b", "c")), "c", "b", "c"),
    ],
)
def test_a_turn_is_as_large_as_kind_and_range_ask(setting: Setting, value: object, down: object, up: object) -> None:
    assert turned(setting, value, -1) == pytest.approx(down)  # type: ignore[arg-type]
    assert turned(setting, value, 1) == pytest.approx(up)  # type: ignore[arg-type]


async def test_a_family_is_compared_by_the_charts_of_the_table_only(tmp_path: Path) -> None:
    a_family(tmp_path)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        app.select(tmp_path / "base")
        await driver.look()
        await driver.press("C")
        await driver.until(lambda: len(app.compared) == 4)
        await driver.look()
        read = {key for detail in driver.bench.selection.reading.compared.values() for key in detail.series}
        counting = {axis.metric for axis in AXES if axis.metric}  # which these runs do not have
        assert read | counting == metrics_compared()
