"""``mbpo-workbench --serve`` answers nobody else, and ends with all that it started; learners go on."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fake_run import make_run, status_of
from other_ends import needs
from served import PATIENCE_S, Server, served, tab_of, until

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status

OTHER = "http://127.0.0.1:9"  # the same machine, another port: another origin


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, state in (("run-a", "running"), ("run-b", "finished")):
        make_run(tmp_path / "runs", name, status_of(state), rows=20)
    return tmp_path / "runs"


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    with served(root) as server:
        yield server


def test_who_lacks_the_token_or_comes_by_another_name_or_page_gets_nothing(server: Server) -> None:
    page = f"/{server.address.split('/')[3]}/"
    good = [("", {}), ("static/js/textual.js", {}), ("static/css/xterm.css", {"Origin": f"http://{server.place}"})]
    good += [("", {"Host": f"localhost:{port}"}) for port in (9000, 80)]  # as `ssh -L 9000:127.0.0.1:8000` has it
    good += [("", {"Sec-Fetch-Site": site}) for site in ("none", "same-origin")]
    for path, headers in good:
        assert server.asked(path, headers)[0] == 200, (path, headers)
    bad = [
        *((path, {}) for path in ("/", "/ws", "/static/js/textual.js", "/x/", f"{page[:-2]}/", f"{page[:-1]}x/")),
        *(("", {"Host": host}) for host in ("", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example:80")),
        *(("", {"Host": host}) for host in ("127.0.0.1:x", "0.0.0.0", socket.gethostname() + ".", "[::2]")),
        *((path, {"Origin": OTHER}) for path in ("", "ws", "static/js/textual.js", "nothing")),
        *(("", {"Origin": origin}) for origin in ("null", "http://evil.example", f"https://{server.place}", "")),
        *(("static/js/textual.js", {"Sec-Fetch-Site": site}) for site in ("same-site", "cross-site")),
        ("ws", {"Upgrade": "websocket"}),  # no browser leaves out the origin there
    ]
    for path, headers in bad:
        status, body, answered = server.asked(path, headers)
        assert (status, body.startswith("403: put the whole address")) == (403, True), (path, headers)
        assert server.address.split("/")[3] not in body + str(answered)
        assert not [name for name in answered if name.lower().startswith("access-control")]
    assert server.apps() == []


def test_nothing_but_the_page_its_files_and_the_websocket_is_there(server: Server) -> None:
    for path in ("static/", "static", "download/x", "static/../server.py", "static/%2e%2e/server.py", "x"):
        assert server.asked(path)[0] in (403, 404), path
    status, page, headers = server.asked()
    assert status == 200 and set(re.findall(r"\w+://[^/\"]+", page)) == {f"ws://{server.place}"}
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers


def test_it_listens_on_this_machine_only(server: Server) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(server.process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_a_page_from_elsewhere_opens_no_websocket_and_a_message_that_is_none_closes_it(server: Server) -> None:
    needs("websockets.sync.client")
    from websockets.exceptions import InvalidStatus

    for origin in (OTHER, "null"):
        with pytest.raises(InvalidStatus, match="403"), tab_of(server, origin):
            pass
    assert server.apps() == []
    for message in ("x", "7", "[]", '["stdin", 7]', '["resize", {}]', "{}"):
        with tab_of(server) as tab:
            tab.socket.send(message)
            tab.closed.join(PATIENCE_S)
            assert not tab.closed.is_alive()
    until(lambda: server.apps() == [])
    assert server.process.poll() is None


def test_an_app_ends_with_its_tab_and_all_end_with_ctrl_c(server: Server) -> None:
    with tab_of(server) as first:
        first.shows("run-a")
        with tab_of(server) as second:
            second.shows("run-a")
            assert len(server.apps()) == 2
        until(lambda: len(server.apps()) == 1)
        apps = server.apps()
        assert "--read-only" in psutil.Process(apps[0]).cmdline()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE_S) == 0
    assert not any(psutil.pid_exists(app) for app in apps)


def test_an_app_ends_also_where_its_server_is_killed(server: Server) -> None:
    with tab_of(server) as tab:
        tab.shows("run-a")
        apps = [psutil.Process(app) for app in server.apps()]
        server.process.kill()
        psutil.wait_procs(apps, PATIENCE_S)
    assert apps and not any(app.is_running() and app.status() != psutil.STATUS_ZOMBIE for app in apps)


def test_with_allow_control_a_learner_is_started_and_goes_on_without_the_server(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    with served(root, "--allow-control") as server, tab_of(server) as tab:
        tab.shows("palette")
        tab.type("\x10")
        tab.shows("new run")
        tab.type(*"start debug")
        tab.shows("start debug")
        tab.type("\r")
        until(lambda: [*root.glob("*/status.json")])
        paths = RunPaths(next(root.glob("*/status.json")).parent)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE_S) == 0
    ended = ("finished",)
    until(lambda: (status := read_status(paths)) is not None and status.derived_state() in ended)


def test_what_cannot_be_served_is_one_line(root: Path, tmp_path: Path) -> None:
    def said(*flags: str, python: tuple[str, ...] = ("-m", "workbench")) -> tuple[int, str]:
        command = [sys.executable, *python, "--serve", *flags]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.stdout == ""
        return done.returncode, done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        needs("textual_serve")
        code, line = said(f"--port={port}")
        free = int(line.rpartition(" ")[2])
        assert (code, line) == (2, f"error: port {port} is taken, and {free} is free: --port {free}\n")
        socket.create_server(("127.0.0.1", free)).close()
    without = "import sys; sys.modules['textual_serve'] = None; from workbench.__main__ import main; sys.exit(main())"
    code, line = said(python=("-c", without))
    assert code == 2 and re.fullmatch(r"error: --serve needs textual-serve: \S+ -m pip install textual-serve\n", line)
    for flags, word in (
        (["--port=x"], "--port must be a whole number"),
        (["--port=65536"], "--port must be a whole number in [0, 65535]"),
        (["--start=pendulum"], "--serve starts no run"),
        (["--read-only", "--allow-control"], "give one of them"),
    ):
        code, line = said(*flags)
        assert code == 2 and word in line and line.count("\n") == 1


def test_only_root_takes_a_low_port(monkeypatch: pytest.MonkeyPatch) -> None:
    from mbpo.errors import ConfigError
    from workbench.serving import door

    def refuse(port: int) -> socket.socket:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(door, "_bound", refuse)
    with pytest.raises(ConfigError, match="cannot listen on port 80: Permission denied; one above 1023 is free to use"):
        door.listen(80)


def test_a_tab_too_many_is_refused() -> None:
    needs("textual_serve")
    from aiohttp import web

    from workbench.serving.server import MOST_TABS, BrowserServer

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = BrowserServer(["false"], listening)
        server._tabs.update(object() for _ in range(MOST_TABS))  # type: ignore[arg-type]
        with pytest.raises(web.HTTPServiceUnavailable):
            asyncio.run(server.handle_websocket(None))  # type: ignore[arg-type]
