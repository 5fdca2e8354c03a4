"""Print as JSON what the app's screens show in a language made of accents: a text without them passed no catalogue.

A process of its own: texts that are said as modules are imported must find the language chosen.
"""

from __future__ import annotations

import asyncio
import gettext
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbpo.settings import language

if TYPE_CHECKING:
    from driving import Driver
    from textual.screen import Screen

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
    """Return what each screen shows, and without a name what the runs themselves say."""
    from driving import Driver
    from screens_shown import DATA, VIEWS, WIDE, prepare

    from workbench.app import Workbench
    from workbench.queueing import Queueing

    prepare(root)
    shown, size = {"": "\n".join(DATA)}, WIDE
    app = Workbench(root, queueing=Queueing(root, start=lambda queue: None), watch=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        app.select(root / "pendulum-3")
        await driver.look()
        for name, view in VIEWS.items():
            app.clear_notifications()
            if view.size != size:
                size = view.size
                await pilot.resize_terminal(*size)
            await _pressed(driver, view.enter)
            if app.screen is driver.bench:
                await driver.look()
            await _rested(driver)
            shown[name] = _text(app.screen)
            await _pressed(driver, view.leave)
    return shown


def _text(screen: Screen[Any]) -> str:
    """Return what a screen shows, without what it covers in part."""
    from textual.screen import ModalScreen

    strips = screen._compositor.render_strips()
    whole = [screen.region] if not isinstance(screen, ModalScreen) else [child.region for child in screen.children]
    return "\n".join(strip.crop(part.x, part.right).text for part in whole for strip in strips[part.y : part.bottom])


async def _pressed(driver: Driver, keys: str) -> None:
    for key in keys.split():
        if key.startswith("@"):
            await driver.app.screen.run_action(key[1:])
        else:
            await driver.press(key)
    await _rested(driver)


async def _rested(driver: Driver) -> None:
    """Wait until all that was begun is done and drawn."""
    await driver.pilot.pause()
    await driver.app.workers.wait_for_complete()
    await driver.pilot.pause()


if __name__ == "__main__":
    language._catalogue[:] = [Pseudo()]
    print(json.dumps(asyncio.run(screens(Path(sys.argv[1])))))
