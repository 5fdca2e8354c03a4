"""The headline of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.messages import RunRow
from workbench.widgets.header import headline


@pytest.mark.parametrize(("phase", "shown"), [("train", True), ("repeat", True), ("warm-up", False)])
def test_the_time_left_is_not_guessed_from_warm_up(phase: str, shown: bool) -> None:
    row = RunRow(Path("a"), "running", phase=phase, env_steps=100, total_steps=1100, steps_per_s=10.0)
    text = headline(row, 160).plain
    assert ("1:40 left" in text) is shown
    assert f"running ({phase})" in text
