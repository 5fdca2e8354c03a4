"""On a terminal one line says how far a run is; it leaves nothing behind, and nothing in the log."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from learners import DEBUG, PATIENCE_S, environment
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.text import Text
from terminal_screen import TerminalScreen

from mbpo.lifecycle import progress as progress_module
from mbpo.lifecycle.progress import RunProgress, shown_progress
from mbpo.runs.status import RunStatus
from mbpo.settings.config import resolve
from mbpo.settings.stdout import OurStdout
from mbpo.settings.terminal import BottomLine

AT_WORK = RunStatus(state="running", phase="train", env_steps=12_400, total_steps=125_000, eval_return=-151.25)


def progress_of(status: RunStatus = AT_WORK, no_color: bool = False) -> RunProgress:
    rich = RichConsole(file=io.StringIO(), force_terminal=True, color_system="standard", no_color=no_color)
    config = resolve({"total_steps": 125_000, "warmup_steps": 1000}, "debug")
    progress = RunProgress(config, lambda: status, BottomLine(-1), rich)
    progress.k = "25"
    return progress


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 200])
@pytest.mark.parametrize("no_color", [False, True])
def test_it_is_one_line_on_any_terminal(width: int, no_color: bool) -> None:
    drawn, cells = progress_of(no_color=no_color).drawn(AT_WORK, width)
    plain = Text.from_ansi(drawn).plain
    assert "\n" not in drawn
    assert cell_len(plain) <= cells <= width - 1
    assert plain.lstrip("━╸╺ ").startswith("10%")
    if no_color:
        assert "\x1b[3" not in drawn
    for words, least in (("12,400/125,000", 40), ("? left", 40), ("eval -151.2", 80), ("k 25", 80), ("train", 80)):
        assert (words in plain) or width < least


def test_time_left_is_of_recent_speed_and_not_of_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    progress = progress_of(msgspec.structs.replace(AT_WORK, env_steps=0))
    monkeypatch.setattr(progress._speed, "get_time", lambda: now[0])
    progress._speed.tasks[0]._get_time = lambda: now[0]

    def after(seconds: float, env_steps: int, phase: str, state: str = "running") -> str:
        now[0] += seconds
        status = msgspec.structs.replace(AT_WORK, state=state, phase=phase, env_steps=env_steps)
        return Text.from_ansi(progress.drawn(status, 120)[0]).plain

    for step in range(100, 1001, 100):
        assert "? left" in after(0.1, step, "warm-up")  # 1,000 env steps a second
    after(1.0, 1000, "train")
    for step in range(1010, 1100, 10):
        text = after(1.0, step, "train")
    assert "10 steps/s" in text
    assert "3:26:31 left" in text  # 123,910 at 10 a second
    assert "? left" in after(1.0, 1100, "train", "paused")
    assert "? left" in after(1000.0, 1100, "train")  # a pause is no measure either


@pytest.mark.parametrize(
    ("variables", "shown"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "unknown"}, False)]
)
def test_it_is_shown_on_a_terminal_that_can_draw(
    variables: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen = TerminalScreen(80)
    with os.fdopen(os.dup(screen.file), "w") as stream:
        monkeypatch.setattr(progress_module, "stdout", lambda: OurStdout(stream, screen.file))
        begun = RunStatus(state="running", phase="train", env_steps=30)
        with shown_progress(resolve({}, "debug"), lambda: begun) as progress:
            assert (progress is not None) is shown
            if shown:
                screen.until(lambda text: "? left" in text)
        assert screen.text() == ""
    screen.close()


def test_it_is_not_shown_in_a_pipe_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(progress_module, "stdout", lambda: OurStdout(stream, stream.fileno()))
        with shown_progress(resolve({}, "debug"), lambda: AT_WORK) as progress:
            assert progress is None


# A real learner on a terminal

NOISY = """
import ctypes, os, time
import gymnasium, toy_envs


class Env(toy_envs.Toy):
    def step(self, action):
        if self.steps == 7:
            print("half ", end="")
            print("a line")
            os.write(1, b"a worker\\n")
            ctypes.CDLL(None).puts(b"a library")
        while os.path.exists("hold") and os.path.exists("runs/one/metrics.jsonl"):  # it is tried before the run
            time.sleep(0.01)
        if os.path.exists("fail"):
            raise ValueError("no more")
        return super().step(action)


gymnasium.register("Noisy-v0", Env, max_episode_steps=40)
"""
SHORT = (*DEBUG, "--total-steps", "240", "--eval-every", "60", "--log-every", "20", "--eval-episodes", "1")


def start(folder: Path, screen: TerminalScreen, *flags: str) -> subprocess.Popen[bytes]:
    (folder / "noisy.py").write_text(NOISY)
    argv = [sys.executable, "-m", "mbpo.train", *SHORT, "--env-id", "noisy:Noisy-v0", "--run-id", "one", *flags]
    variables = {**environment(), "TERM": "xterm-256color"}
    streams = {"stdin": screen.file, "stdout": screen.file, "stderr": screen.file}
    return subprocess.Popen(argv, cwd=folder, env=variables, **streams)


def test_a_run_on_a_terminal_has_one_line_that_stays_and_events_above_it(tmp_path: Path) -> None:
    screen = TerminalScreen(70)
    learner = start(tmp_path, screen, "--total-steps", "90000")  # it ends when told to fail, however fast it is
    during = screen.until(lambda text: re.search(r"/90,000  evaluation .*\n(.*\n)*.* left  eval ", text), PATIENCE_S)
    assert len(re.findall(r" left", during)) == 1
    (tmp_path / "fail").touch()
    text = screen.until(lambda text: learner.poll() is not None, PATIENCE_S)
    assert learner.returncode == 3
    assert " left" not in text  # the line is gone
    assert "\x1b[?25" not in screen.raw
    halves = {line for line in text.splitlines() if line.startswith("half")}
    assert halves <= {"half a line", "half a worker", "half a library"}  # the environment's own words may meet
    for said in (
        "a worker",
        "a library",
        r" +\d+/90,000  checkpoint",
        "error: noisy:Noisy-v0.step raised .*",
        "failed at",
    ):
        assert re.search(f"^{said}", text, re.MULTILINE), said
    screen.close()


def test_a_run_outlives_its_terminal_and_its_log_is_as_in_a_file(tmp_path: Path) -> None:
    screen = TerminalScreen(70)
    (tmp_path / "hold").touch()  # it cannot end before its line is seen
    learner = start(tmp_path, screen)
    screen.until(lambda text: " left" in text, PATIENCE_S)
    screen.close()
    (tmp_path / "hold").unlink()
    assert learner.wait(PATIENCE_S) == 0
    log = (tmp_path / "runs" / "one" / "log.txt").read_text()
    assert "\x1b" not in log and "━" not in log and "%" not in log
    assert len(re.findall(r"^ +\d+/240 .* left$", log, re.MULTILINE)) == 12
