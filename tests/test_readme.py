"""Do what the README says: every command line and snippet in it, each made small by more flags."""

from __future__ import annotations

import ast
import fcntl
import importlib
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from learners import DEBUG, PATIENCE_S, ROOT, LearnerProcess, Outcome, environment, wait_for

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.live_control import InForce
from mbpo.runs.writer import RunWriter
from mbpo.settings.presets import PRESETS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.M | re.S)
LINES = [re.split(r"\s+#\s", line)[0] for kind, block in BLOCKS if not kind for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("python -m ")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STUDY = 'name = "two"\n[base]\npreset = "debug"\nreport = false\n[axes]\nrollout_length = [1, 5]\n'
STOPPED_AT = 130
FEW = ("--threads", "1", "--report", "false", "--eval-episodes", "1", "--total-steps")
SMALLER: dict[str, tuple[str, ...]] = {  # what a command that begins so is given besides
    "mbpo.train --preset pendulum --seeds": (*FEW, "2", "--seeds", "0:1"),
    "mbpo.train --preset": (*FEW, "2"),
    "mbpo.train --env-id": (*FEW, "2"),
    "mbpo.train --fork": ("--total-steps", "140"),
    "mbpo.what_if": ("--steps", "10", "--repeats", "1"),
    "mbpo.evaluate runs/RUN --episodes": ("--episodes", "2"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a run that was stopped on the way."""
    root, boundary = tmp_path_factory.mktemp("readme"), RunWriter.at_boundary

    def stop(run: RunWriter, env_steps: int) -> InForce:
        if env_steps == STOPPED_AT:
            run.control.request_stop()
        return boundary(run, env_steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunWriter, "at_boundary", stop)
        flags = ("--total-steps", "150", "--eval-every", "60", "--checkpoint-every", "60", "--runs-root", str(root))
        assert train.main([*DEBUG, *flags, "--run-id", "RUN"]) == 0
    return RunPaths(root / "RUN")


@pytest.fixture
def folder(stopped: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder in which ``runs/RUN`` is."""
    shutil.copytree(stopped.root, tmp_path / "runs" / "RUN")
    (tmp_path / "study.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])  # of the learners that --seeds starts
    return tmp_path


def called(call: Callable[..., Outcome], command: str) -> Outcome:
    """Call what ``python -m MODULE ARGUMENT…`` calls, with more flags to make it small."""
    module, *arguments = shlex.split(command.removeprefix("python -m "))
    smaller = next(
        (more for start, more in SMALLER.items() if f"{module} {shlex.join(arguments)}".startswith(start)), ()
    )
    door = importlib.import_module(module)
    door = importlib.import_module(f"{module}.__main__") if hasattr(door, "__path__") else door
    return call(door.main, *arguments, *smaller)


def test_these_are_its_commands() -> None:
    assert len(COMMANDS) == 20
    others = [line for line in LINES if line.startswith(("make", "mbpo-"))]
    assert others == ["make run", "make test", "mbpo-workbench", "mbpo-workbench --serve"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if "mbpo.control" not in c])
def test_a_command_does_its_work(command: str, folder: Path, call: Callable[..., Outcome]) -> None:
    if "--to tensorboard" in command:
        pytest.importorskip("tensorboard", reason="its extra is not installed")
    for module in ("imageio_ffmpeg", "pygame") if "--video" in command else ():
        pytest.importorskip(module, reason=f"a film needs {module}")
    if "mbpo.report" in command:
        pytest.importorskip("bokeh")
    outcome = called(call, command.replace("@500", "@120"))
    assert outcome.code == 0, outcome.err
    assert all(line.startswith("note: ") for line in outcome.err.splitlines())
    if "--png" in command:
        (png,) = re.findall(r"--png (\S+)", command)
        assert (folder / png).stat().st_size > 1000


def test_a_run_is_turned_from_a_script(
    live_learner: LearnerProcess, folder: Path, call: Callable[..., Outcome]
) -> None:
    (command,) = (c for c in COMMANDS if "mbpo.control" in c)
    shutil.rmtree("runs/RUN")
    Path("runs/RUN").symlink_to(live_learner.paths.root)
    outcome = called(call, command)
    assert (outcome.code, outcome.err) == (0, "")
    assert '"status": "applied"' in outcome.out


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 45, 160, 0, 0))
    yield ours, theirs
    os.close(ours)


def test_the_app_opens_and_quits(folder: Path, terminal: tuple[int, int]) -> None:
    module, function = PROJECT["scripts"]["mbpo-workbench"].split(":")
    ours, theirs = terminal
    command = [sys.executable, "-c", f"import sys; from {module} import {function}; sys.exit({function}())"]
    env = {**environment(), "TERM": "xterm-256color", "XDG_STATE_HOME": str(folder)}
    app = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        while app.poll() is None:
            try:
                seen.extend(os.read(ours, 65536))
            except OSError:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        wait_for(lambda: b"RUN" in seen, "the run on screen")
        os.write(ours, b"q")
        assert app.wait(PATIENCE_S) == 0
    finally:
        if app.poll() is None:
            os.killpg(app.pid, signal.SIGKILL)
            app.wait()
        reader.join(10)


def test_the_notebook_has_one_table_of_all_runs(folder: Path) -> None:
    pytest.importorskip("pandas")
    (snippet,) = (block for kind, block in BLOCKS if kind == "python" and "load_runs" in block)
    *before, last = ast.parse(snippet).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(before, []), "README.md", "exec"), names)
    best = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    assert list(best.index.names) == ["algo", "seed"]
    assert best.notna().all() and len(best) == 1


def test_it_installs_without_make(tmp_path: Path) -> None:
    (line,) = re.findall(r"^Install without make: `([^`]*)`", README, re.M)
    first, second = line.split(" && ")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    needed = {re.split("[<>=]", requirement)[0] for requirement in build}
    assert {re.split("[<>=]", word)[0] for word in shlex.split(first)[2:]} == needed
    tree, site = tmp_path / "tree", tmp_path / "site"
    for name in ("mbpo", "workbench"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree)
    pip = [sys.executable, "-m", "pip", *shlex.split(second)[1:], "--no-deps", "--no-index", "--target", str(site)]
    without = {**os.environ, "MBPO_NO_EXT": "1", "PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(pip, cwd=tree, env=without, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    probe = "import mbpo.settings.presets, workbench.app, pathlib; print(pathlib.Path(mbpo.__file__).parents[1])"
    said = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert said.stdout.strip() == str(site), said.stderr
    assert (site / "workbench" / "workbench.tcss").exists()


def test_what_it_names_is_there() -> None:
    (named,) = re.findall(r"Presets: (.*?); any", README, re.S)
    assert re.findall(r"`([\w-]+)`", named) == list(PRESETS)
    extras = re.findall(r"(?:mbpo-workbench|\.)\[([\w,]+)\]'", README)
    assert set(",".join(extras).split(",")) == set(PROJECT["optional-dependencies"])
    assert not [link for link in re.findall(r"\]\(([\w/.-]+)\)", README) if not (ROOT / link).exists()]


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize("target", ["run", "test", "install"])
def test_make_has_its_targets(target: str) -> None:
    shown = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
