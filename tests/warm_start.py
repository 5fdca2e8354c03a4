"""Start programs in processes that have torch imported already: forks of a process that only waits.

Run as a program this is that process: a line of JSON in, a line of JSON out.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
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
    """Start ``python -m`` programs, each in a process and a session of its own."""

    def __init__(self, env: dict[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            start_new_session=True,
        )

    def start(
        self, module: str, arguments: list[str], cwd: Path, out: Path, err: Path, env: dict[str, str] | None = None
    ) -> WarmProcess:
        """Start a module as a program, with its output in files; ``env`` is read by what is not imported yet."""
        streams = [os.devnull, str(out), str(err)]
        request = {"module": module, "arguments": arguments, "cwd": str(cwd), "streams": streams, "env": env}
        return WarmProcess(self, self.ask(request))

    def run(self, module: str, arguments: list[str], cwd: Path, patience_s: float) -> Ended:
        """Run a module as a program and wait for its end; what it leaves behind is killed."""
        out, err, began = cwd / "stdout", cwd / "stderr", time.monotonic()
        process = self.start(module, arguments, cwd, out, err)
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = TOO_LONG
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        texts = [path.read_text(errors="replace") for path in (out, err)]
        return Ended(code, *texts, time.monotonic() - began)

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer of the process that waits."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())

    def close(self) -> None:
        """End the process that waits."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


class WarmProcess:
    """Hold a program that was started, as ``subprocess.Popen`` holds one."""

    def __init__(self, start: WarmStart, pid: int) -> None:
        self._start = start
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._start.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """Wait for the end and return the exit code."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _serve() -> dict[str, Any]:
    """Answer requests; return in the fork what it is to run."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif (answer := os.fork()) == 0:
            return request
        print(json.dumps(answer), flush=True)
    sys.exit(0)


def _become(request: dict[str, Any]) -> None:
    """Run what is asked for, as the interpreter would."""
    os.setsid()
    if request["env"] is not None:
        os.environ.clear()
        os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for number, path in enumerate(request["streams"]):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), number)
    sys.path[0] = request["cwd"]
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for each in IMPORTED:
        __import__(each)
    gc.freeze()  # so that no fork copies what it only looks through
    _become(_serve())
