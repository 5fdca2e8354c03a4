"""The served app in a real browser: it shows runs, takes keys, changes nothing, and obeys no text of a run."""

from __future__ import annotations

import http.server
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chromium import Tab, chromium
from fake_run import add_event, make_run, status_of
from served import Server, hides, on_disk, press, screen, served, shows, until, visit

from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths

PARTS = (
    *("<script>window.acted=1</script>", "<img src=x onerror=window.acted=1>", "</title><title>evil</title>"),
    *("\x1b]0;evil\x07", "\x1b]2;evil\x1b\\", "\x9d0;evil\x9c", "\x1b]52;c;ZXZpbA==\x07"),
    *("\x1b]8;;http://evil.invalid\x1b\\x", "\x1b[2J", "\x9b2J", "\x1b[?1049l", "\x1bc", "\x1bP1$qx\x1b\\"),
    *("\x07", "\x00", "\r", "\u202e", "\u2028", "\ud800", "&lt;b&gt;", "${1}", "k=5", "研究", "🧪"),
    *("[@click=app.quit]x[/]", "[link=http://evil.invalid]x[/link]", "http://evil.invalid/"),
)
IN_HELP = "mark the run for comparison"  # no notice covers it
SEEN_FROM_ELSEWHERE = """\
<!DOCTYPE html><title>elsewhere</title><iframe id=frame src="ADDRESS"></iframe>
<img src="ADDRESSstatic/images/background.png" onload="seen.push('image')" onerror="gone.push('image')">
<script>
window.seen = []; window.gone = [];
const socket = new WebSocket('SOCKET?width=80&height=24');
socket.onopen = () => seen.push('websocket');
socket.onmessage = () => seen.push('message');
socket.onclose = () => gone.push('websocket');
for (const mode of ['cors', 'same-origin'])
    fetch('ADDRESS', {mode, credentials: 'include'}).then(() => seen.push('page'), () => gone.push('page'));
fetch('ADDRESS', {mode: 'no-cors'}).then(answer => answer.text())
    .then(text => (text ? seen : gone).push('opaque'), () => gone.push('opaque'));
const script = document.createElement('script');
script.src = 'ADDRESSstatic/js/textual.js';
script.onload = () => seen.push('script'); script.onerror = () => gone.push('script');
document.head.append(script);
</script>
"""


def hostile(count: int) -> Iterator[str]:
    """Yield so many texts that would act in a page or a terminal, each part alone at first."""
    draw = random.Random(7)
    for number in range(count):
        yield PARTS[number] if number < len(PARTS) else "".join(draw.choices(PARTS, k=draw.randint(2, 6)))


@contextmanager
def looking_at(root: Path, *flags: str) -> Iterator[tuple[Server, Tab]]:
    """Serve a folder, and have its page in a browser."""
    (root.parent / "profile").mkdir()
    with served(root, *flags) as server, chromium(root.parent / "profile") as tab:
        visit(tab, server.address)
        yield server, tab


def test_the_page_shows_the_runs_takes_keys_and_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    for number, name in enumerate(("run-a", "run-b", "run-c")):
        make_run(root, name, status_of("finished" if number else "running", started=2e9 - number), rows=20)
    before = on_disk(root)
    with looking_at(root) as (server, tab):
        shows(tab, "run-a", "run-b", "run-c", "read-only", "1 of 3 at work")
        assert screen(tab).splitlines()[0].startswith(" run-a")
        press(tab, "ArrowDown")
        until(lambda: screen(tab).splitlines()[0].startswith(" run-b"), lambda: screen(tab))
        press(tab, "ArrowUp")
        until(lambda: screen(tab).splitlines()[0].startswith(" run-a"), lambda: screen(tab))
        for key in ("k", "s", "n", " ", "A", "D", "N", "g", "f", "w", "e"):
            press(tab, key)
            shows(tab, "Read-only")
            press(tab, "y")
        press(tab, "?")
        shows(tab, IN_HELP)
        assert "start a new run" not in screen(tab)
        assert all(place.startswith((server.address, "data:", "ws://" + server.place)) for place in tab.requests)
        assert not [said for said in tab.complaints if "Content Security Policy" in said or "Refused" in said]
        assert tab.value("document.fonts.check(\"16px 'Roboto Mono'\")") is True
        press(tab, "Escape")
        hides(tab, IN_HELP)
        press(tab, "q")
        until(lambda: tab.value("getComputedStyle(document.querySelector('#ended')).display") == "block")
        until(lambda: server.apps() == [])
    assert on_disk(root) == before


def test_with_allow_control_a_key_reaches_the_run(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    run = make_run(root, "run-a", status_of(), rows=20)
    with looking_at(root, "--allow-control") as (_, tab):
        shows(tab, "run-a", "k/K k")
        press(tab, "K")
        until(lambda: [*(run / "control").glob("*.json")], lambda: screen(tab))
    (sent,) = (run / "control").glob("*.json")
    assert json.loads(sent.read_text())["set"] == {"rollout_length": 4}


def test_a_page_from_elsewhere_gets_nothing_though_it_knows_the_address(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    make_run(root, "run-a", status_of(), rows=5)
    (tmp_path / "profile").mkdir()
    with served(root) as server, chromium(tmp_path / "profile") as tab:
        page = SEEN_FROM_ELSEWHERE.replace("ADDRESS", server.address).replace("SOCKET", server.socket)
        with elsewhere(page) as address:
            visit(tab, address)
            until(lambda: tab.value("window.gone?.length === 6"), lambda: tab.value("[window.seen, window.gone]"))
            assert tab.value("window.seen") == []
            assert tab.value("document.querySelector('#frame').contentDocument") is None
        assert server.apps() == []


@contextmanager
def elsewhere(page: str) -> Iterator[str]:
    """Serve a page on another port of the same machine."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_texts_of_runs_do_nothing_in_the_page(tmp_path: Path) -> None:
    root, texts = tmp_path / "runs", [*hostile(120)]
    for number, text in enumerate(texts[:40]):
        make_hostile_run(root, f"{number:03} {text.replace('/', '')}", text, texts)
    make_run(root, "zzz", status_of(), rows=5)
    with looking_at(root) as (_, tab):
        shows(tab, "41 of 41 at work")
        for page in "liMtN":
            press(tab, "ArrowDown")
            before = screen(tab)
            press(tab, page)
            until(lambda before=before: screen(tab) != before)
            press(tab, "Escape")
            shows(tab, "41 of 41 at work")
        for _ in range(41):
            press(tab, "ArrowDown")
        shows(tab, "zzz")
        assert tab.value("document.title") == "MBPO Workbench"
        assert tab.value("window.told") == []
        assert tab.value("window.acted") is None
        assert tab.value("document.querySelectorAll('script').length") == 1
        assert not [place for place in tab.requests if "evil" in place]
        targets = tab.call("Target.getTargets")["targetInfos"]
        assert not [target for target in targets if "evil" in target["url"]]


def make_hostile_run(root: Path, name: str, text: str, texts: list[str]) -> None:
    """Make a run whose name, title, note, log, events and settings would act."""
    clean = text.encode("utf-8", "replace").decode().replace("\x00", "")
    path = make_run(root, name.encode("utf-8", "replace").decode().replace("\x00", ""), status_of(), rows=5)
    change_about(RunPaths(path), {"title": clean[:80], "note": clean})
    (path / "log.txt").write_text("\n".join(texts), errors="replace")
    for each in texts[:20]:
        add_event(path, event="control", id=each, status="rejected", at_env_steps=9, reason=each, revision=1, by=each)
