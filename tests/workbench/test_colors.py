"""Colours are legible in every theme, and told apart with any colour vision; without colour other marks are."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from driving import Driver
from family import a_family
from test_screens import some_runs
from textual.color import Color
from textual.coordinate import Coordinate
from textual.theme import BUILTIN_THEMES, Theme

from workbench.app import Workbench
from workbench.charts.picture import ORANGE, RUN_COLORS, SKY, UNMARKED, Line, Picture, filled, run_color
from workbench.format import GLYPHS
from workbench.marked_runs import LETTERS
from workbench.theme import LEAST_CONTRAST, OURS, WORDS, contrast, inks_of
from workbench.widgets.painter import paint
from workbench.widgets.runs_table import COLORS, RunsTable

THEMES = [*OURS, *BUILTIN_THEMES.values()]
LEAST_DIFFERENCE = 15.0  # CIE 1976; about 2.3 is just seen side by side

VISIONS = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""How linear RGB looks to whom. Source: Machado, Oliveira and Fernandes 2009, severity 1.0."""
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(axis=1)


def lab(color: str, vision: str) -> np.ndarray:
    """Return CIE L*a*b* of a colour as it looks to someone."""
    rgb = np.array(Color.parse(color).normalized)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = XYZ @ np.clip(VISIONS[vision] @ linear, 0, 1) / WHITE
    f = np.where(seen > (6 / 29) ** 3, np.cbrt(seen), seen / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, vision: str = "all cones") -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def test_the_measure_is_the_published_one() -> None:
    assert lab("#ff0000", "all cones") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert difference("#000000", "#ffffff") == pytest.approx(100, abs=0.01)
    for vision, matrix in VISIONS.items():
        assert matrix.sum(axis=1) == pytest.approx(1, abs=1e-5), vision  # greys stay greys
    assert difference("#c04040", "#606000", "deuteranopia") < difference("#c04040", "#606000") / 2
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_runs_compared_have_colours_that_everyone_tells_apart(theme: Theme) -> None:
    inks = inks_of(theme)
    colors = {mark: filled(run_color(mark), inks) for mark in (*LETTERS[: len(RUN_COLORS)], UNMARKED)}
    for vision, (one, other) in itertools.product(VISIONS, itertools.combinations(colors, 2)):
        found = difference(colors[one], colors[other], vision)
        assert found >= LEAST_DIFFERENCE, f"{one} and {other}: {found:.1f} with {vision}"


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_words_and_curves_stand_out_from_the_background(theme: Theme) -> None:
    inks = dict(inks_of(theme))
    ground = theme.to_color_system().generate()["background"]
    ground = ground if ground.startswith("#") else ("#000000" if theme.dark else "#ffffff")
    for below in (ground, inks.pop("ink-raised")):
        for name, color in inks.items():
            found = contrast(Color.parse(color), Color.parse(below))
            assert found >= LEAST_CONTRAST or name == "ink-edge", f"{name} on {below}: {found:.2f}"
    if theme.name == "high-contrast":
        for name in ("ink-muted", "ink-grey", *WORDS):
            assert contrast(Color.parse(inks[name]), Color.parse(ground)) >= 7, name


def test_states_have_a_mark_of_their_own_and_no_colour_alone() -> None:
    marks = {state: mark for state, mark in GLYPHS.items() if state != "launching"}  # starting, seen from here
    assert len(set(marks.values())) == len(marks)
    assert set(COLORS) == set(GLYPHS)


@pytest.mark.parametrize("theme", ["day", "ansi-light"])
async def test_every_page_is_drawn_in_a_theme_and_in_another_while_it_is_open(tmp_path: Path, theme: str) -> None:
    some_runs(tmp_path)
    app = Workbench(tmp_path, watch=False, theme=theme)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("applied @ 600", "evaluation −151")
        for page in ("n", "t", "e", "question_mark"):
            await driver.press(page)
            await driver.until(lambda: app.screen is not driver.bench)
            await driver.closes("escape")
        table = app.screen.query_one(RunsTable)
        running = table.get_cell_at(Coordinate(0, 0)).style
        app.theme = "solarized-light" if app.current_theme.dark else "night"
        await driver.until(lambda: table.get_cell_at(Coordinate(0, 0)).style != running)
        await driver.shows("applied @ 600")


def test_colours_begin_again_after_the_last() -> None:
    colors = [run_color(letter) for letter in LETTERS]
    assert colors[:8] == colors[8:16] == list(RUN_COLORS) and len(set(colors)) == 8


def test_without_colour_lines_carry_their_letters_all_along() -> None:
    x = np.arange(100.0)
    lines = Line("A", "", "1", SKY, x, x), Line("B", "", "1", ORANGE, x, -x)
    plain, lettered = (
        "".join(strip.text for strip in paint(Picture("y", lines=lines), 90, 20, "#000000", no_color=no_color)[1:])
        for no_color in (False, True)
    )
    assert (plain.count("A"), plain.count("B")) == (1, 1)
    assert lettered.count("A") >= 4 and lettered.count("B") >= 4


async def test_without_colour_all_is_grey_and_runs_compared_are_told_by_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_family(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("C")
        await driver.look()
        await driver.shows("compared", "A base", "B base-k5", "● ", "✓ ")
        inks = set(re.findall(r"-r\d+ \{ fill: #(\w{6})", app.export_screenshot()))
        assert len(inks) > 3
        assert {ink for ink in inks if not ink[:2] == ink[2:4] == ink[4:]} <= {"c5c8c6"}  # what has no colour, in SVG


async def test_an_empty_no_color_asks_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert not Workbench(tmp_path, watch=False).no_color
    monkeypatch.setenv("NO_COLOR", "1")
    assert Workbench(tmp_path, watch=False).no_color
