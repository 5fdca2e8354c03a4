"""Runs go into the trash whole and come back whole; one at work never goes, whatever its status says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_run import add_checkpoint, make_run, status_of

from mbpo.errors import RunInUseError, StorageError
from mbpo.runs.find import runs_below
from mbpo.runs.journal import Journal
from mbpo.runs.layout import RunPaths
from mbpo.runs.trash import (
    FOLDER,
    Dependents,
    delete_for_good,
    dependents,
    disk_size,
    move_to_trash,
    restore,
    trashed_below,
)


def put_manifest(path: Path, **facts: Any) -> None:
    (path / "manifest.json").write_text(json.dumps({"schema": 1, **facts}))


def a_fork(root: Path, name: str, of: Path, state: str, checkpoint: bool) -> Path:
    path = make_run(root, name, status_of(state, parent=f"{of.name}@600"))
    put_manifest(path, parent=of.name, parent_dir=str(of), fork_env_steps=600, fork_changes={})
    if checkpoint:
        add_checkpoint(path, 600)
    return path


def test_there_and_back_twice_under_one_name(tmp_path: Path) -> None:
    for note in ("first", "second"):
        run = make_run(tmp_path, "sub/same", status_of("finished"), rows=5)
        (run / "mine").write_text(note)
        move_to_trash(tmp_path, run)
        assert not run.exists() and not runs_below(tmp_path).runs
    second, first = trashed_below(tmp_path)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    run = restore(tmp_path, first)
    assert run == tmp_path / "sub" / "same" and (run / "mine").read_text() == "first"
    with pytest.raises(StorageError, match="is there again"):
        restore(tmp_path, second)
    delete_for_good([second])
    assert trashed_below(tmp_path) == [] and list((tmp_path / FOLDER).iterdir()) == []
    assert runs_below(tmp_path).runs == [run]


def test_one_at_work_stays_by_its_lock_and_by_its_status(tmp_path: Path) -> None:
    locked = make_run(tmp_path, "locked", status_of("finished"), rows=5)
    journal = Journal(RunPaths(locked), "Pendulum-v1")
    with pytest.raises(RunInUseError, match="a learner is at work in locked: stop it first"):
        move_to_trash(tmp_path, locked)
    journal.close()
    move_to_trash(tmp_path, locked)
    running = make_run(tmp_path, "running", status_of("paused"), rows=5)
    with pytest.raises(RunInUseError, match="stop it first"):
        move_to_trash(tmp_path, running)
    assert runs_below(tmp_path).runs == [running] and len(list((tmp_path / FOLDER).iterdir())) == 1


def test_what_needs_a_run_holds_it_or_is_named(tmp_path: Path) -> None:
    base = make_run(tmp_path, "base", status_of("finished"))
    a_fork(tmp_path, "done", base, "finished", checkpoint=False)
    a_fork(tmp_path, "begun", base, "running", checkpoint=True)
    a_fork(tmp_path, "cut", base, "failed", checkpoint=False)
    make_run(tmp_path, "other", status_of("finished", parent="base@600"))
    assert dependents(tmp_path, base) == Dependents((), ("cut",), ("begun", "done"))
    move_to_trash(tmp_path, base)
    restore(tmp_path, trashed_below(tmp_path)[0])
    repeating = a_fork(tmp_path, "repeating", base, "running", checkpoint=False)
    with pytest.raises(RunInUseError, match="base is being read by repeating, which is at work"):
        move_to_trash(tmp_path, base)
    put_manifest(repeating, replay={"of": "base", "evaluations": []}, replay_dir=str(base))
    assert dependents(tmp_path, base).at_work == ("repeating",)


def test_no_link_is_moved_and_none_followed(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "disk", "far", status_of("finished"))
    root = tmp_path / "runs"
    root.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(StorageError, match="link is a link to"):
        move_to_trash(root, root / "link")
    with pytest.raises(StorageError, match="delete it by hand"):
        move_to_trash(outside, outside)
    run = make_run(root, "run", status_of("finished"))
    (run / "away").symlink_to(outside)
    move_to_trash(root, run)
    delete_for_good(trashed_below(root))
    assert (outside / "status.json").exists()
    (root / FOLDER).rmdir()
    (root / FOLDER).symlink_to(tmp_path / "disk")
    with pytest.raises(StorageError, match="is a link: remove it"):
        move_to_trash(root, make_run(root, "again", status_of("finished")))
    assert (root / "again").exists()


@pytest.mark.parametrize("place", ["../../etc", "/etc", "", ".", "a/../../b", "\0", 3, "missing"])
def test_a_note_in_the_trash_leads_nowhere_else(tmp_path: Path, place: object) -> None:
    folder = tmp_path / FOLDER / "entry"
    folder.mkdir(parents=True)
    (folder / "trashed.json").write_text(json.dumps({"place": place}))
    assert trashed_below(tmp_path) == []


def test_what_forks_share_is_not_counted_as_free(tmp_path: Path) -> None:
    run = make_run(tmp_path, "run", status_of("finished"))
    (run / "rows").write_bytes(b"x" * 100_000)
    before = disk_size(run)
    os.link(run / "rows", run / "twice")
    assert disk_size(run) == before and before[1] == 0
    os.link(run / "rows", tmp_path / "fork")
    own, shared = disk_size(run)
    assert shared >= 100_000 and own <= before[0] - 100_000
