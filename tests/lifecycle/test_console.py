"""The progress lines say what is known, and "?" where nothing is."""

from __future__ import annotations

import pytest

from mbpo.lifecycle.console import Console
from mbpo.runs.status import RunStatus
from mbpo.settings.config import resolve


@pytest.mark.parametrize(
    ("env_steps", "left"), [(100, "? left"), (500, "? left"), (600, "0:50 left"), (1100, "0:00 left")]
)
def test_the_speed_of_warm_up_says_nothing_of_what_is_left(
    env_steps: int, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(resolve({"warmup_steps": 500, "total_steps": 1100}, "debug"))
    console.interval(env_steps, {"time/env_steps_per_s": 10.0}, RunStatus())
    assert capsys.readouterr().out.rstrip().endswith(left)
