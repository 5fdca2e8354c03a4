"""Serve a folder of runs as a user would, call it as a program, and look at it in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chromium import PATIENCE_S, Tab
from other_ends import needs

# Keeps xterm.js's terminal, which the page's script has in a variable of its own, for the tests to read, and notes
# what a terminal could be told to do: another title, a text for the clipboard, a link.
KEEP_TERMINAL = """\
window.told = [];
Object.defineProperty(Object.prototype, 'terminal', {configurable: true, set(value) {
    if (value && value.buffer) {
        window.seenTerminal = value;
        for (const code of [0, 1, 2, 8, 52]) value.parser.registerOscHandler(code, text => {
            window.told.push(code + ' ' + text);
            return false;
        });
    }
    Object.defineProperty(this, 'terminal', {value, writable: true, configurable: true, enumerable: true});
}});"""
SCREEN = """(() => {
    const lines = window.seenTerminal?.buffer?.active;
    return lines ? [...Array(lines.length).keys()].map(n => lines.getLine(n).translateToString(true)).join('\\n') : '';
})()"""


@dataclass
class Server:
    """Hold a server at work."""

    process: subprocess.Popen[str]
    address: str

    @property
    def place(self) -> str:
        """Return host and port."""
        return urlsplit(self.address).netloc

    @property
    def socket(self) -> str:
        """Return the address of the websocket."""
        return f"ws://{self.place}{urlsplit(self.address).path}ws"

    def asked(self, path: str = "", headers: Mapping[str, str] | None = None) -> tuple[int, str, Mapping[str, str]]:
        """Return status, body and headers of an answer; ``path`` is below the token, or begins with a slash."""
        address = f"http://{self.place}{path}" if path.startswith("/") else self.address + path
        request = urllib.request.Request(address, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode(errors="replace"), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace"), error.headers

    def apps(self) -> list[int]:
        """Return the processes of the tabs."""
        return [child.pid for child in needs("psutil").Process(self.process.pid).children(recursive=True)]


@contextmanager
def served(root: Path, *flags: str) -> Iterator[Server]:
    """Serve the runs under ``root`` on any free port; what the app keeps is beside it."""
    needs("textual_serve")
    command = [sys.executable, "-m", "workbench", f"--runs-root={root}", "--serve", "--port=0", *flags]
    own = {name: str(root.parent / name) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **own, "LANG": "C.UTF-8"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(4)]
        found = re.search(r"http://\S+", "".join(said))
        assert found is not None, said
        yield Server(process, found[0])
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


class AppTab:
    """Be a tab that keeps all it is sent."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.seen = b""
        self.closed = threading.Thread(target=self._take, daemon=True)
        self.closed.start()

    def _take(self) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            for message in self.socket:
                self.seen += message if isinstance(message, bytes) else b""

    def shows(self, text: str) -> None:
        """Wait until the app has drawn ``text`` since the last call."""
        until(lambda: text.encode() in self.seen, lambda: self.seen)
        self.seen = b""

    def type(self, *texts: str) -> None:
        """Send what a terminal sends for keys."""
        for text in texts:
            self.socket.send(json.dumps(["stdin", text]))


@contextmanager
def tab_of(server: Server, origin: str = "") -> Iterator[AppTab]:
    """Open the websocket as the page does."""
    client = needs("websockets.sync.client")
    address = f"{server.socket}?width=160&height=45"
    with client.connect(address, origin=origin or f"http://{server.place}", ping_interval=None) as socket:
        yield AppTab(socket)


def visit(tab: Tab, address: str) -> None:
    """Open an address; the page's terminal can be read then."""
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=KEEP_TERMINAL)
    tab.call("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
    tab.call("Page.navigate", url=address)


def screen(tab: Tab) -> str:
    """Return what the terminal in the page shows."""
    return str(tab.value(SCREEN))


def until(condition: Callable[[], object], said: Callable[[], object] = lambda: "") -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def shows(tab: Tab, *texts: str) -> None:
    """Wait until all of ``texts`` are in the page's terminal."""
    until(lambda: all(text in screen(tab) for text in texts), lambda: f"{screen(tab)}\n{tab.complaints}")


def hides(tab: Tab, text: str) -> None:
    """Wait until ``text`` is not in the page's terminal."""
    until(lambda: text not in screen(tab), lambda: screen(tab))


def press(tab: Tab, *keys: str) -> None:
    """Press keys in the page: characters, or names as ``ArrowDown``."""
    tab.value("document.querySelector('.xterm-helper-textarea').focus()")
    codes = {"ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Escape": 27}
    for key in keys:
        text = {} if key in codes else {"text": key}
        code = codes.get(key, ord(key.upper()[0]))
        tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        tab.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


def on_disk(root: Path) -> dict[str, bytes]:
    """Return every file under a folder."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}
