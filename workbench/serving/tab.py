"""Be the app behind one tab of a browser: a process that ends with the tab."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from workbench.spawn import environment

END_S = 5.0  # after which an app that was told to end is killed


class Tab(AppService):
    """Start the app without a shell, pass on what it draws, and nothing else: no file, no address to open."""

    def __init__(self, argv: Sequence[str], socket: web.WebSocketResponse) -> None:
        super().__init__(
            shlex.join(argv),
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=socket.close,
            download_manager=DownloadManager(),
        )
        self._argv = argv

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Start the app in a session of its own, out of reach of the terminal's Ctrl-C."""
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**self._build_environment(width, height), "PYTHONPATH": environment()["PYTHONPATH"]},
            start_new_session=True,
        )
        self._stdin = self._process.stdin
        return self._process

    async def run(self) -> None:
        """Pass on what the app draws until it ends, then let the browser know."""
        await super().run()
        with contextlib.suppress(ConnectionError):
            await self.remote_close()

    async def on_meta(self, data: bytes) -> None:
        """Follow the app's end only: files and addresses that it offers stay here."""
        if json.loads(data).get("type") == "exit":
            await self.remote_close()

    async def stop(self) -> None:
        """End the app, by force where it does not follow."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            await asyncio.wait_for(self._ended(process), END_S)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ended(self, process: Process) -> None:
        await super().stop()
        await process.wait()
