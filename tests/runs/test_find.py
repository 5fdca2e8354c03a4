"""Find runs behind links, in folders and in circles: the same for every command, and each once."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from learners import Outcome

from mbpo import compare, doctor
from mbpo.runs import find
from mbpo.runs.find import find_runs, runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import list_runs
from workbench.run_index import RunIndex

Call = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty runs root with a big disk beside it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def put(finished_run: RunPaths) -> Callable[[Path], Path]:
    """Return what copies a finished run to a place."""

    def copy(place: Path) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(finished_run.root, place)
        config = place / "config.toml"
        config.write_text(config.read_text().replace("seed = 3", f"seed = {next(seeds)}"))  # one of a seed is compared
        return place

    seeds = itertools.count()

    return copy


def names(root: Path) -> list[str]:
    """Return the runs below a folder, which every reader must find alike."""
    found = [path.relative_to(root).as_posix() for path in runs_below(root).runs]
    assert sorted(row.run_id for row in RunIndex(root).rows()) == found
    assert [paths.root.relative_to(root).as_posix() for paths, _ in list_runs(root)] == found
    assert [paths.root for paths in find_runs([str(root)])[0]] == [root / name for name in found]
    return found


def test_runs_are_found_at_any_depth_and_not_inside_runs(root: Path, put: Callable[[Path], Path]) -> None:
    for name in ("a", "group/b", "group/deep/er/c", ".hidden/d"):
        put(root / name)
    put(root / "a" / "checkpoints" / "inside")
    assert names(root) == ["a", "group/b", "group/deep/er/c"]


def test_a_link_to_a_run_counts_as_a_run_under_its_own_name(root: Path, put: Callable[[Path], Path]) -> None:
    put(root / "a")
    (root / "moved").symlink_to(put(root.parent / "disk" / "s1"))
    (root / "group").mkdir()
    (root / "group" / "too").symlink_to(put(root.parent / "disk" / "s2"))
    assert names(root) == ["a", "group/too", "moved"]
    assert runs_below(root).notes == []


def test_a_link_to_a_folder_of_runs_is_looked_through_and_no_further(root: Path, put: Callable[[Path], Path]) -> None:
    put(root.parent / "disk" / "s1")
    put(root.parent / "disk" / "project" / "secret")
    (root / "disk").symlink_to(root.parent / "disk")
    (root / "everything").symlink_to("/")
    assert names(root) == ["disk/s1"]
    first, second = runs_below(root).notes
    assert first.endswith("runs/disk is a link: 1 folders in it that are no runs are not looked through")
    assert "runs/everything is a link: " in second


def test_a_run_that_two_ways_lead_to_counts_once_and_at_its_own_place(root: Path, put: Callable[[Path], Path]) -> None:
    put(root / "z" / "real")
    (root / "a-link").symlink_to(root / "z" / "real")
    (root / "z-again").symlink_to(root / "z")
    other = put(root.parent / "disk" / "other")
    (root / "one").symlink_to(other)
    (root / "two").symlink_to(other)
    (root / "disk").symlink_to(other.parent)
    assert names(root) == ["disk/other", "z/real"]
    assert sum("counted once" in note for note in runs_below(root).notes) >= 3


@pytest.mark.parametrize("target", [".", "..", "loop", "nowhere", "/nonexistent/disk/s1"])
def test_a_circle_or_a_link_to_nowhere_is_named_and_passed_over(
    target: str, root: Path, put: Callable[[Path], Path]
) -> None:
    put(root / "a")
    (root / "loop").symlink_to(target)
    assert names(root) == ["a"]
    (note,) = runs_below(root).notes
    assert "runs/loop is a link " in note or "runs/loop is a link: " in note


def test_a_circle_between_folders_ends(root: Path, put: Callable[[Path], Path]) -> None:
    put(root / "one" / "a")
    put(root / "two" / "b")
    (root / "one" / "to-two").symlink_to(root / "two")
    (root / "two" / "to-one").symlink_to(root / "one")
    assert names(root) == ["one/a", "two/b"]
    assert names(root / "one") == ["a", "to-two/b"]


def test_a_link_to_a_file_and_a_closed_folder_stop_nothing(root: Path, put: Callable[[Path], Path]) -> None:
    put(root / "a")
    (root / "notes").symlink_to(root / "a" / "log.txt")
    (root / "closed").mkdir(mode=0o000)
    assert names(root) == ["a"]
    if os.getuid():
        (note,) = runs_below(root).notes
        assert note.endswith("closed cannot be looked through: Permission denied")


def test_only_so_many_folders_are_looked_through(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "MOST_FOLDERS", 5)
    for index in range(10):
        (root / str(index)).mkdir()
    assert runs_below(root).notes == [f"{find._short(root)}: only 5 folders in it are looked through for runs"]


# Commands


def test_compare_counts_the_same_by_folder_pattern_and_name(
    root: Path, put: Callable[[Path], Path], call: Call
) -> None:
    put(root / "s0")
    (root / "s1").symlink_to(put(root.parent / "disk" / "s1"))
    (root / "s2").symlink_to(root.parent / "disk" / "gone")
    for given in (
        [root],
        [root / "*"],
        [root / "**"],
        [root / "s0", root / "s1"],
        [root, root / "s1", root / "s1" / "."],
    ):
        outcome = call(compare.main, *given, "--json")
        assert outcome.code == 0, outcome.err
        found = json.loads(outcome.out)
        runs = [run["run_dir"] for each in found["environments"] for group in each["groups"] for run in group["runs"]]
        assert sorted(runs) == [str(root / "s0"), str(root / "s1")]
        if given == [root]:
            assert found["notes"][0].endswith("runs/s2 is a link that leads nowhere")
            assert "note: " in outcome.err


def test_compare_names_a_run_that_it_cannot_use(root: Path, put: Callable[[Path], Path], call: Call) -> None:
    put(root / "a")
    (put(root / "young") / "config.toml").unlink()
    outcome = call(compare.main, root)
    assert outcome.code == 0
    assert "note: young is left out: no config.toml or metrics.jsonl\n" in outcome.err


def test_doctor_checks_every_run_of_a_folder(root: Path, put: Callable[[Path], Path], call: Call) -> None:
    put(root / "group" / "a")
    (root / "b").symlink_to(put(root.parent / "disk" / "b"))
    (root / "loop").symlink_to("loop")
    outcome = call(doctor.main, root)
    assert outcome.code == 1  # the copies' settings are not those that they began with
    heads = [line for line in outcome.out.splitlines() if line.startswith("/")]
    assert heads == [str(root / "b"), str(root / "group" / "a")]
    assert outcome.err.startswith("note: ") and outcome.err.endswith("runs/loop is a link that leads nowhere\n")


def test_a_link_to_a_run_is_checked_as_the_run_is(root: Path, put: Callable[[Path], Path], call: Call) -> None:
    real = put(root.parent / "disk" / "s1")
    (root / "s1").symlink_to(real)
    one, other = call(doctor.main, real), call(doctor.main, root / "s1")
    assert one.code == other.code == 1
    assert one.out.splitlines()[1:] == other.out.splitlines()[1:]
