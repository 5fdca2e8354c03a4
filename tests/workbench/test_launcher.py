from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from fake_run import lost_status, make_run

from mbpo.errors import ConfigError, StorageError
from mbpo.settings.config import resolve
from mbpo.settings.setting import Value
from workbench.launcher import Launch, Launcher, shown_command

STUB = """\
import pathlib, sys, time
args = dict(zip(sys.argv[1::2], sys.argv[2::2]))
run = pathlib.Path(args["--runs-root"], args["--run-id"])
run.mkdir()
print(run, flush=True)
(run / "args.txt").write_text("\\n".join(sys.argv[1:]))
print("stdin is", repr(sys.stdin.read()), flush=True)
time.sleep(float(args.get("--eval-every", "0")))
"""
BROKEN = "import sys; print('expected X, got Y', file=sys.stderr); sys.exit(2)"


@pytest.fixture
def stub(tmp_path: Path) -> Launcher:
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    return Launcher(tmp_path / "runs", (sys.executable, str(script)))


def ended(launch: Launch) -> int:
    return launch.process.wait(timeout=20)


def test_only_what_differs_is_passed_on(stub: Launcher) -> None:
    launch = stub.start(
        "debug",
        {"seed": 7, "rollout_length": "auto", "normalize_targets": True, "rollout_schedule": (1.0, 2.0, 1.0, 15.0)},
        "mine",
    )
    assert ended(launch) == 0
    assert (launch.path / "args.txt").read_text().split("\n") == [
        "--preset",
        "debug",
        "--seed",
        "7",
        "--rollout-length",
        "auto",
        "--normalize-targets",
        "true",
        "--rollout-schedule",
        "1,2,1,15",
        "--runs-root",
        str(stub.root),
        "--run-id",
        "mine",
    ]
    assert "stdin is ''" in launch.log.read_text()
    assert stat.S_IMODE(launch.log.stat().st_mode) == 0o600
    assert shown_command("debug", {"seed": 7}) == "python -m mbpo.train --preset debug --seed 7"


def test_default_names_do_not_collide(stub: Launcher) -> None:
    first, second = stub.start("debug"), stub.start("debug")
    assert first.run_id != second.run_id
    assert ended(first) == ended(second) == 0
    assert first.run_id.startswith("debug-s0-")


def test_what_cannot_be_used_starts_nothing(stub: Launcher, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="real_ratio must"):
        stub.start("debug", {"real_ratio": 2.0})
    with pytest.raises(ConfigError, match="run_id must"):
        stub.start("debug", run_id="../x")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot start a learner"):
        Launcher(tmp_path / "file").start("debug")
    assert not stub.root.exists()


def test_a_fork_gets_only_what_was_changed(stub: Launcher) -> None:
    config = resolve({"seed": 4, "rollout_length": 5}, "debug")
    changes: dict[str, Value] = {"rollout_length": 5, "seed": 4}
    launch = stub.fork(stub.root / "base", 600, changes, config)
    assert ended(launch) == 0
    assert (launch.path / "args.txt").read_text().split("\n") == [
        "--fork",
        f"{stub.root}/base@600",
        "--rollout-length",
        "5",
        "--seed",
        "4",
        "--runs-root",
        str(stub.root),
        "--run-id",
        launch.run_id,
    ]
    assert launch.run_id.startswith("debug-s4-") and launch.parent == "base@600"


def test_a_resumed_run_waits_until_its_status_is_another(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time; run = pathlib.Path(sys.argv[2]);"
        "(run / 'args').write_text(' '.join(sys.argv[1:]));"
        "\nwhile not (run / 'go').exists(): time.sleep(0.02)"
        "\n(run / 'status.json').write_text('{}'); sys.exit(3)"
    )
    launcher = Launcher(tmp_path, (sys.executable, "-c", code))
    path = make_run(tmp_path, "a", lost_status())
    launch = launcher.resume(path)
    assert launcher.waiting() == [launch] and not launch.began
    (path / "go").write_text("")
    assert ended(launch) == 3 and launch.began and launcher.waiting() == []
    assert (path / "args").read_text() == f"--resume {path}"
    with pytest.raises(ConfigError, match="run_id must"):
        launcher.resume(tmp_path / "[/x]")


def test_an_early_failure_keeps_its_last_words_and_no_zombie(tmp_path: Path) -> None:
    launcher = Launcher(tmp_path, (sys.executable, "-c", BROKEN))
    launch = launcher.start("debug")
    assert [waiting.run_id for waiting in launcher.waiting()] == [launch.run_id]
    deadline = time.monotonic() + 20
    reaped: list[Launch] = []
    while not reaped and time.monotonic() < deadline:
        time.sleep(0.02)
        reaped = launcher.reap()
    assert [entry.run_id for entry in reaped] == [launch.run_id]
    assert (launch.exit_code, launch.last_words) == (2, "expected X, got Y")
    assert not psutil.pid_exists(launch.process.pid)
    assert launcher.reap() == launcher.waiting() == []


def test_the_learner_outlives_a_killed_launcher(tmp_path: Path) -> None:
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    code = (
        "import sys, time; from pathlib import Path; from workbench.launcher import Launcher;"
        f"l = Launcher(Path({str(tmp_path / 'runs')!r}), (sys.executable, {str(script)!r}));"
        "print(l.start('debug', {'eval_every': 60}, 'long').process.pid, flush=True);"
        "time.sleep(60)"
    )
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert app.stdout is not None
    learner = psutil.Process(int(app.stdout.readline()))
    try:
        assert os.getsid(learner.pid) == learner.pid  # no terminal can hang it up
        os.killpg(app.pid, signal.SIGKILL)
        app.wait(timeout=20)
        deadline = time.monotonic() + 20
        while learner.ppid() == app.pid and time.monotonic() < deadline:
            time.sleep(0.02)  # until it has another parent
        assert learner.ppid() != app.pid
        assert learner.is_running() and learner.status() != psutil.STATUS_ZOMBIE
    finally:
        learner.kill()
        app.stdout.close()
