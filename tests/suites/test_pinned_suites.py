"""The suites are declared in full: `make suites` itself needs minutes and a network, and is no part of `make test`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mbpo.lifecycle.command_line import parse_launch

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
SUITES: dict[str, Any] = tomllib.loads((HERE / "suites.toml").read_text())


@pytest.mark.parametrize("task", [task for suite in SUITES.values() for task in suite["tasks"]], ids=str)
def test_the_flags_of_each_task_are_those_of_training(task: dict[str, Any]) -> None:
    assert task["flags"][0] == "--env-id"
    assert parse_launch(task["flags"]).config.env_id == task["flags"][1]
    assert task.keys() <= {"flags", "steps", "repeats"}


@pytest.mark.parametrize("suite", SUITES)
def test_each_package_of_a_suite_has_one_version(suite: str) -> None:
    lines = (HERE / "pins" / f"{suite}.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    names = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert {"gymnasium", "numpy", *(name.lower() for name in SUITES[suite]["made_of"])} <= names


def test_no_pins_are_left_over() -> None:
    assert {path.stem for path in (HERE / "pins").iterdir()} == SUITES.keys()
