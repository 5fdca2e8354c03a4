"""Print as JSON what the app's screens show in a language made of accents: a text without them passed no catalogue.

A process of its own: texts that are said as modules are imported must find the language chosen.
"""

from __future__ import annotations

import asyncio
import gettext
import json
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from mbpo.settings import language

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = "àƀćđèƒğħìĵķĺḿńòþɋŕśţùṽŵẋýżÀƁĆĐÈƑĞĦÌĴĶĹḾŃÒÞɊŔŚŢÙṼŴẊÝŻ"
MARKED = str.maketrans(PLAIN, ACCENTED)
KEPT = re.compile(r"(\{[^{}]*\}|\[/?[a-z$]*\])")  # places of values, and markup


def marked(text: str) -> str:
    """Return a text as the made-up language has it."""
    return "".join(part if KEPT.fullmatch(part) else part.translate(MARKED) for part in KEPT.split(text))


class Pseudo(gettext.NullTranslations):
    """Translate every text."""

    def gettext(self, message: str) -> str:
        """Return a text with accents."""
        return marked(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return one of two texts with accents."""
        return marked(msgid1 if n == 1 else msgid2)


async def screens(root: Path) -> dict[str, str]:
    """Return what each screen shows."""
    from driving import Driver
    from screens_shown import VIEWS, prepare

    from workbench.app import Workbench

    prepare(root)
    shown = {}
    app = Workbench(root, watch=False)
    async with app.run_test(size=(200, 60), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        for name, (enter, leave) in VIEWS.items():
            await _settled(driver.pilot.pause, driver.text)
            await driver.press(*enter)
            shown[name] = await _settled(driver.pilot.pause, driver.text)
            await driver.press(*leave)
    return shown


async def _settled(pause: Callable[[float], Awaitable[None]], text: Callable[[], str]) -> str:
    seen = ""
    while seen != text():
        seen = text()
        await pause(0.15)
    return seen


if __name__ == "__main__":
    language._catalogue[:] = [Pseudo()]
    print(json.dumps(asyncio.run(screens(Path(sys.argv[1])))))
