"""A real Ray cluster on this one machine: some nodes, each `ray start` in a session of its own, on loopback only."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import psutil

# Told 127.0.0.1, Ray takes the address of a network card, and then listens on every card. Here `ray start` keeps to
# loopback; for drivers, and what a node starts, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 does the same.
RAY = """
from ray._private import ray_constants, services
from ray.scripts import scripts
ray_constants.ENABLE_RAY_CLUSTER = True
services.get_node_ip_address = lambda address=None: "127.0.0.1"
scripts.get_ray_client_dependency_error = lambda: "not wanted here"  # it would listen on the same port in every cluster
scripts.main()
"""
HEAD = ("--head", "--include-dashboard", "false", "--port")
NODE = ("--block", "--num-cpus", "2", "--object-store-memory", "80000000", "--disable-usage-stats")
ANY_PORT = ("--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0")
PATIENCE_S = 90.0
STEP_S = 0.05


def is_installed() -> bool:
    """Return whether this Python has Ray."""
    return importlib.util.find_spec("ray") is not None


class RayHere:
    """Be a Ray cluster of two nodes with 2 CPUs each, whatever the machine has; more can be added."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Prepare a cluster whose logs will be in ``folder``; ``settings`` are environment variables of its nodes."""
        self.address = f"127.0.0.1:{_free_port()}"
        self.nodes: list[psutil.Process] = []
        self._started: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._temp = Path(tempfile.mkdtemp(prefix="ray-"))  # the path of a socket in it has 107 bytes at most
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._settings = {"RAY_HERE": str(self._temp), **token, **settings}

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which a driver finds the cluster."""
        loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_ADDRESS": self.address}
        return {**os.environ, **loopback, "RAY_USAGE_STATS_ENABLED": "0", **self._settings}

    def __enter__(self) -> RayHere:
        """Start the head and a second node, and wait until both are there."""
        try:
            self.add_node()
            self.add_node()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave no process behind."""
        self.stop()

    def add_node(self) -> int:
        """Start one more node, wait until its raylet takes work, and return its number; 0 is the head."""
        number = len(self.nodes)
        temp = self._temp / str(number)
        port = self.address.split(":")[1]
        which = (*HEAD, port) if number == 0 else ("--address", self.address)
        with (self._folder / f"node-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", RAY, "start", *which, "--temp-dir", str(temp), *NODE, *ANY_PORT],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_as_in_the_background,
            )
        self._started.append(process)
        self.nodes.append(psutil.Process(process.pid))
        deadline = time.monotonic() + PATIENCE_S
        while b"Ray runtime started" not in (said := Path(log.name).read_bytes()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"node {number} did not start: {said.decode(errors='replace')[-2000:]}")
            time.sleep(STEP_S)
        return number

    def raylet(self, number: int) -> psutil.Process:
        """Return the process that hands out a node's work."""
        return next(child for child in children(self.nodes[number]) if child.name() == "raylet")

    def workers(self, number: int) -> list[psutil.Process]:
        """Return the processes of a node that do tasks, or wait for one."""
        return [child for child in children(self.raylet(number)) if _leads_group(child.pid)]

    def kill_node(self, number: int) -> None:
        """Kill all that Ray runs on a node, at once, as a power cut would; what tasks have started is left alone."""
        node = self.nodes[number]
        own = children(node)
        below = [child for process in own for child in children(process)]  # workers and agents, below the raylet
        _kill([node, *own, *below])

    def stop(self) -> None:
        """Kill every process of the cluster and all that its tasks have started; keep the logs."""
        while left := [process for process in psutil.process_iter() if self._is_ours(process)]:
            _kill(left)
        for process in self._started:
            process.poll()  # psutil has reaped it
        for number in range(len(self.nodes)):
            for logs in (self._temp / str(number)).glob("session_2*/logs"):
                shutil.copytree(logs, self._folder / f"logs-{number}", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(self._temp, ignore_errors=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            sessions = {node.pid for node in self.nodes}
            return os.getsid(process.pid) in sessions or process.environ().get("RAY_HERE") == str(self._temp)
        return False


def _as_in_the_background() -> None:
    """Ignore Ctrl-C, as what a script begins by ``&``, and all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def children(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
    """Return what a process has started; nothing where it has ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive)
    return []


def _leads_group(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
        return os.getpgid(pid) == pid
    return False


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
