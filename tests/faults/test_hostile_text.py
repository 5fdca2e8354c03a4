"""Show text from anywhere: nothing that a terminal or the app obeys comes out."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from driving import Driver
from fake_run import add_event, make_run, put_status, status_of
from figures import Promise, figure

from workbench.app import Workbench
from workbench.format import safe_text

STRINGS = figure(fast=250, full=20_000)
AT_ONCE = 250  # of them on the screens of one look
SEEDS_OF_EVIL = (
    "[@click=app.quit]x[/]",
    "[/x]",
    "[bold",
    "\x1b]52;c;aGk=\x07",
    "\x1b[2J",
    "\x9b31m",
    "\u202e",
    "\u200b",
    "\x00",
    "\u2028",
    "\U000e0041",
    "\r\n\t",
    "\ud800",
    "\x7f",
    "\u0301" * 9,
    "$error",
    "{}",
    "%s",
    "\\[",
    "](",
    "走",
    "🏴\u200d☠️",
    "\x1bP+q\x1b\\",
    "\x1b[?1049h",
    "a" * 90,
    " ",
    "=",
)
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def strings(rng: random.Random) -> Iterator[str]:
    while True:
        parts = rng.choices(SEEDS_OF_EVIL, k=rng.randint(1, 6))
        noise = [
            chr(rng.choice([rng.randrange(0x20), rng.randrange(0x7F, 0x2100), rng.randrange(0x110000)]))
            for _ in range(3)
        ]
        mixed = parts + noise
        rng.shuffle(mixed)
        yield "".join(mixed)


def written(text: str) -> str:
    """Return ``text`` as a file can hold it."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


async def test_hostile_strings_are_shown_and_obeyed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promise: Promise
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, some = tmp_path / "runs", strings(random.Random(0))
    path = make_run(root, "run", status_of(started=9e9), rows=10)
    app = Workbench(root, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        with promise.tries("hostile strings: 0 control bytes out, 0 actions, 0 faults") as tries:
            while tries.of < STRINGS:
                batch = [next(some) for _ in range(AT_ONCE)]
                with tries.one(len(batch)):
                    await show(path, batch, driver, app)
                    await pilot.click("#events", offset=(12, 3))
                    assert app.is_running and app.return_code is None
                    app.clear_notifications()


async def show(path: Path, batch: list[str], driver: Driver, app: Workbench) -> None:
    """Put the strings everywhere, look at every screen, and find nothing there that a terminal obeys."""
    for text in batch:
        out = safe_text(text)
        assert not {unicodedata.category(c) for c in out} & OBEYED, ascii(text)
    _write(path, [written(text) for text in batch])
    for keys in ((), ("l",), ("escape", "f"), ("escape", "e"), ("escape", "ctrl+p"), ("escape", "0"), ("0",)):
        await driver.press(*keys)
        await driver.look()
        assert not {unicodedata.category(c) for c in driver.text()} & (OBEYED - {"Cc"})
        assert set("\x1b\x07\x9b\x00").isdisjoint(app.export_screenshot())
    app.say(batch[0], "error")


def _write(path: Path, batch: list[str]) -> None:
    """Put the strings wherever a run has text: its status, log, events, metrics and settings."""
    some = iter(batch)
    status = status_of(
        started=9e9,
        env_id=next(some),
        reason=next(some),
        phase=next(some),
        preset=next(some),
        parent=next(some),
        controls={next(some): next(some), "rollout_length": next(some)},
    )
    put_status(path, msgspec.structs.replace(status, state="running"))
    for kind in ("warning", "control", "evaluation", next(some)):
        for _ in range(12):
            add_event(path, event=kind, id=next(some), status="rejected", reason=next(some), by=next(some), env_steps=3)
    with (path / "metrics.jsonl").open("a") as metrics:
        metrics.write(json.dumps({"seq": 99, "env_steps": 1300, next(some): 1.0}) + "\n")
    (path / "config.toml").write_text(f"preset = {json.dumps(next(some))}\n")
    (path / "log.txt").write_text("\n".join(some))
