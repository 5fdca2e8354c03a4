"""Start programs in processes that have torch imported already: forks of a process that only waits.

Run as a program this is that process: a line of JSON in, the pid and then the exit code out.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMPORTED = ("mbpo.lifecycle.start", "mbpo.seeds.pool", "mbpo.checks.environment.transitions")
TOO_LONG = 999  # the exit code of a program that had to be killed


@dataclass(frozen=True)
class Ended:
    """Hold how a program ended."""

    code: int
    out: str
    err: str
    seconds: float


class WarmStart:
    """Run ``python -m`` programs one after the other, each in a process of its own."""

    def __init__(self, env: dict[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def run(self, module: str, arguments: list[str], cwd: Path, patience_s: float) -> Ended:
        """Run a module as a program and wait for its end; what it leaves behind is killed."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        out, err, began = cwd / "stdout", cwd / "stderr", time.monotonic()
        request = {
            "module": module,
            "arguments": arguments,
            "cwd": str(cwd),
            "streams": [os.devnull, str(out), str(err)],
        }
        print(json.dumps(request), file=self._server.stdin, flush=True)
        pid = int(self._server.stdout.readline())
        late: list[int] = []
        alarm = threading.Timer(patience_s, lambda: (late.append(1), os.kill(pid, signal.SIGKILL)))
        alarm.start()
        code = int(self._server.stdout.readline())
        alarm.cancel()
        _kill_group(pid)
        texts = [path.read_text(errors="replace") for path in (out, err)]
        return Ended(TOO_LONG if late else code, *texts, time.monotonic() - began)

    def close(self) -> None:
        """End the process that waits."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _serve() -> dict[str, Any]:
    """Fork for each request; return it in the fork."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return request
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit(0)


def _become(request: dict[str, Any]) -> None:
    """Run what is asked for, as the interpreter would."""
    os.setsid()
    os.chdir(request["cwd"])
    for number, path in enumerate(request["streams"]):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), number)
    sys.path[0] = request["cwd"]
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for each in IMPORTED:
        __import__(each)
    _become(_serve())
