"""k* on the chart of the bound: its band, or why it cannot be told; the bare k* of older versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driving import Driver
from fake_run import make_run, status_of
from textual.geometry import Region
from trusted_run import make_trusted_run

from workbench.app import Workbench
from workbench.charts.best_length import best_length_of
from workbench.charts.bound import BOUND, bound_picture
from workbench.charts.scene import Scene
from workbench.messages import Points, RunDetail

ALL = {"bound/rho": 0.8, "bound/k_star": 20.0, "bound/eps_m_new": 0.2, "trust/rows": 900.0}
BAND = {"bound/k_star_low": 15.0, "bound/k_star_high": 27.0}
FEW = "too few whole episodes yet"


def detail(**metrics: float) -> RunDetail:
    return RunDetail(Path("r"), 1, {key: Points(np.array([9.0]), np.array([value])) for key, value in metrics.items()})


@pytest.mark.parametrize(
    ("metrics", "words", "why"),
    [
        ({**ALL, **BAND}, "15–27", ""),
        ({**ALL, "bound/k_star_low": 20.0, "bound/k_star_high": 20.0}, "20", ""),
        (ALL, "untold", FEW),
        ({**ALL, **BAND, "bound/k_star_high": 99.0}, "untold", "it may be anything from 15 to 99"),
        ({**ALL, **BAND, "bound/eps_m_new": 0.99}, "untold", "at this resolution"),
        ({**ALL, **BAND, "bound/k_star_low": float("nan")}, "untold", FEW),
        ({"bound/rho": 0.8, "bound/k_star": 20.0, "bound/eps_m_new": 0.2}, "20", ""),  # of an older version
        ({}, "–", ""),
    ],
)
def test_k_star_is_told_by_its_band_or_not_at_all(metrics: dict[str, float], words: str, why: str) -> None:
    found = best_length_of(detail(**metrics))
    assert found.words == words
    assert found.why_not.startswith(why) and bool(found.why_not) is bool(why)


def test_a_band_of_an_earlier_refit_is_none_of_this_one() -> None:
    series = dict(detail(**ALL, **BAND).series)
    series["bound/eps_m_new"] = Points(np.array([9.0, 10.0]), np.array([0.2, 0.2]))
    assert best_length_of(RunDetail(Path("r"), 1, series)).why_not == FEW


def test_the_picture_shows_the_band_as_an_area_between_two_lines() -> None:
    picture = bound_picture(Scene(detail(**ALL, **BAND), k=3.0), True)
    assert [(marker.x, marker.label) for marker in picture.markers] == [(3.0, "k=3"), (15.0, "k*=15–27"), (27.0, "")]
    area = picture.lines[-1]
    assert area.x.tolist() == [15.0, 27.0] and picture.y_range is not None
    assert area.low is not None and area.high is not None
    assert (area.low[0], area.high[0]) == picture.y_range
    assert picture.x_range is not None and picture.x_range[1] > 27


def test_an_untold_k_star_has_neither_line_nor_number() -> None:
    scene = Scene(detail(**ALL), k=3.0)
    picture = bound_picture(scene, True)
    assert [marker.label for marker in picture.markers] == ["k=3"]
    assert picture.remark == f"k* cannot be told: {FEW}."
    assert "k*" not in BOUND.words(scene, True, False)


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 45)], ids=str)
async def test_the_reason_stands_in_full_on_the_chart(tmp_path: Path, size: tuple[int, int]) -> None:
    make_trusted_run(tmp_path, "a", **{"bound/eps_m_new": 1.0})
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("2")
        await driver.shows("2 bound C(k)/C(0)")
        why = "k* cannot be told: at this resolution the model's error is all there can be;"
        await driver.until(lambda: why in _inside(driver, app.screen.query_one("#chart-bound").region))


def _inside(driver: Driver, region: Region) -> str:
    """Return what stands in a part of the screen as one line; other panels stand beside it."""
    lines = driver.text().splitlines()[region.y : region.bottom]
    return " ".join(" ".join(line[region.x : region.right] for line in lines).split())


async def test_the_band_is_on_the_chart_and_compared_runs_keep_that_of_the_one_in_focus(tmp_path: Path) -> None:
    make_trusted_run(tmp_path, "a")
    make_run(tmp_path, "b", status_of(started=1.0), rows=20)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("k*=15–25", "k* = 15–25")
        await driver.press("c", "down", "c")
        await driver.until(lambda: len(app.compared) == 2)
        await driver.look()
        await driver.shows("k*=20")
        await driver.press("up")
        await driver.look()
        await driver.shows("k*=15–25")
