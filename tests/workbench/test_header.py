"""The headline of a run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.messages import Points, RunDetail, RunRow
from workbench.widgets.header import headline
from workbench.widgets.load import load_words
from workbench.widgets.run_columns import evaluation


@pytest.mark.parametrize(("phase", "shown"), [("train", True), ("repeat", True), ("warm-up", False)])
def test_the_time_left_is_not_guessed_from_warm_up(phase: str, shown: bool) -> None:
    row = RunRow(Path("a"), "running", phase=phase, env_steps=100, total_steps=1100, steps_per_s=10.0)
    text = headline(row, 160).plain
    assert ("1:40 left" in text) is shown
    assert f"running · {phase}" in text


def test_evaluations_lead_and_say_whether_it_is_solved() -> None:
    row = RunRow(Path("a"), "finished", last_return=-441.0, eval_return=-168.2, best_return=-163.4)
    text = headline(replace(row, threshold=-200.0, solved_at=500), 160).plain
    assert "evaluation −168 · best −163 · solved at 500" in text
    assert text.index("evaluation") < text.index("last episode −441")
    assert "not solved yet" in headline(replace(row, threshold=-100.0), 160).plain
    assert "solved" not in headline(row, 160).plain
    unevaluated = headline(replace(row, eval_return=None, best_return=None, threshold=-200.0), 160).plain
    assert "solved" not in unevaluated and "evaluation" not in unevaluated


def test_an_evaluation_just_below_the_threshold_does_not_read_as_the_threshold() -> None:
    row = RunRow(Path("a"), "running", eval_return=-200.2, threshold=-200.0)
    assert "evaluation −200.2 · not solved yet" in headline(row, 160).plain
    assert evaluation(row, 9).plain == "−200.2"
    assert "evaluation −200 · solved at 500" in headline(replace(row, eval_return=-200.0, solved_at=500), 160).plain


def test_what_finds_no_room_takes_nothing_with_it_that_does() -> None:
    row = RunRow(Path("pendulum-s0-20261130-020802"), "running", env_steps=1200, total_steps=12_000)
    row = replace(row, eval_return=-171.0, threshold=-200.0, solved_at=400)
    assert headline(row, 78).plain.endswith("evaluation −171 · solved at 400")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_what_matters_fits(width: int) -> None:
    row = RunRow(Path("pendulum-20261129-s3"), "running", "train", "Pendulum-v1", "pendulum", 3, 12_400, 125_000)
    row = replace(row, eval_return=-1168.2, best_return=-1163.4, threshold=-200.0, steps_per_s=31.0, last_return=-4.0)
    content = headline(row, width)
    assert "evaluation −1,168" in content.plain and "running" in content.plain
    assert content.cell_length <= max(width, 75)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"cpu": 0.983, "memory_mb": 412.3}, "cpu 98 % · 412 MB"),
        ({"cpu": 3.9, "memory_mb": 5310.0, "gpu": 0.6}, "cpu 390 % · 5.31 GB · gpu 60 %"),
        ({"cpu": math.nan, "memory_mb": 1e3}, "1 GB"),
        ({}, ""),
    ],
)
def test_what_a_learner_takes_of_the_machine(measured: dict[str, float], words: str) -> None:
    series = {f"system/{key}": Points(np.array([10.0]), np.array([value])) for key, value in measured.items()}
    assert load_words(RunDetail(Path("a"), 1, series)) == words
    row = RunRow(Path("a"), "running", "train", "Pendulum-v1", "pendulum", 3, 1240, 4000)
    assert headline(row, 200, load="cpu 98 % · 412 MB").plain.endswith("cpu 98 % · 412 MB")
    assert "cpu" not in headline(row, 60, load="cpu 98 % · 412 MB").plain  # the first to go
    assert "cpu" not in headline(replace(row, state="finished"), 200, load="cpu 98 % · 412 MB").plain
