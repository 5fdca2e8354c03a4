"""Drive the app in tests, and read what its terminal shows."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

from textual.pilot import Pilot

from workbench.app import Workbench
from workbench.messages import RunsRead
from workbench.watcher import Watcher

SNAPSHOTS = Path(__file__).parent / "snapshots"
CELL = re.compile(r'<text [^>]*x="([\d.]+)"[^>]*clip-path="url\(#[^)]*-line-(\d+)\)">([^<]*)</text>')
CELL_WIDTH = 12.2


class Bench:
    """Drive an app whose reader is turned by hand, so that nothing depends on a clock."""

    def __init__(self, app: Workbench, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.watcher = Watcher(app.runs_root, lambda message: None)

    async def look(self, times: int = 2) -> None:
        """Let the app see the run directories as they are now."""
        for _ in range(times):
            self.watcher.select(self.app.selected)
            self.watcher.compare(self.app.compared)
            self.app.post_message(RunsRead(self.watcher.look()))
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self) -> str:
        return screen_text(self.app)


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


def assert_screen(app: Workbench, name: str) -> None:
    """Compare the screen with the stored one; UPDATE_SCREENS=1 stores it."""
    path = SNAPSHOTS / f"{name}.txt"
    shown = screen_text(app)
    if os.environ.get("UPDATE_SCREENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
    assert path.read_text() == shown
