"""Queue runs: none is lost, none runs twice, whoever is killed and whatever lies in the queue's folder."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from learners import environment, wait_for

from mbpo.errors import StorageError
from mbpo.runs import queue as queue_module
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.locks import take
from mbpo.runs.queue import Queue
from mbpo.runs.queue_files import Line
from mbpo.runs.reader import list_runs
from mbpo.runs.records.order import AT_WORK, CANCELLED, WAITING, Order, OrderedRun
from mbpo.seeds import queue_runner
from mbpo.seeds.pool import go_on_with_queue
from mbpo.settings import threads as thread_counts

KILLS = 40 if os.environ.get("MBPO_FAULTS") == "full" else 3

# A learner that says when it starts, refuses a run that is there, and is at work for a while.
STUB = """\
import json, os, sys, time
given = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word)
root = given.get("resume") or os.path.join(given["runs-root"], given["run-id"])
home, name = os.path.split(root)
with open(os.path.join(home, "starts"), "a") as file:
    file.write(name + " resume" * ("resume" in given) + "\\n")
if "--bad-setting" in sys.argv:
    sys.exit("error: unrecognized arguments: --bad-setting")
if "resume" not in given:
    os.mkdir(root)
open(os.path.join(root, "manifest.json"), "w").write("{}")
def say(state):
    with open(os.path.join(root, ".status"), "w") as file:
        json.dump({"state": state}, file)
    os.replace(os.path.join(root, ".status"), os.path.join(root, "status.json"))
say("running")
if "--die" in sys.argv:
    os.kill(os.getpid(), 9)
until = time.monotonic() + 60
while os.path.exists(os.path.join(home, "hold")) and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.05)
say("finished")
"""
RUNNER = """\
import sys
from mbpo.seeds import queue_runner
queue_runner.LEARNER = (sys.executable, "-S", sys.argv[2])
queue_runner.POLL_S = 0.02
queue_runner.cores = lambda: 2
sys.exit(queue_runner.main(sys.argv[1:2]))
"""


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "runs"
    root.mkdir()
    (tmp_path / "stub.py").write_text(STUB)
    yield root
    for process in psutil.process_iter(["cmdline"]):
        if any(str(root) in word for word in process.info["cmdline"] or ()):
            process.kill()


def order(root: Path, name: str, count: int, *flags: str) -> Queue:
    runs = [OrderedRun(run_id=f"{name}-s{n}", label=str(n), flags=[f"--seed={n}"]) for n in range(count)]
    made = Order(name=name, issued_at=time.time(), started_in=str(root.parent), flags=[*flags], runs=runs)
    queue = Queue(root)
    queue.add(made)
    return queue


def start(root: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", RUNNER, str(root), str(root.parent / "stub.py")]
    return subprocess.Popen(argv, env=environment(), start_new_session=True)


def run_here(root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the queue in this process, with the stub for a learner."""
    monkeypatch.setattr(queue_runner, "LEARNER", (sys.executable, "-S", str(root.parent / "stub.py")))
    monkeypatch.setattr(queue_runner, "POLL_S", 0.01)
    return queue_runner.main([str(root)])


def states(line: Line) -> dict[str, str]:
    return {entry.run_id: entry.turn.state for entry in line.entries}


def starts(root: Path) -> list[str]:
    path = root / "starts"
    return path.read_text().splitlines() if path.exists() else []


# What it promises under kills


def test_a_killed_runner_loses_no_run_and_none_runs_twice(root: Path) -> None:
    rng = random.Random(0)
    queue = order(root, "first", KILLS)
    order(root, "second", 2 * KILLS)
    for _ in range(KILLS):
        runner = start(root)
        wait_for(lambda: queue.has_runner or not queue.read().unfinished, "the runner")
        time.sleep(rng.uniform(0, 0.15))
        runner.kill()
        runner.wait()
    assert start(root).wait(60) == 0
    names = [f"first-s{n}" for n in range(KILLS)] + [f"second-s{n}" for n in range(2 * KILLS)]
    assert states(queue.read()) == dict.fromkeys(names, "finished")
    assert Counter(starts(root)) == dict.fromkeys(names, 1)
    assert not queue.has_runner
    assert [paths.run_id for paths, _ in list_runs(root)] == sorted(names)
    assert not [*(root / ".launch").glob("*/*.lock")]


def test_a_learner_that_goes_on_is_found_again_and_counted(root: Path) -> None:
    (root / "hold").write_text("")
    queue = order(root, "one", 3)
    runner = start(root)
    wait_for(lambda: len(starts(root)) == 2, "two learners")
    runner.kill()
    runner.wait()
    runner = start(root)
    wait_for(lambda: queue.has_runner, "the next runner")
    time.sleep(0.3)
    assert starts(root) == ["one-s0", "one-s1"]  # the cores carry two
    (root / "hold").unlink()
    assert runner.wait(60) == 0
    assert sorted(starts(root)) == ["one-s0", "one-s1", "one-s2"]
    assert set(states(queue.read()).values()) == {"finished"}


ORDERING = """\
import os, sys
from pathlib import Path
from mbpo.runs import queue_process
from mbpo.settings.grid import Grid
from workbench.queueing import Queueing
queue_process.RUNNER = (sys.executable, "-c", sys.argv[3], sys.argv[1], sys.argv[2])
Queueing(Path(sys.argv[1])).order("debug", {}, Grid((0, 1), {"rollout_length": (1, 5)}))
os.kill(os.getpid(), 9)
"""


def test_what_an_app_ordered_goes_on_when_it_is_killed(root: Path) -> None:
    argv = [sys.executable, "-c", ORDERING, str(root), str(root.parent / "stub.py"), RUNNER]
    assert subprocess.run(argv, env=environment(), cwd=root.parent).returncode == -signal.SIGKILL
    queue = Queue(root)
    wait_for(lambda: queue.read().count("finished") == 4 and not queue.has_runner, "all four runs")
    assert [name.split("-", 3)[3] for name in states(queue.read())] == ["k1-s0", "k5-s0", "k1-s1", "k5-s1"]
    assert len(starts(root)) == 4


def test_a_lost_run_goes_on_a_few_times(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = order(root, "lost", 1, "--die")
    assert run_here(root, monkeypatch) == 0
    assert starts(root) == ["lost-s0", "lost-s0 resume"]  # which finds its end without the flag
    (done,) = queue.read().entries
    assert (done.turn.state, done.turn.attempts) == ("finished", 2)

    monkeypatch.setattr(queue_runner, "MOST_ATTEMPTS", 1)
    order(root, "again", 1, "--die")
    run_here(root, monkeypatch)
    entry = queue.read().entries[-1]
    assert (entry.turn.state, entry.turn.reason) == ("failed", "lost 1 times: ended by SIGKILL")
    queue.again("again-s0")
    run_here(root, monkeypatch)
    assert queue.read().entries[-1].turn.state == "finished"


def test_a_run_that_fails_says_why_and_stops_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is with an order of an older version, of whose settings one is no more."""
    order(root, "old", 2, "--bad-setting")
    queue = order(root, "young", 1)
    run_here(root, monkeypatch)
    old, _, young = queue.read().entries
    assert (old.turn.state, old.turn.reason) == ("failed", "unrecognized arguments: --bad-setting")
    assert young.turn.state == "finished"


# What is done to it


def test_runs_are_moved_cancelled_tried_again_and_taken_off(root: Path) -> None:
    queue = order(root, "a", 3)
    order(root, "b", 1)
    queue.move("b-s0", -1)
    queue.move("b-s0", -1)
    queue.move("a-s0", -1)  # it is the first
    assert [*states(queue.read())] == ["a-s0", "b-s0", "a-s1", "a-s2"]
    assert queue.take("a-s0")
    assert not queue.take("a-s0")
    queue.move("b-s0", -1)  # what is at work is not overtaken
    queue.cancel(["a-s0", "a-s1"])
    assert states(Queue(root).read()) == {"a-s0": AT_WORK, "b-s0": WAITING, "a-s1": CANCELLED, "a-s2": WAITING}
    queue.cancel()
    queue.note("a-s0", "finished")
    queue.again("a-s1")
    queue.again("a-s0")  # which has finished
    assert states(queue.read()) == {"a-s0": "finished", "b-s0": CANCELLED, "a-s2": CANCELLED, "a-s1": WAITING}
    queue.forget()
    assert states(queue.read()) == {"a-s1": WAITING}
    assert not (queue.folder / "b.json").exists()
    queue.cancel()
    queue.forget()
    assert queue.read() == Line()
    assert [path.name for path in queue.folder.glob("*.json")] == ["line.json"]


def test_the_cores_are_shared_with_whoever_is_at_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_runner, "cores", lambda: 2)
    others = queue_runner.Others(root)
    monkeypatch.setattr(others, "threads", lambda but: 2)
    queue = order(root, "a", 2)
    line = queue_runner.QueueLine(queue)
    line._others = others
    assert line.next([]) is None
    monkeypatch.setattr(others, "threads", lambda but: 1)
    first = line.next([])
    assert first is not None
    assert first.paths.run_id == "a-s0"
    assert line.next([first]) is None
    monkeypatch.setattr(others, "threads", lambda but: 0)
    assert line.next([first]) is not None


def test_a_learner_at_work_under_the_root_is_counted(
    root: Path, live_learner: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: RunPaths = live_learner.paths  # type: ignore[attr-defined]
    others = queue_runner.Others(paths.root.parent)
    assert others.threads(set()) == 1
    assert others.threads({paths.root}) == 0


# What lies in its folder


def test_what_cannot_be_used_is_a_line_and_the_others_go_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = order(root, "good", 1)
    for name in ("cut", "list", "newer", "pipe"):
        order(root, name, 1)
    (queue.folder / "cut.json").write_text('{"name": "cu')
    (queue.folder / "list.json").write_text("[]")
    write_json(queue.folder / "newer.json", {**json.loads((queue.folder / "newer.json").read_text()), "schema": 2})
    (queue.folder / "pipe.json").unlink()
    os.mkfifo(queue.folder / "pipe.json")
    run_here(root, monkeypatch)
    line = queue.read()
    assert states(line) == {"good-s0": "finished"}
    assert len(line.faults) == 4
    assert ".queue/cut.json cannot be read" in line.faults
    assert any("must have schema 1 at most" in fault for fault in line.faults)
    assert starts(root) == ["good-s0"]


def test_a_damaged_line_is_made_anew_of_orders_and_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = order(root, "a", 3)
    monkeypatch.setattr(queue_runner, "cores", lambda: 1)
    run_here(root, monkeypatch)
    order(root, "b", 1)
    (queue.folder / "line.json").write_bytes(b"\x00\xff")
    assert queue.read().faults == (".queue/line.json cannot be read",)
    assert states(queue.read()) == {"a-s0": "finished", "a-s1": "finished", "a-s2": "finished", "b-s0": WAITING}
    run_here(root, monkeypatch)
    assert (set(states(queue.read()).values()), queue.read().faults) == ({"finished"}, ())
    assert len(starts(root)) == 4
    write_json(queue.folder / "line.json", {"schema": 2, "turns": []})
    with pytest.raises(StorageError, match="must have schema 1 at most"):
        queue.cancel()


def test_an_order_that_came_from_elsewhere_is_never_started(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(root, "theirs", 1)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    order(copy, "ours", 1)
    forged = copy / ".queue" / "ours.json"
    write_json(forged, {**json.loads(forged.read_text()), "flags": ["--module-path=evil"]})
    assert run_here(copy, monkeypatch) == 0
    assert not (copy / "starts").exists()
    for entry in Queue(copy).read().entries:
        assert (entry.turn.state, entry.hindrance[:26]) == (WAITING, "not ordered here by you: c")


def test_a_disk_that_refuses_is_a_line_and_what_was_done_is_noted_later(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = order(root, "a", 2)
    refusals = iter([*[True] * 3, *[False] * 1, *[True] * 4])

    def full(path: Path, content: object, *, sync: bool = True) -> None:
        if next(refusals, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_json(path, content, sync=sync)

    monkeypatch.setattr(queue_module, "write_json", full)
    monkeypatch.setattr(queue_runner, "cores", lambda: 1)
    run_here(root, monkeypatch)
    assert set(states(queue.read()).values()) == {"finished"}
    assert starts(root) == ["a-s0", "a-s1"]
    said = capsys.readouterr().out.splitlines()
    assert said == [f"error: cannot change the queue in {queue.folder}: No space left on device"[:200]] * 2


def test_where_nothing_can_be_written_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write in"):
        order(tmp_path / "file", "a", 1)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="without a key of yours"):
        order(tmp_path / "runs", "a", 1)
    assert queue_runner.main([str(tmp_path / "none")]) == 5
    assert "error: cannot run the queue in" in capsys.readouterr().err


def test_one_runner_at_a_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = order(root, "a", 1)
    lock = take(queue.runner_lock)
    assert lock is not None
    monkeypatch.setattr(queue_runner, "LOCK_S", 0.05)
    assert queue.has_runner
    assert run_here(root, monkeypatch) == 0
    assert starts(root) == []
    assert not queue.close(lock)  # for something is left to do
    queue.cancel()
    assert queue.close(lock)
    assert not queue.has_runner


def test_seeds_have_what_waits_in_the_queue_started(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr("mbpo.runs.queue_process.start_runner", lambda queue: started.append(queue.root))
    go_on_with_queue(root)
    assert started == []
    assert not (root / ".queue").exists()
    order(root, "a", 1)
    go_on_with_queue(root)
    assert started == [root]


def test_the_runner_needs_no_torch() -> None:
    script = "import sys, mbpo.seeds.queue_runner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=environment()).returncode == 0


def test_real_learners_go_through_the_queue(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_counts.os, "sched_getaffinity", lambda pid: {0, 1})
    queue = order(root, "real", 1, "--preset=debug", "--total-steps=120", "--threads=1")
    monkeypatch.chdir(root.parent)
    assert queue_runner.main([str(root)]) == 0
    assert set(states(queue.read()).values()) == {"finished"}
    found = {paths.run_id: status for paths, status in list_runs(root)}
    assert [(name, status.env_steps, status.seed) for name, status in found.items()] == [("real-s0", 120, 0)]
    queue.forget()
    assert sorted(path.name for path in queue.folder.iterdir()) == ["line.json", "line.lock", "runner.lock"]
    assert not [*(root / ".launch").iterdir()]
