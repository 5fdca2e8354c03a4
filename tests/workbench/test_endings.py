"""A run that ends while the app is open is told of, once, with a bell; nothing in its name reaches the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driving import Driver
from fake_run import make_run, put_status, status_of

from workbench.app import Workbench
from workbench.endings import Endings
from workbench.messages import RunRow


def row(name: str, state: str, **facts: Any) -> RunRow:
    return RunRow(Path(name), state, **facts)


def test_what_was_at_work_and_ended_is_told_once() -> None:
    endings = Endings()
    assert (
        list(endings.take([row("a", "running"), row("b", "finished"), row("c", "paused"), row("d", "running")])) == []
    )
    ended = row("a", "finished", eval_return=-168.2, threshold=-200.0, solved_at=500)
    rows = [ended, row("b", "finished"), row("c", "failed", reason="out of memory"), row("d", "stopped")]
    assert list(endings.take(rows)) == [
        ("a finished: evaluation −168, solved at 500", "information"),
        ("c failed: out of memory", "error"),
    ]
    assert list(endings.take(rows)) == []
    assert list(endings.take([row("a", "running"), row("e", "lost")])) == []
    assert list(endings.take([row("a", "lost")])) == [("a is lost", "warning")]


@pytest.mark.parametrize("quiet", [False, True])
async def test_the_terminal_rings_unless_it_is_to_be_quiet(
    quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path, "one", status_of())
    app = Workbench(tmp_path, watch=False, quiet=quiet)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        put_status(path, status_of("diverged", reason="\x1b]0;owned\x07 critic"))
        await driver.look()
        await driver.shows("one diverged: evaluation −151, solved at 900")
        rung = [text for text in written if text.startswith("\x1b]9;")]
        assert len(rung) == (0 if quiet else 1)
        assert all("\x1b" not in text[1:-2] and "\x07" not in text for text in rung)
