"""Start the app in a process of its own: no torch, and on screen soon after Textual is."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_run import make_run, status_of

PROBE = """\
import json, sys, time
from pathlib import Path
from workbench.app import Workbench
app = Workbench(Path(sys.argv[1]))
shown = []
async def pilot(p):
    while app.selected is None:
        await p.pause(0.01)
    await p.pause()
    shown.append(time.process_time())
    app.exit()
app.run(headless=True, size=(160, 45), auto_pilot=pilot)
heavy = sorted({"torch", "gymnasium", "mujoco"} & set(sys.modules))
print(json.dumps({"shown": shown[0], "heavy": heavy}))
"""


# The measure of this machine at this moment: what every Textual app takes before its first line.
TEXTUAL = "import time, textual.app; print(time.process_time())"
MOST = 8.0  # times as much, from start to runs on screen; 2.7 to 4.3 on a quiet machine


def output(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_app_shows_its_runs_soon_and_without_torch(tmp_path: Path) -> None:
    make_run(tmp_path, "pendulum-3", status_of(), rows=60)
    shown, imports = [], []
    for _ in range(3):  # in turns, and the fastest of each
        report = json.loads(output(PROBE, str(tmp_path)))
        assert report["heavy"] == []
        shown.append(report["shown"])
        imports.append(float(output(TEXTUAL)))
    print(f"on screen after {min(shown):.2f} s of CPU, textual alone {min(imports):.2f} s")
    assert min(shown) < MOST * min(imports)


def test_the_app_quits_when_its_terminal_is_closed_without_a_signal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    # As under make, which gets the hang-up alone and waits for the app.
    app = subprocess.Popen(
        [sys.executable, "-m", "workbench.app", "--runs-root", str(tmp_path)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    shown = threading.Event()

    def read() -> None:
        while not shown.is_set() and os.read(ours, 4096):
            if app.poll() is None:
                shown.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert shown.wait(30)
        reader.join()
        os.close(ours)
        assert app.wait(20) == 128 + signal.SIGHUP
    finally:
        app.kill()
        app.wait()


# Without a terminal


@contextlib.contextmanager
def terminal() -> Iterator[int]:
    """Lend a terminal whose screen somebody reads."""
    ours, theirs = pty.openpty()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def refused(module: str, folder: Path, **given: Any) -> subprocess.CompletedProcess[str]:
    """Run the app, which is to end at once."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    argv = [sys.executable, "-m", module, "--runs-root", str(folder)]
    return subprocess.run(argv, **{**pipes, **given}, text=True, timeout=60)


@pytest.mark.parametrize("module", ["workbench", "workbench.app"])
def test_without_a_terminal_the_app_is_one_line(module: str, tmp_path: Path) -> None:
    done = refused(module, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the app needs a terminal, but stdin is none; "
        "train headless: python -m mbpo.train --preset pendulum, or give ssh a -t\n"
    )


@pytest.mark.parametrize("lacking", ["stdin", "stdout", "stderr"])
def test_each_stream_must_be_a_terminal(lacking: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with terminal() as theirs, out.open("w") as file:
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, lacking: file}
        done = refused("workbench", tmp_path, **streams)
    assert done.returncode == 2
    if lacking == "stderr":
        assert out.read_text().startswith("error: the app needs a terminal, but stderr is none; train headless: ")


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_draw_is_named(term: str, tmp_path: Path) -> None:
    with terminal() as theirs:
        streams = {"stdin": theirs, "stdout": theirs, "stderr": subprocess.PIPE}
        done = refused("workbench", tmp_path, **streams, env={**os.environ, "TERM": term})
        assert "stderr is none" in done.stderr
        script = "import sys; from workbench.command_line import check_terminal; check_terminal('hopper')"
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        argv = [sys.executable, "-c", script]
        assert subprocess.run(argv, **streams, env={**os.environ, "TERM": "xterm"}, timeout=60).returncode == 0
        assert subprocess.run(argv, **streams, env={**os.environ, "TERM": term}, timeout=60).returncode == 1


def test_the_app_refuses_without_textual(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom workbench.__main__ import main\n"
        "try:\n    main(['--start', 'hopper'])\nfinally:\n    print('textual' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert "python -m mbpo.train --preset hopper" in done.stderr


def test_bad_arguments_of_the_app_are_one_line_and_help_needs_no_terminal(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "workbench", "--runs-rot", "x"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: unknown argument --runs-rot; did you mean --runs-root?\n")
    done = subprocess.run([sys.executable, "-m", "workbench", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--read-only, --readonly" in done.stdout
