"""The keys in the last line: whole words at any width, help always among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of

from workbench.app import Workbench

ALL = ["n new", "k/K k", "r/R ratio", "␣ pause", "s stop", "f fork", "c compare", "t trust", "w what if"]
ALL += ["/ filter", "? help"]


@pytest.mark.parametrize(
    ("width", "kept"),
    [(200, 11), (99, 11), (98, 10), (90, 10), (89, 9), (80, 9), (79, 8), (71, 7), (62, 7), (60, 6), (40, 4), (20, 1)],
)
async def test_a_key_is_shown_with_its_word_or_not_at_all(tmp_path: Path, width: int, kept: int) -> None:
    make_run(tmp_path, "a", status_of())
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows(" ".join(ALL))
        await pilot.resize_terminal(width, 24)
        wanted = " ".join((*ALL[: kept - 1], ALL[-1]))
        await driver.until(lambda: driver.text().splitlines()[-1].split("▏")[0].strip() == wanted)
