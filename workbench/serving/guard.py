"""Answer only who has the token, calls this machine by a name of its own, and comes from no page but ours."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

OURSELVES = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
OUR_PAGES = ("none", "same-origin")  # Sec-Fetch-Site of an address that was typed, and of what our page asks for
REFUSED = "403: put the whole address that mbpo-workbench --serve printed into the address bar.\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Keep the token of one start.

    It is in the path of every request. A cookie would not do: browsers send it to every port of this machine.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)

    def lets_in(self, request: web.Request) -> bool:
        """Return whether a request is answered."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        token = request.path.removeprefix("/").partition("/")[0]
        asks_to_steer = "Upgrade" in request.headers  # browsers name the origin then, always
        return (
            OURSELVES.fullmatch(host) is not None  # else a name of somebody else that leads here: DNS rebinding
            and secrets.compare_digest(token.encode(errors="replace"), self.token.encode())
            and (origin == f"http://{host}" or (origin is None and not asks_to_steer))
            and request.headers.get("Sec-Fetch-Site", "none") in OUR_PAGES
        )

    @property
    def middleware(self) -> Any:
        """Return what stands before every answer, be it a file, a page or the websocket."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.lets_in(request):
                raise web.HTTPForbidden(text=REFUSED)
            return await handler(request)

        return guarded


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page load and reach nothing but this server, be in no other page's frame, and tell its address nobody."""
    host = request.headers.get("Host", "")
    socket = f" ws://{host}" if OURSELVES.fullmatch(host) else ""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        f"img-src 'self' data:; connect-src 'self'{socket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
