"""Open runs on modules of one's own: one's own run finds them from anywhere, one from elsewhere never does."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
from figures import figure
from learners import PATIENCE_S, environment, rows

from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths

MODULE = """
import os, pathlib
import gymnasium, numpy

pathlib.Path(os.environ["MARKS"], "imported").touch()


class Cart(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-9.0, 9.0, (3,), numpy.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), numpy.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.uniform(-1, 1, 3).astype(numpy.float32)
        self.pull = float(pathlib.Path("track.txt").read_text())
        return self.at, {}

    def step(self, action):
        self.at = numpy.clip(0.9 * self.at + self.pull * float(action.sum()), -9, 9).astype(numpy.float32)
        return self.at, float(-abs(self.at).sum()), False, False, {}


class Mark(gymnasium.Wrapper):
    def __init__(self, env, name="wrapped"):
        pathlib.Path(os.environ["MARKS"], name).touch()
        super().__init__(env)


gymnasium.register("Cart-v0", Cart, max_episode_steps=30)
"""
TINY = ("--preset", "debug", "--threads", "1", "--total-steps", "140", "--warmup-steps", "60", "--eval-episodes", "1")
OPENED: dict[str, tuple[str, ...]] = {  # a command line, and RUN_DIR at its end
    "evaluate": ("mbpo.evaluate", "--episodes", "1"),
    "resume": ("mbpo.train", "--resume"),
    "fork": ("mbpo.train", "--runs-root", "forks", "--total-steps", "150", "--fork"),
    "replay": ("mbpo.train", "--runs-root", "replays", "--replay"),
}


class Home:
    """Hold a user's folder with a module, and what was executed of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.marks, self.state = folder / "mine", folder / "marks", folder / "state"
        for made in (self.folder, self.marks, self.state):
            made.mkdir()
        (self.folder / "carts.py").write_text(MODULE)
        (self.folder / "track.txt").write_text("0.1")

    def run(self, *arguments: object, cwd: Path | None = None, state: Path | None = None) -> tuple[int, str, str]:
        """Run ``python -m`` in the user's folder, or elsewhere."""
        env = {**environment(), "MARKS": str(self.marks), "XDG_STATE_HOME": str(state or self.state)}
        command = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def executed(self) -> set[str]:
        """Return what was executed since the last call."""
        found = {mark.name for mark in self.marks.iterdir()}
        for mark in self.marks.iterdir():
            mark.unlink()
        return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Share a home with a run on its own module, in a wrapper, that was stopped."""
    home = Home(tmp_path_factory.mktemp("home"))
    flags = ("--env-id", "carts:Cart-v0", "--wrapper", "carts:Mark(name='wrapped')", "--run-id", "own")
    assert home.run("mbpo.train", *TINY, *flags, "--runs-root", "runs")[0] == 0
    assert home.executed() == {"imported", "wrapped"}
    _reopen(home.folder / "runs" / "own")
    return home


def _reopen(root: Path) -> None:
    """Make a finished run look stopped, so that it can be resumed."""
    status = RunPaths(root).status
    status.write_text(status.read_text().replace('"finished"', '"stopped"'))


@pytest.mark.parametrize("what", OPENED)
def test_ones_own_run_finds_its_modules_and_files_from_another_folder(what: str, home: Home, tmp_path: Path) -> None:
    code, _, said = home.run(*OPENED[what], home.folder / "runs" / "own", cwd=tmp_path)
    assert (code, said) == (0, "")
    assert home.executed() == {"imported", "wrapped"}
    _reopen(home.folder / "runs" / "own")


def test_a_fork_and_its_own_resume_find_them_too(home: Home, tmp_path: Path) -> None:
    made = ("--runs-root", tmp_path / "forks", "--run-id", "forked", "--total-steps", "150")
    assert home.run("mbpo.train", "--fork", home.folder / "runs" / "own", *made, cwd=tmp_path)[0] == 0
    _reopen(tmp_path / "forks" / "forked")
    assert home.run("mbpo.train", "--resume", tmp_path / "forks" / "forked", cwd=Path("/"))[0] == 0
    assert home.executed() == {"imported", "wrapped"}


CHANGES = ("copied", "another user's", "moved", "sealed by a guess")


def _elsewhere(home: Home, change: str, folder: Path) -> tuple[Path, Path]:
    """Return a run as it may come from elsewhere, and the state folder of who opens it."""
    root, state = folder / "own", home.state
    shutil.copytree(home.folder / "runs" / "own", root)
    if change == "another user's":
        state = folder / "other state"
        state.mkdir()
        shutil.rmtree(root)
        root = home.folder / "runs" / "own"
    elif change == "moved":
        root = root.rename(folder / "moved")
    elif change == "sealed by a guess":
        manifest = json.loads((root / "manifest.json").read_text())
        manifest |= {"seal": "0" * 64, "module_path": [str(root)], "started_in": str(root)}
        (root / "manifest.json").write_text(json.dumps(manifest))
    return root, state


@pytest.mark.promise("modules and wrappers of a run from elsewhere: not imported, not constructed")
@pytest.mark.parametrize("number", range(figure(fast=4, full=20)))
def test_a_run_from_elsewhere_imports_and_constructs_nothing(number: int, home: Home, tmp_path: Path) -> None:
    rng = random.Random(number)
    what = list(OPENED)[number % len(OPENED)]
    root, state = _elsewhere(home, CHANGES[number % 3 if rng.random() < 0.5 else number // 4 % 4], tmp_path)
    if root.parent == tmp_path:
        shutil.copy(home.folder / "carts.py", root / "carts.py")
    code, _, said = home.run(*OPENED[what], root, cwd=tmp_path, state=state)
    assert code == 2
    assert "carts:Mark" in said and "--module-path DIR" in said and len(said.splitlines()) == 1
    assert home.executed() == set()


@pytest.mark.parametrize("what", ["evaluate", "fork"])
def test_the_flag_allows_it(what: str, home: Home, tmp_path: Path) -> None:
    root, _ = _elsewhere(home, "copied", tmp_path)
    command, *flags = OPENED[what]
    shutil.copy(home.folder / "track.txt", tmp_path)
    code, _, said = home.run(command, "--module-path", home.folder, *flags, root, cwd=tmp_path)
    assert (code, said) == (0, "")
    assert home.executed() == {"imported", "wrapped"}


def test_a_module_that_lies_in_a_run_from_elsewhere_is_not_imported(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.folder / "runs" / "own", tmp_path / "own")
    root = tmp_path / "own"
    config = root / "config.toml"
    settings = {**read_config(config), "wrappers": []}
    config.write_text(tomli_w.dumps(settings))
    (root / "carts.py").write_text(MODULE)
    code, _, said = home.run("mbpo.evaluate", ".", cwd=root)
    assert code == 2 and "carts lies in it" in said
    assert home.executed() == set()


def test_ones_own_run_whose_config_was_changed_is_no_longer_ones_own(home: Home, tmp_path: Path) -> None:
    config = home.folder / "runs" / "own" / "config.toml"
    before = config.read_bytes()
    config.write_bytes(before.replace(b"wrapped", b"planted"))
    try:
        code, _, said = home.run("mbpo.evaluate", config.parent, cwd=tmp_path)
        assert code == 2 and "not begun here by you" in said
        assert home.executed() == set()
    finally:
        config.write_bytes(before)


def test_the_manifest_says_where_a_run_was_started(home: Home) -> None:
    paths = RunPaths(home.folder / "runs" / "own")
    manifest = json.loads(paths.manifest.read_text())
    assert manifest["started_in"] == str(home.folder)
    assert manifest["module_path"] == [str(home.folder)]
    key = home.state / "mbpo-workbench" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes().hex() not in paths.manifest.read_text()
    assert rows(paths.events)


def test_a_module_path_must_be_a_folder(home: Home) -> None:
    code, _, said = home.run("mbpo.train", *TINY, "--env-id", "carts:Cart-v0", "--module-path", "nowhere")
    assert code == 2 and "--module-path must name a folder" in said
