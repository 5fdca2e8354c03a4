"""Drive the app in tests, and read what its terminal shows. Every wait is for a condition, with a limit."""

from __future__ import annotations

import html
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from textual.command import Command, CommandInput, CommandList, CommandPalette
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from workbench.app import Workbench
from workbench.launcher import Launcher
from workbench.messages import RunsRead
from workbench.screens.bench import Bench
from workbench.watcher import Watcher

SNAPSHOTS = Path(__file__).parent / "snapshots"
CELL = re.compile(r'<text [^>]*x="([\d.]+)"[^>]*clip-path="url\(#[^)]*-line-(\d+)\)">([^<]*)</text>')
CELL_WIDTH = 12.2
LIMIT_S = 30.0  # of any wait: much more than a busy machine needs
AnyScreen = TypeVar("AnyScreen", bound="Screen[Any]")


def met(condition: Callable[[], object]) -> bool:
    """Return whether a condition holds; a widget that is not there yet is no error."""
    try:
        return bool(condition())
    except NoMatches:
        return False


STAND_IN = """\
import pathlib, sys, time
flag = "--runs-root" if "--runs-root" in sys.argv else "--resume"
place = pathlib.Path(sys.argv[sys.argv.index(flag) + 1])
root = next(folder for folder in (place, *place.parents) if (folder / ".launch").exists())
(root / "args").write_text(" ".join(sys.argv[1:]))
for _ in range(1200):
    if (root / "end").exists():
        break
    time.sleep(0.1)
"""
"""A learner that notes what it was given in the runs root, and is at work until told to end."""


def end_stand_in(root: Path, launcher: Launcher) -> None:
    """End the stand-ins under a root, as a test does when it has seen enough."""
    (root / "end").write_text("")
    for launch in launcher.launches.values():
        launch.process.wait(timeout=LIMIT_S)


class Driver:
    """Drive an app whose reader is turned by hand, so that nothing depends on a clock."""

    def __init__(self, app: Workbench, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.watcher = Watcher(app.runs_root, lambda message: None)

    @property
    def bench(self) -> Bench:
        return self.app.get_default_screen()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition; fail with what is on screen where it does not come true."""
        deadline = time.monotonic() + LIMIT_S
        while not met(condition):
            assert time.monotonic() < deadline, f"not within {LIMIT_S:g} s:\n{self.text()}"
            await self.pilot.pause()

    async def look(self) -> None:
        """Let the app see the run directories as they are now, those it selects and compares in full."""
        while True:
            seen = (self.app.selected, self.app.compared, self.app.asked_groups)
            self.watcher.select(self.app.selected)
            self.watcher.compare(self.app.compared)
            self.watcher.follow_groups(self.app.asked_groups)
            reading = self.watcher.look()
            self.app.post_message(RunsRead(reading))
            await self.until(lambda taken=reading.compared: self.bench.selection.reading.compared is taken)
            backlog = len(reading.compared) < len(self.app.compared) or self.watcher.is_behind
            if seen == (self.app.selected, self.app.compared, self.app.asked_groups) and not backlog:
                break

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def shows(self, *texts: str) -> None:
        """Wait until all of ``texts`` are on screen."""
        await self.until(lambda: all(text in self.text() for text in texts))

    async def hides(self, *texts: str) -> None:
        """Wait until none of ``texts`` is on screen."""
        await self.until(lambda: not any(text in self.text() for text in texts))

    async def opens(self, screen: type[AnyScreen], *keys: str) -> AnyScreen:
        """Press keys; return the screen that they open, once it takes keys itself."""
        await self.press(*keys)
        await self.until(lambda: isinstance(self.app.screen, screen) and self.app.screen.focused is not None)
        assert isinstance(self.app.screen, screen)
        return self.app.screen

    async def closes(self, *keys: str) -> None:
        """Press keys that lead back to the workbench."""
        await self.press(*keys)
        await self.until(lambda: self.app.screen is self.bench)

    async def fill(self, selector: str, value: str) -> None:
        """Write into a field of the screen."""
        await self.until(lambda: self.app.screen.query_one(selector, Input))
        self.app.screen.query_one(selector, Input).value = value

    async def command(self, query: str, offered: str) -> None:
        """Choose what the palette offers first for a query."""
        palette = await self.opens(CommandPalette, "ctrl+p")
        await self.until(lambda: isinstance(palette.focused, CommandInput))
        await self.press(*query)
        await self.shows(offered)
        await self.until(lambda: _highlighted(palette, offered))
        await self.press("enter")
        await self.until(lambda: self.app.screen is not palette)

    async def sent(self, path: Path, count: int = 1) -> list[dict[str, Any]]:
        """Return the commands in a run's inbox, once there are so many and the app knows of all."""
        await self.until(lambda: len(commands(path)) >= count)
        await self.until(lambda: all(promise.command_id for promise in self.bench.steering.own.waiting))
        return commands(path)

    async def until_given(self, root: Path) -> str:
        """Return the arguments that a stand-in was started with, once it is at work."""
        given = root / "args"
        await self.until(lambda: given.exists() and given.read_text())
        return given.read_text()

    async def screen(self, name: str) -> None:
        """Wait until the screen equals the stored one; UPDATE_SCREENS=1 stores it, once it rests."""
        path = SNAPSHOTS / f"{name}.txt"
        if os.environ.get("UPDATE_SCREENS"):
            seen = ""
            while seen != self.text():
                seen = self.text()
                await self.pilot.pause(1.0)
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.text())
        stored = path.read_text()
        try:
            await self.until(lambda: self.text() == stored)
        except AssertionError:
            assert self.text() == stored

    def text(self) -> str:
        return screen_text(self.app)


def _highlighted(palette: CommandPalette, text: str) -> bool:
    options = palette.query_one(CommandList)
    index = options.highlighted
    option = options.get_option_at_index(index) if index is not None else None
    return isinstance(option, Command) and text in str(option.hit.text)


def commands(path: Path) -> list[dict[str, Any]]:
    """Return the commands in a run's inbox, the first issued first."""
    found = [json.loads(file.read_text()) for file in (path / "control").glob("*.json")]
    return sorted(found, key=lambda command: command["issued_at"])


def screen_text(app: Workbench) -> str:
    """Return what the terminal shows, as lines of text."""
    lines: dict[int, list[str]] = {}
    for x, line, content in CELL.findall(app.export_screenshot()):
        cells = lines.setdefault(int(line), [])
        text = html.unescape(content).replace("\xa0", " ")
        start = round(float(x) / CELL_WIDTH)
        cells += [" "] * (start + len(text) - len(cells))
        cells[start : start + len(text)] = text
    rows = range(max(lines, default=0) + 1)
    return "\n".join("".join(lines.get(row, [])).rstrip() for row in rows) + "\n"
