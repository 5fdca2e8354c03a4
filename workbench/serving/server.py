"""Serve the app to browsers on this machine; each tab has an app of its own."""

from __future__ import annotations

import asyncio
import html
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path
from string import Template

from aiohttp import web
from textual_serve.server import Server, to_int

from mbpo.settings.language import tr
from workbench.serving.guard import Guard, add_headers
from workbench.serving.tab import END_S, Tab

PAGE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
TITLE = "MBPO Workbench"
MOST_TABS = 8  # each is a process
MOST_CELLS = 1000  # of a terminal, across and down


class BrowserServer(Server):
    """Put a guard before textual-serve's pages, and take from it what needs nothing from elsewhere."""

    def __init__(self, argv: Sequence[str], listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        super().__init__(shlex.join(argv), host=host, port=port, title=TITLE)
        self._argv, self._listening = argv, listening
        self._guard = Guard()
        self._tabs: set[Tab] = set()

    @property
    def address(self) -> str:
        """Return what a person opens; it is the only place that has the token."""
        return f"{self.public_url}/{self._guard.token}/"

    def serve(self, debug: bool = False) -> None:
        """Answer until Ctrl-C, then end the apps."""
        web.run_app(
            self._make_app(), sock=self._listening, print=None, access_log=None, shutdown_timeout=END_S
        )  # a log of requests would have the token in it

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard.middleware])
        below = f"/{self._guard.token}"
        app.add_routes(
            [
                web.get(below, self.handle_unended),
                web.get(f"{below}/", self.handle_index),
                web.get(f"{below}/ws", self.handle_websocket),
                web.static(f"{below}/static", self.statics_path),
            ]
        )
        app.on_response_prepare.append(add_headers)
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def handle_unended(self, request: web.Request) -> web.Response:
        """Send an address without its last character to the page: what the page asks for lies below it."""
        raise web.HTTPFound(f"{request.path}/")

    async def handle_index(self, request: web.Request) -> web.Response:
        """Answer with the page; its files and its websocket are below the same path."""
        words = {
            "title": TITLE,
            "begins": tr("The app begins …"),
            "ended": tr("The app has ended; runs go on."),
            "again": tr("Open it again"),
            "websocket": f"ws://{request.host}{request.path}ws",
            "font_size": str(to_int(request.query.get("fontsize", "16"), 16)),
        }
        page = PAGE.substitute({name: html.escape(text) for name, text in words.items()})
        return web.Response(text=page, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run an app for as long as its tab is open."""
        if len(self._tabs) >= MOST_TABS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_TABS} tabs are open, and no more: close one.\n")
        browser = web.WebSocketResponse(heartbeat=15)
        tab = Tab(self._argv, browser)
        self._tabs.add(tab)
        try:
            await browser.prepare(request)
            await tab.start(*(_cells(request.query.get(side, "")) for side in ("width", "height")))
            await self._process_messages(browser, tab)
        except (ValueError, TypeError, LookupError, AttributeError, AssertionError):
            await browser.close(code=1003, message=b"not a message of the page")
        finally:
            await asyncio.shield(tab.stop())
            self._tabs.discard(tab)
        return browser

    async def on_shutdown(self, app: web.Application) -> None:
        """End the app of every tab; what they started goes on."""
        await asyncio.gather(*(tab.stop() for tab in self._tabs))


def _cells(text: str) -> int:
    return min(max(int(to_int(text, 80)), 1), MOST_CELLS)
