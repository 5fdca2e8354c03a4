"""Serve the app as the command line asks for: ``mbpo-workbench --serve``."""

from __future__ import annotations

import argparse
import errno
import importlib.util
import socket
import sys

from mbpo.errors import ConfigError, MBPOError, printable, report
from mbpo.settings.packages import install_command
from mbpo.settings.stdout import say

HERE = "127.0.0.1"  # and nowhere else: no other machine can call it
TRIES = 20


def serve(options: argparse.Namespace) -> int:
    """Serve the app until Ctrl-C; return the exit status."""
    try:
        if importlib.util.find_spec("textual_serve") is None:
            raise ConfigError(f"--serve needs textual-serve: {install_command('textual-serve')}")
        listening = listen(options.port)
    except MBPOError as error:
        return report(error)
    from workbench.serving.server import BrowserServer

    with listening:
        server = BrowserServer(app_command(options), listening)
        what = "start, steer and delete runs" if options.allow_control else "watch only; --allow-control lets it steer"
        port = listening.getsockname()[1]
        root = printable(str(options.runs_root))
        say(f"{root} in a browser ({what}). Who has this address may see it:\n  {server.address}")
        say(f"On another machine: ssh -L {port}:{HERE}:{port} {socket.gethostname()}, then open the same address.")
        say("Ctrl-C ends it and its apps; runs go on.")
        server.serve()
    return 0


def app_command(options: argparse.Namespace) -> list[str]:
    """Return the command of the app that a tab shows."""
    command = [sys.executable, "-m", "workbench", f"--runs-root={options.runs_root}"]
    command += [f"--{name}={value}" for name in ("theme", "language") if (value := getattr(options, name))]
    command += ["--quiet"] if options.quiet else []
    return command if options.allow_control else [*command, "--read-only"]


def listen(port: int) -> socket.socket:
    """Take a port of this machine, any free one for 0.

    Raises:
        ConfigError: it is taken, or may not be taken.
    """
    try:
        return _bound(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is taken, and {(free := _free(port))} is free: --port {free}") from None
        raise ConfigError(f"cannot listen on port {port}: {error.strerror}; one above 1023 is free to use") from None


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HERE, port))
        bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


def _free(port: int) -> int:
    """Return a port that is free now, one of the next if there is any."""
    for other in [*range(port + 1, min(port + TRIES, 65536)), 0]:
        try:
            with _bound(other) as bound:
                return int(bound.getsockname()[1])
        except OSError:
            continue
    return 0
