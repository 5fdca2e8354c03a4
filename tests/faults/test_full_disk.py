"""Fill the disk in the middle of a save: the checkpoint before stays whole, and is the newest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import Disk, mounted
from figures import Promise, figure

from mbpo.errors import CheckpointError, StorageError
from mbpo.learner.learner import Learner
from mbpo.saving.store import INDEX, KEEP_LAST, CheckpointStore, find_checkpoint
from mbpo.settings.config import resolve

FILLS = figure(fast=20, full=200)
LOOP = {"best_return": None}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def learner() -> Iterator[Learner]:
    learner = Learner(resolve({"total_steps": 100}, "debug"))
    for _ in range(40):
        learner.explore(uniform=True)
    yield learner
    learner.close()


def newest(folder: Path) -> str:
    store = CheckpointStore(folder)
    saved, wrong = store.load_newest()
    store.close()
    assert saved is not None
    assert wrong == []
    return saved.name


def test_a_disk_that_fills_up_in_a_save_costs_nothing_that_was_there(
    disk: Disk, learner: Learner, promise: Promise
) -> None:
    """Space for a random part of the checkpoint is left; when it returns, saving goes on."""
    folder, rng, refused = disk.root / "checkpoints", random.Random(3), 0
    store = CheckpointStore(folder)
    store.save(learner, 1, "last", LOOP)
    store.settle()
    size = sum(path.stat().st_size for path in (folder / "step-000000001").iterdir())
    with promise.tries("a disk filled in a save: 0 corrupt") as tries:
        for step in range(2, 2 * FILLS + 2, 2):
            with tries.one():
                before = newest(folder)
                disk.fill(leave=rng.randrange(2 * size))
                try:
                    store.save(learner, step, "last", LOOP)
                    store.settle()
                    expected = f"step-{step:09d}"
                except (StorageError, CheckpointError, OSError):
                    refused, expected = refused + 1, before
                found = newest(folder)
                disk.free()
                assert found in (expected, f"step-{step:09d}") and (folder / INDEX).exists()
                store.save(learner, step + 1, "last", LOOP)
                store.settle()
                assert newest(folder) == f"step-{step + 1:09d}"
                assert find_checkpoint(folder, "last").name == f"step-{step + 1:09d}"
                assert len(list(folder.glob("step-*"))) <= KEEP_LAST + 1
                assert not list(folder.glob(".*"))
        tries.note = f"{refused} refused"
        assert 0 < refused < FILLS
    store.close()


def test_a_disk_that_became_read_only_leaves_all_as_it_was(disk: Disk, learner: Learner) -> None:
    store = CheckpointStore(disk.root / "checkpoints")
    store.save(learner, 1, "last", LOOP)
    store.settle()
    disk.read_only()
    store.save(learner, 2, "last", LOOP)
    with pytest.raises(StorageError, match="Read-only file system"):
        store.settle()
    store.close()
    assert newest(disk.root / "checkpoints") == "step-000000001"
