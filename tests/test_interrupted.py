"""Interrupt a command: it ends with the exit code of SIGINT, and without a traceback."""

from __future__ import annotations

from types import ModuleType
from typing import NoReturn

import pytest

from mbpo import check_env, compare, control, doctor, evaluate


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("door", "work"),
    [(check_env, "_check"), (compare, "_compare"), (control, "_control"), (doctor, "_check"), (evaluate, "_evaluate")],
)
def test_a_command_that_is_interrupted_ends_with_130(
    door: ModuleType, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, work, interrupted)
    assert door.main(["runs/RUN"]) == 130
