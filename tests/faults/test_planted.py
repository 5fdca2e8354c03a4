"""Open a run that someone else made: nothing in it is executed, whatever it is called."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from figures import Promise, figure
from learners import PATIENCE_S, Outcome, environment

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from mbpo.saving.checkpoint import MANIFEST, digest

# Read a run as the app does, and its listing.
READ = """
import sys
from pathlib import Path
from mbpo.runs.reader import RunReader, list_runs, read_text_tail
from mbpo.runs.history import read_history
root = Path(sys.argv[1])
assert len(list(list_runs(root.parent))) == 1
reader = RunReader(root)
while reader.poll():
    pass
read_text_tail(reader.paths.log)
read_history(reader.paths, 0)
"""
OPENED: dict[str, tuple[str, ...]] = {  # a command line, and RUN_DIR at its end
    "read": ("-c", READ),
    "compare": ("-m", "mbpo.compare"),
    "evaluate": ("-m", "mbpo.evaluate", "--episodes", "1"),
    "resume": ("-m", "mbpo.train", "--resume"),
    "fork": ("-m", "mbpo.train", "--runs-root", "forks", "--total-steps", "410", "--fork"),
    "pause": ("-m", "mbpo.control"),
    "doctor": ("-m", "mbpo.doctor"),
}


class Bomb:
    """Run a command when unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self._command,)


class Planted:
    """Plant things in a run, each of which leaves a file of its name when it is executed."""

    def __init__(self, run: RunPaths, canaries: Path) -> None:
        self.run, self.canaries = run, canaries
        self.names: list[str] = []
        canaries.mkdir()

    def python(self, path: str) -> str:
        canary = self._canary(path)
        return f"open({str(canary)!r}, 'w').close()\n"

    def _canary(self, name: str) -> Path:
        self.names.append(name)
        return self.canaries / name.replace("/", "_")

    def script(self, path: str) -> None:
        """Plant Python source."""
        place = self.run.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self.python(path))

    def pth(self, path: str) -> None:
        """Plant a line that ``site`` executes."""
        (self.run.root / path).write_text(f"import os; {self.python(path)}")

    def bomb(self, path: str) -> None:
        """Plant a pickle."""
        place = self.run.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pickle.dumps(Bomb(f"touch '{self._canary(path)}'")))

    def sealed_bomb(self, path: str) -> None:
        """Plant a pickle in a checkpoint whose hashes are all as they should be."""
        self.bomb(path)
        folder = (self.run.root / path).parent
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest["manifest_sha256"]
        manifest["sha256"][Path(path).name] = digest((self.run.root / path).read_bytes())
        manifest["manifest_sha256"] = digest(json.dumps(manifest, sort_keys=True).encode())
        (folder / MANIFEST).write_text(json.dumps(manifest))

    def executable(self, path: str) -> None:
        """Plant a shell script that may be executed."""
        place = self.run.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\ntouch '{self._canary(path)}'\n")
        place.chmod(0o755)

    def went_off(self) -> list[str]:
        return sorted(path.name for path in self.canaries.iterdir())


@pytest.fixture
def planted(finished_run: RunPaths, tmp_path: Path) -> Planted:
    """Plant 20 things in a copy of a run that was stopped."""
    run = RunPaths(tmp_path / "runs" / "theirs")
    shutil.copytree(finished_run.root, run.root)
    status = json.loads(run.status.read_text()) | {"state": "stopped", "pid": 0}
    run.status.write_text(json.dumps(status))
    here = Planted(run, tmp_path / "canaries")
    final, (best,) = "checkpoints/step-000000400", run.checkpoints.glob("policy-*")
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
        "torch.py",
        "json.py",
        "mbpo/__init__.py",
        "gymnasium/__init__.py",
        "conftest.py",
        f"{final}/__init__.py",
    ):
        here.script(name)
    for name in ("evil.pth", "checkpoints/evil.pth"):
        here.pth(name)
    for name in (
        "checkpoints/step-000000401/actor.pt",
        "model.pkl",
        "checkpoints/index.pkl",
        "metrics.pkl",
        "checkpoints/rows/000000000000-0.safetensors",
    ):
        here.bomb(name)
    here.sealed_bomb(f"{final}/actor.safetensors")
    here.sealed_bomb(f"checkpoints/{best.name}/actor.safetensors")
    for name in (".env", ".git/hooks/post-checkout", "control/run.sh"):
        here.executable(name)
    return here


def opened(planted: Planted, how: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Open the run in a process of its own that stands in ``folder``."""
    last = ("pause",) if how == "pause" else ()
    named = () if how == "doctor" else (str(planted.run.root), *last)
    return subprocess.run(
        [sys.executable, *OPENED[how], *named],
        cwd=folder,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize("how", OPENED)
def test_opening_executes_nothing_that_was_planted(
    how: str, planted: Planted, tmp_path: Path, promise: Promise
) -> None:
    assert len(planted.names) == 20
    with promise.tries(f"planted things not executed by {how}") as tries:
        said = opened(planted, how, tmp_path)
        for name in planted.names:
            with tries.one():
                assert name.replace("/", "_") not in planted.went_off()
        assert planted.went_off() == []
        assert "Traceback" not in said.stderr
        codes = {"evaluate": 6, "resume": 0, "fork": 6, "pause": 1, "compare": 0, "read": 0}
        assert said.returncode == codes.get(how, 0), said.stderr


@pytest.mark.parametrize("how", ["read", "compare", "pause"])
def test_a_module_that_a_config_names_is_not_imported_to_look_at_it(how: str, planted: Planted, tmp_path: Path) -> None:
    """Only who trains or evaluates needs the environment, and says so by doing it."""
    module = tmp_path / "evil.py"
    module.write_text(planted.python("evil"))
    text = planted.run.config.read_text().replace("Pendulum-v1", "evil:Env-v0")
    planted.run.config.write_text(text)
    status = json.loads(planted.run.status.read_text()) | {"env_id": "evil:Env-v0"}
    planted.run.status.write_text(json.dumps(status))
    said = opened(planted, how, tmp_path)
    assert "Traceback" not in said.stderr
    assert planted.went_off() == []


def test_the_canaries_sing(planted: Planted, tmp_path: Path) -> None:
    """Else a thing that cannot go off would count as one that did not."""
    for name in ("torch.py", "mbpo/__init__.py"):
        code = (planted.run.root / name).read_text()
        subprocess.run([sys.executable, "-c", code], check=True)
    pickle.loads((planted.run.root / "model.pkl").read_bytes())
    subprocess.run([planted.run.root / ".env"], check=True)
    assert planted.went_off() == [".env", "mbpo___init__.py", "model.pkl", "torch.py"]


def test_links_out_of_the_run_are_not_written_through(planted: Planted, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.tex"
    mine.write_text("years")
    for path in (planted.run.metrics, planted.run.events, planted.run.log):
        path.unlink()
        path.symlink_to(mine)
    shutil.rmtree(planted.run.inbox)
    planted.run.inbox.symlink_to(tmp_path)
    before = sorted(tmp_path.iterdir())
    for how in ("read", "compare", "pause"):
        opened(planted, how, tmp_path)
    assert mine.read_text() == "years"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["metrics.jsonl", "events.jsonl", "log.txt"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_resume_writes_through_no_link_and_waits_for_no_pipe(
    name: str, kind: str, planted: Planted, call: Callable[..., Outcome], tmp_path: Path
) -> None:
    mine, place = tmp_path / "thesis.tex", planted.run.root / name
    mine.write_text("years\n")
    place.unlink()
    place.symlink_to(mine) if kind == "link" else os.mkfifo(place)
    said = call(train.main, "--resume", planted.run.root)
    assert said.code == 5
    assert f"{name} is {'a link' if kind == 'link' else 'no plain file'}" in said.error
    assert mine.read_text() == "years\n"
    status = read_status(planted.run)
    assert status is not None and status.derived_state() in ("stopped", "failed")


@pytest.mark.parametrize("how", list(OPENED)[:: figure(6, 1)])
def test_nothing_waits_for_a_pipe(how: str, planted: Planted, tmp_path: Path) -> None:
    """Else whoever looks at a run would stand still, the reader of the app for good."""
    suffixes = {".json", ".jsonl", ".toml", ".txt", ".csv"}
    for path in [p for p in planted.run.root.rglob("*") if p.suffix in suffixes]:
        path.unlink()
        os.mkfifo(path)
    said = opened(planted, how, tmp_path)
    assert "Traceback" not in said.stderr or how == "read", said.stderr
    assert len(said.stderr.splitlines()) <= 1 or how == "read"
