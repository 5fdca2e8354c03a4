#!/usr/bin/env bash
# textual 8.2.8: a key goes to what has the focus when it arrives, and a tab moves the focus only after it has bubbled from
# the widget through the screen to the app. So of "tab" and "x" that arrive together, x is typed into the field before.
# Why it matters here: tmux send-keys, a terminal over a slow line and fast typists send several keys at once; a seed lands
# in the environment's field. Apps that must not lose keys have to press the next only when the one before has come back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check textual==8.2.8
"$folder/venv/bin/python" - <<'PY'
import asyncio

from textual.app import App
from textual.events import Key
from textual.widgets import Input


class Form(App):
    def compose(self):
        yield Input(id="first")
        yield Input(id="second")


async def typed(pause_s):
    app = Form()
    async with app.run_test() as pilot:
        await pilot.pause()
        for name, character in (("tab", "\t"), ("x", "x")):
            app.post_message(Key(name, character).set_sender(app))
            if pause_s:
                await asyncio.sleep(pause_s)
        await pilot.pause(0.5)
        return [app.query_one(f"#{field}", Input).value for field in ("first", "second")]


together, apart = asyncio.run(typed(0)), asyncio.run(typed(0.5))
print("tab and x together:", together, "half a second apart:", apart)
assert together == ["x", ""] and apart == ["", "x"], "changed"
PY
echo "as described: textual 8.2.8"
