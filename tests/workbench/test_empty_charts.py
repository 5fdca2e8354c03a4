"""Say of an empty chart what it waits for, and of one that stays empty why."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.charts.bound import bound_picture
from workbench.charts.model_error import error_picture
from workbench.charts.scene import Scene
from workbench.messages import RunDetail

REFIT = "waiting for the first refit"


@pytest.mark.parametrize(
    ("algo", "bound", "variation", "squared"),
    [
        ("mbpo", REFIT, REFIT, REFIT),
        ("sac", "algo sac has none", "algo sac has none", "algo sac has none"),
        ("pets", "algo pets has none", "algo pets has none", REFIT),
        ([], REFIT, REFIT, REFIT),  # whatever is in the file
    ],
)
def test_a_chart_waits_only_for_what_its_algorithm_measures(
    algo: object, bound: str, variation: str, squared: str
) -> None:
    scene = Scene(RunDetail(Path("r"), 1, config={"algo": algo}))
    assert bound_picture(scene, True).empty == bound
    assert error_picture(scene, False).empty == variation
    assert error_picture(scene, True).empty == squared
