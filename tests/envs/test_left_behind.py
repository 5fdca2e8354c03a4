"""A process ends with its exit code, whatever threads and child processes an environment left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from learners import PATIENCE_S, environment, wait_for

BEGIN = """
import atexit, multiprocessing, sys, threading, time
from mbpo.envs import left_behind
left_behind.GRACE_S = 1.0

def stay():
    time.sleep(600)

def deaf():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""


def ended(folder: Path, text: str) -> tuple[int, str]:
    """Run a script; return its exit code and what it printed."""
    script = folder / "script.py"
    script.write_text(f"{BEGIN}\n{text}\nleft_behind.leave(7)\n")
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([sys.executable, str(script)], env=environment(), stdout=out, start_new_session=True)
        try:
            code = process.wait(PATIENCE_S)
        finally:
            for child in psutil.process_iter(["pid"]):
                if child.pid != os.getpid() and _group(child.pid) == process.pid:
                    child.send_signal(signal.SIGKILL)
    return code, (folder / "out").read_text()


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@pytest.mark.parametrize(
    "left",
    [
        "",
        "threading.Thread(target=stay).start()",
        "from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor(1).submit(stay)",
        "multiprocessing.Process(target=deaf).start(); time.sleep(0.3)",
        "atexit.register(stay)",
    ],
)
def test_nothing_that_is_left_keeps_a_process_alive(left: str, tmp_path: Path) -> None:
    assert ended(tmp_path, f"print('said', end='')\n{left}") == (7, "said")


def test_a_child_process_ends_with_its_parent(tmp_path: Path) -> None:
    code, out = ended(tmp_path, "child = multiprocessing.Process(target=stay); child.start(); print(child.pid)")
    assert code == 7
    wait_for(lambda: not psutil.pid_exists(int(out)), "the child's end")
