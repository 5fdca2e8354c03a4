"""Let two learners who see neither each other's process nor lock want one run: at any time one alone writes in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from learners import DEBUG, environment, rows, wait_for

from mbpo.errors import RunInUseError
from mbpo.runs import lease
from mbpo.runs.layout import RunPaths
from mbpo.runs.lease import Lease, check_free
from mbpo.runs.status import RunStatus, read_status, this_process, write_status

ON_HOST = """
import fcntl, socket, sys
def no_locks(descriptor, operation):
    raise OSError(37, "No locks available")
fcntl.flock = no_locks
socket.gethostname = lambda: sys.argv[1]
from mbpo.runs import lease, status
status.boot_id = lambda: sys.argv[1]
lease.ALWAYS_WATCHED_S, lease.SILENT_AFTER_S = 2.0, 2.0
from mbpo import train
sys.exit(train.main(sys.argv[2:]))
"""
RUN = (*DEBUG, "--total-steps", "400", "--checkpoint-every", "50", "--log-every", "10", "--report", "false")


def on_host(host: str, *arguments: object, output: Path) -> subprocess.Popen[bytes]:
    """Start a learner that thinks it is on a host of its own, whose locks are nobody else's."""
    with output.open("ab") as out:
        command = [sys.executable, "-c", ON_HOST, host, *map(str, arguments)]
        return subprocess.Popen(command, env=environment(), stdout=out, stderr=out, start_new_session=True)


def of_a_host(**changes: Any) -> RunStatus:
    """Return the status of a learner on another host."""
    return RunStatus(**{**this_process(), "host": "node7", "state": "running", "heartbeat": time.time(), **changes})


@contextmanager
def beating(paths: RunPaths, skew_s: float = 0.0) -> Iterator[None]:
    """Let the heart of a learner elsewhere, whose clock is ahead by ``skew_s``, beat while inside."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.2):
            write_status(paths, of_a_host(heartbeat=time.time() + skew_s))

    write_status(paths, of_a_host(heartbeat=time.time() + skew_s))
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def run_dir(tmp_path: Path) -> RunPaths:
    paths = RunPaths(tmp_path / "r")
    paths.root.mkdir()
    return paths


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "ALWAYS_WATCHED_S", 1.0)
    monkeypatch.setattr(lease, "STILL_S", 1.0)


def test_a_later_lease_takes_the_run_from_an_earlier_one(run_dir: RunPaths) -> None:
    first = Lease(run_dir)
    first.check()
    second = Lease(run_dir)
    assert (first.number, second.number, first.lost, second.lost) == (1, 2, True, False)
    with pytest.raises(RunInUseError, match="taken over by another learner"):
        first.check()
    assert [path.name for path in run_dir.root.iterdir()] == [".lease-2"]


def test_of_many_who_try_at_once_one_has_the_run(run_dir: RunPaths) -> None:
    def take(_: int) -> Lease | None:
        try:
            return Lease(run_dir)
        except RunInUseError:
            return None

    with ThreadPoolExecutor(16) as pool:
        found = [taken for taken in pool.map(take, range(200)) if taken is not None]
    assert len({each.number for each in found}) == len(found)
    assert sum(not each.lost for each in found) == 1


def test_a_lease_file_that_somebody_cleans_up_is_no_take_over(run_dir: RunPaths) -> None:
    held = Lease(run_dir)
    (run_dir.root / ".lease-1").unlink()
    held.check()


@pytest.mark.parametrize("skew_s", [0.0, 7200.0, -7200.0])
def test_a_heart_that_beats_elsewhere_keeps_the_run_whatever_its_clock_says(
    run_dir: RunPaths, quick: None, skew_s: float
) -> None:
    with beating(run_dir, skew_s), pytest.raises(RunInUseError, match="on node7, which cannot be seen"):
        check_free(run_dir, read_status(run_dir))


def test_a_heart_that_stands_still_gives_the_run_away(run_dir: RunPaths, quick: None) -> None:
    write_status(run_dir, of_a_host(heartbeat=time.time() - 61))
    check_free(run_dir, read_status(run_dir))


def test_a_learner_that_was_taken_for_dead_writes_nothing_more(tmp_path: Path) -> None:
    twin = on_host("twin", *RUN, "--runs-root", tmp_path, "--run-id", "twin", output=tmp_path / "twin.txt")
    paths, out = RunPaths(tmp_path / "r"), {name: tmp_path / f"{name}.txt" for name in ("a", "b")}
    first = on_host("node-a", *RUN, "--runs-root", tmp_path, "--run-id", "r", output=out["a"])
    try:
        wait_for(lambda: rows(paths.metrics) and rows(paths.metrics)[-1]["env_steps"] >= 120, "env step 120")
        first.send_signal(signal.SIGSTOP)
        second = on_host("node-b", "--resume", paths.root, output=out["b"])
        wait_for(lambda: (status := read_status(paths)) is not None and status.host == "node-b", "the other host")
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 7
        assert second.wait(120) == 0
    finally:
        first.kill()
    assert twin.wait(120) == 0
    assert "taken over by another learner" in out["a"].read_text()
    assert "watching its heartbeat" in out["b"].read_text()
    status = read_status(paths)
    assert status is not None and (status.state, status.host, status.attempt) == ("finished", "node-b", 2)
    attempts = [row["attempt"] for row in rows(paths.metrics)]
    assert attempts == sorted(attempts)
    assert without_time(paths) == without_time(RunPaths(tmp_path / "twin"))


def without_time(paths: RunPaths) -> list[dict[str, Any]]:
    kept = {row["seq"]: row for row in rows(paths.metrics)}
    clocks = ("time_s", "attempt")
    own = ("time/", "system/")
    return [{k: v for k, v in row.items() if k not in clocks and not k.startswith(own)} for row in kept.values()]
