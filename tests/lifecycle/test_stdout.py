"""Let an environment print in every way there is: stdout stays ours, and its words are in log.txt."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from learners import DEBUG, PATIENCE_S, ROOT, environment

from mbpo.runs.layout import RunPaths
from mbpo.settings.stdout import OurStdout, our_stdout, say, stdout

CHATTERBOX = """
import atexit, ctypes, logging, os, subprocess, sys, threading
import gymnasium, toy_envs

libc = ctypes.CDLL(None)
old = sys.__stdout__
ways = {
    "print": print,
    "descriptor": lambda words: os.write(1, f"{words}\\n".encode()),
    "libc": lambda words: libc.printf(b"%s\\n", words.encode()),
    "child": lambda words: subprocess.run(["echo", words]),
    "thread": lambda words: (t := threading.Thread(target=print, args=(words,)), t.start(), t.join()),
    "buffer": lambda words: getattr(sys.stdout, "buffer", sys.__stdout__.buffer).write(f"{words}\\n".encode()),
    "old stream": lambda words: old.write(f"{words}\\n"),
    "fork": lambda words: os.waitpid(os.fork() or (print(words, flush=True), os._exit(0)), 0),
}

def chat(when):
    for way, write in ways.items():
        try:
            write(f"{when} by {way}")
        except RuntimeError:  # in a handler of atexit Python 3.12 starts no thread
            print(f"{when} by {way}")

class Chatterbox(toy_envs.Toy):
    def __init__(self):
        chat("make")
        if "WRONG" in os.environ:
            raise ValueError("no")
        super().__init__()

    def reset(self, **given):
        chat("reset")
        return super().reset(**given)

    def step(self, action):
        if self.steps == 7:
            chat("step")
        return super().step(action)

    def close(self):
        chat("close")

chat("import")
atexit.register(chat, "exit")
gymnasium.register("Chatterbox-v0", entry_point=Chatterbox, max_episode_steps=20)
"""
WAYS = ("print", "descriptor", "libc", "child", "thread", "buffer", "old stream", "fork")
OURS = re.compile(
    r"/.*/runs/[a-z]+|preset .*|warning: .*| *[\d,]+/[\d,]+  .*|(finished|stopped) at [\d,]+ env steps"
    r"|  (evaluation|best policy|returns|picture|report|how|what|to go on)[^\n]*"
)
SHORT = (*DEBUG, "--total-steps", "120", "--eval-every", "60", "--log-every", "20", "--eval-episodes", "1")


def run(
    folder: Path, module: str, *arguments: object, before: str = "", **extra_env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in ``folder``, where a user's modules are too."""
    argv = [sys.executable, "-m", f"mbpo.{module}", *map(str, arguments)]
    return subprocess.run(
        [*before.split(), *argv],
        cwd=folder,
        env={**environment(), **extra_env},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Share a run on an environment that prints, and the folder it is in."""
    folder = tmp_path_factory.mktemp("noisy")
    (folder / "chatter.py").write_text(CHATTERBOX)
    return folder, run(folder, "train", *SHORT, "--env-id", "chatter:Chatterbox-v0", "--run-id", "noisy")


def test_every_line_of_a_learner_s_stdout_is_ours(noisy: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = noisy
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(folder / "runs" / "noisy")
    assert [line for line in lines if not OURS.fullmatch(line)] == []
    assert "finished at 120 env steps" in lines


def test_all_that_an_environment_prints_is_on_stderr_and_in_the_log(
    noisy: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = noisy
    log = (folder / "runs" / "noisy" / "log.txt").read_text()
    said = {f"{when} by {way}" for when in ("import", "make", "reset", "step", "close") for way in WAYS}
    assert {words for words in said if words not in log or words not in done.stderr} == set()
    for words in said:
        assert log.count(words) == done.stderr.count(words), words  # of a line that a thread broke, too
    assert "exit by libc" in done.stderr.splitlines()  # there is no log any more
    ours = [line for line in done.stdout.splitlines()[2:] if line not in log.splitlines()]  # two before there is a log
    assert ours == []


@pytest.mark.parametrize(
    "command", [("check_env", "chatter:Chatterbox-v0", "--steps", "60"), ("evaluate", "runs/noisy", "--episodes", "1")]
)
def test_json_stays_json_whatever_an_environment_prints(
    command: Sequence[str], noisy: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    done = run(noisy[0], *command, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    for way in WAYS:
        assert f"step by {way}" in done.stderr.splitlines()
        assert f"exit by {way}" in done.stderr.splitlines()


def test_the_last_words_of_a_learner_that_is_killed_are_in_its_log(tmp_path: Path) -> None:
    last = 'os.write({}, b"these were the last words\\n"); {}'
    for name, words, number in (
        ("killed", last.format(1, "os.kill(os.getpid(), signal.SIGKILL)"), signal.SIGKILL),
        ("aborted", last.format(2, "ctypes.CDLL(None).abort()"), signal.SIGABRT),
    ):
        (tmp_path / f"{name}.py").write_text(
            "import ctypes, os, signal\nimport gymnasium, toy_envs\n\n\nclass Env(toy_envs.Toy):\n"
            "    def step(self, action):\n"
            f"        if self.steps == 29 and os.path.exists('runs/{name}/log.txt'):\n            {words}\n"
            "        return super().step(action)\n\n\ngymnasium.register('Last-v0', Env)\n"
        )
        done = run(tmp_path, "train", *SHORT, "--env-id", f"{name}:Last-v0", "--run-id", name)
        assert done.returncode == -number
        log = (tmp_path / "runs" / name / "log.txt").read_text()
        assert log.count("these were the last words") == 1
        assert ("Fatal Python error" in log) == (number == signal.SIGABRT)


def test_a_reader_of_stdout_and_stderr_that_leaves_does_not_end_a_run(
    noisy: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder = noisy[0]
    flags = " ".join((*SHORT, "--env-id", "chatter:Chatterbox-v0", "--run-id", "left"))
    script = f"({sys.executable} -m mbpo.train {flags} 2>&1; echo $? >left.rc) | head -1"
    subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), check=True, timeout=PATIENCE_S)
    assert (folder / "left.rc").read_text() == "0\n"
    assert "close by libc" in (folder / "runs" / "left" / "log.txt").read_text()


def test_the_seeds_of_a_noisy_environment_are_told_in_our_lines_alone(
    noisy: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    flags = ("--env-id", "chatter:Chatterbox-v0", "--runs-root", "many")
    done = run(noisy[0], "train", *SHORT, *flags, "--seeds", "0:2")
    assert done.returncode == 0, done.stderr
    assert not re.search(" by ", done.stdout)
    assert done.stdout.count("finished") >= 2
    done = run(
        noisy[0],
        "train",
        *flags,
        "--seeds",
        "0:1",
        "--preset",
        "debug",
        "--total-steps",
        "30",
        "--tau",
        "0.5",
        WRONG="1",
    )
    assert done.returncode == 3
    assert "error: seed 0, exit code 3: chatter:Chatterbox-v0 cannot be made: ValueError: no" in done.stderr


# A pipe that nobody reads, and a disk that is full


@pytest.fixture
def commands(finished_run: RunPaths) -> dict[str, tuple[object, ...]]:
    """Return a command line of each command that only reads."""
    run_dir = finished_run.root
    return {
        "check_env": ("Pendulum-v1", "--steps", 50),
        "compare": (run_dir,),
        "control": (run_dir, "pause"),
        "doctor": (run_dir,),
        "evaluate": (run_dir, "--episodes", 1),
    }


@pytest.mark.parametrize(
    ("module", "unbuffered"),
    [("check_env", "1"), ("compare", ""), ("control", ""), ("doctor", ""), ("doctor", "1"), ("evaluate", "")],
)
def test_a_closed_pipe_ends_a_command_without_a_word(
    module: str, unbuffered: str, commands: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", f"mbpo.{module}", *map(str, commands[module])]
    environ = {**environment(), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        argv, cwd=tmp_path, env=environ, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_disk_that_refuses_stdout_is_one_line(finished_run: RunPaths, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        argv = [sys.executable, "-m", "mbpo.doctor", str(finished_run.root)]
        done = subprocess.run(argv, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (5, "error: cannot write to stdout: No space left on device\n")


# An encoding that lacks what we write


@pytest.mark.parametrize(
    "encoding",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "C"],
)
def test_a_character_that_stdout_has_not_is_replaced(encoding: dict[str, str], tmp_path: Path) -> None:
    done = run(tmp_path, "train", *SHORT, "--runs-root", "läufe", "--run-id", "done", **encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"evaluation -?[\d.]+ (\?|±|\udcb1) [\d.]+", done.stdout)
    first = os.fsencode(done.stdout.splitlines()[0])
    if "LC_ALL" in encoding:
        assert first == os.fsencode(tmp_path / "läufe" / "done")  # a name of bytes, as it is
    for module, *flags in (("evaluate", "--episodes", "1"), ("compare", "--threshold", "0"), ("doctor",)):
        done = run(tmp_path, module, "läufe/done", *flags, **encoding)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, done.stderr
        assert done.stdout


# In this process


def test_what_is_printed_inside_goes_to_stderr_and_afterwards_all_is_as_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(RuntimeError), our_stdout():
        print("a stranger")
        with our_stdout(of_learner=True):
            say("ours, nested")
            print("a stranger, nested")
        say("ours")
        raise RuntimeError
    assert (sys.stdout, sys.stderr) == before
    print("afterwards")
    say("ours, outside")
    out, err = capsys.readouterr()
    assert out.splitlines() == ["ours, nested", "ours", "afterwards", "ours, outside"]
    assert err.splitlines() == ["a stranger", "a stranger, nested"]


def test_a_process_that_calls_a_command_has_its_stdout_back() -> None:
    script = """
import os, subprocess, sys
from mbpo.settings.stdout import our_stdout, say
print("before")
for of_learner in (False, True):
    try:
        with our_stdout(of_learner=of_learner):
            say("ours")
            os.write(1, b"a stranger\\n")
            1 / 0
    except ZeroDivisionError:
        subprocess.run(["echo", "a child"])
print("after")
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines() == ["a stranger", "a stranger"]
    assert done.stdout.splitlines() == ["a child", "a child", "before", "after"] or done.stdout.splitlines() == [
        "before",
        "ours",
        "a child",
        "ours",
        "a child",
        "after",
    ]


def test_a_stream_of_another_encoding_is_written_all_the_same(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        OurStdout(file).write("±1 \udcff\n")
    assert (tmp_path / "out").read_bytes() == b"?1 ?\n"
    assert stdout().encoding.lower().startswith("utf")
