"""Kill a save at every call it makes to the file system: the old or the new checkpoint loads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from figures import FULL, Promise
from filesystem import Disk, Recorder, contents, losses

from mbpo.learner.learner import Learner
from mbpo.saving import store as store_module
from mbpo.saving.checkpoint import digest, pack
from mbpo.saving.row_files import Segments
from mbpo.saving.store import INDEX, KEEP_LAST, CheckpointStore, Saved
from mbpo.settings.config import resolve

LOOP = {"best_return": None}
SEGMENT = 16  # rows
EVERY = 1 if FULL else 7  # of the points at which to die

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="pathlib of Python 3.10 cannot be recorded")


def fingerprint(saved: Saved) -> str:
    return digest(b"".join(pack(saved.parts, {"loop": saved.loop}).values()))


def load(folder: Path) -> tuple[Saved, list[str]]:
    store = CheckpointStore(folder)
    saved, wrong = store.load_newest()
    store.close()
    assert saved is not None
    return saved, wrong


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Learner]:
    """Lend a learner whose oldest rows are overwritten, with segments of 16 rows."""
    monkeypatch.setattr(store_module, "Segments", partial(Segments, rows=SEGMENT))
    learner = Learner(resolve({"total_steps": 1000, "real_buffer_capacity": 40}, "debug"))
    yield learner
    learner.close()


def explore(learner: Learner, steps: int) -> None:
    for _ in range(steps):
        learner.explore(uniform=True)


@pytest.fixture
def full(learner: Learner, tmp_path: Path) -> Path:
    """Return a folder with as many checkpoints as are kept; the learner has gone on since."""
    folder = tmp_path / "full" / "checkpoints"
    folder.parent.mkdir()
    store = CheckpointStore(folder)
    for step in range(1, KEEP_LAST + 1):
        explore(learner, 20)
        store.save(learner, step, "last", LOOP)
        store.settle()
    store.close()
    explore(learner, 20)
    return folder


def save(folder: Path, learner: Learner, step: int) -> None:
    """Save as a resumed learner does."""
    store = CheckpointStore(folder)
    saved, _ = store.load_newest()
    assert saved is not None
    store.go_on_from(saved)
    store.save(learner, step, "last", LOOP)
    store.settle()
    store.close()


def die_in(save_there: Callable[[], None]) -> None:
    """Call it in a child, which must be killed on the way."""
    pid = os.fork()
    if pid == 0:
        try:
            save_there()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)


def test_a_save_that_is_killed_anywhere_leaves_the_old_or_the_new(
    full: Path, learner: Learner, tmp_path: Path, promise: Promise
) -> None:
    new = tmp_path / "new"
    shutil.copytree(full.parent, new)
    with Recorder(new) as recorder:
        save(new / "checkpoints", learner, 4)
    operations = recorder.operations
    assert {op.kind for op in operations} >= {"create", "write", "sync", "rename", "unlink"}
    disk = Disk(full.parent)
    disk.apply(operations)
    disk.leave(next(losses(0, 0)), tmp_path / "replayed")
    assert contents(tmp_path / "replayed") == contents(new)  # nothing passed by the recorder

    points = [
        (number, when)
        for number, op in enumerate(operations)
        for when in ("before", "half", "after")
        if when != "half" or op.kind == "write"
    ]
    allowed = {fingerprint(load(full)[0]): "old", fingerprint(load(new / "checkpoints")[0]): "new"}
    assert len(allowed) == 2
    found: list[str] = []
    with promise.tries("kills at file-system calls of a save: old or new loads") as tries:
        for number, point in enumerate(points[::EVERY]):
            here = tmp_path / f"{number}"
            shutil.copytree(full.parent, here)
            with tries.one():
                found.append(allowed[left_by_a_death(point, here, learner)])
            shutil.rmtree(here)
        assert found == sorted(found, reverse=True)  # old, and from one call on new
        assert set(found) == {"old", "new"}


def left_by_a_death(point: tuple[int, str], here: Path, learner: Learner) -> str:
    """Return the fingerprint of what loads after a save was killed at a point."""

    def save_and_die() -> None:
        with Recorder(here, fate=point):
            save(here / "checkpoints", learner, 4)

    die_in(save_and_die)
    saved, wrong = load(here / "checkpoints")
    assert wrong == [], point
    save(here / "checkpoints", learner, 5)  # and the next save is not in the way of anything
    assert load(here / "checkpoints")[0].name == "step-000000005"
    left = [path.name for path in (here / "checkpoints").iterdir()]
    assert sorted(name for name in left if name.startswith(".")) == [], point
    assert len(left) == KEEP_LAST + len({INDEX, "rows"}), (point, left)
    return fingerprint(saved)
