"""Start the app in a process of its own: no torch, and on screen soon after Textual is."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

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
