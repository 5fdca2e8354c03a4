"""Drive a headless Chromium by its own protocol: open a file, ask the page, print it, and keep all it complains of."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from other_ends import browser, needs

PATIENCE_S = 120.0  # a limit, not a wait


@dataclass
class Tab:
    """Hold one page, and what it said and asked for."""

    socket: Any
    session: str = ""
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    calls: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what the browser answers."""
        self.calls += 1
        message = {"id": self.calls, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            heard = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if heard.get("id") == self.calls:
                assert "error" not in heard, heard
                return dict(heard["result"])
            self._hear(heard.get("method", ""), heard.get("params", {}))

    def open(self, file: Path, width: int = 1000, height: int = 800, scheme: str = "light") -> None:
        """Show a file, and wait until its charts are drawn."""
        self.complaints.clear()
        self.requests.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=file.absolute().as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while not self.value("document.documentElement?.dataset.drawn === 'yes'"):
            assert time.monotonic() < deadline, f"{file} is not drawn: {self.complaints}"
            time.sleep(0.1)

    def value(self, script: str) -> Any:
        """Return what ``script`` comes to in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, **options: Any) -> bytes:
        """Return what the page looks like, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def _hear(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(told["args"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """Start the browser, with its profile in ``folder``, and end it."""
    client = needs("websockets.sync.client")
    command = [browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    output = folder / "chromium.txt"
    with output.open("wb") as file:
        process = subprocess.Popen([*command, f"--user-data-dir={folder}", "about:blank"], stdout=file, stderr=file)
    try:
        with client.connect(_address(output), max_size=None) as socket:
            tab = Tab(socket)
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _address(output: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := re.search(r"DevTools listening on (ws://\S+)", output.read_text(errors="replace"))):
        assert time.monotonic() < deadline, output.read_text(errors="replace")
        time.sleep(0.1)
    return found[1]
