"""Move runs into ``<runs-root>/.trash/``, back out of it, and away for good. Nothing at work is ever moved."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mbpo.errors import RecordError, RunInUseError, StorageError, refused
from mbpo.runs.about import read_about
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths, begun_now, write_json
from mbpo.runs.locks import claimed
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import read_json
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.status import ENDED, read_status
from mbpo.runs.what_ifs import FOLDER as WHAT_IFS
from mbpo.runs.what_ifs import WhatIfReader
from mbpo.settings.setting import shown

FOLDER = ".trash"  # below the runs root: what looks for runs passes over hidden folders
NOTE = "trashed.json"
BLOCK = 512  # bytes


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """Say where a run in the trash came from."""

    place: str = ""  # below the runs root
    at: float = 0.0  # Unix seconds


@dataclass(frozen=True)
class Trashed:
    """Hold a run that lies in the trash."""

    folder: Path  # of its own, in the trash
    place: Path  # below the runs root, where it came from
    at: float  # Unix seconds
    title: str = ""

    @property
    def run(self) -> Path:
        """Return where the run lies now."""
        return self.folder / self.place.name


@dataclass(frozen=True)
class Dependents:
    """Hold the runs that need another one's files, by what they need them for."""

    at_work: tuple[str, ...] = ()  # they read it now
    unbegun: tuple[str, ...] = ()  # they can go on only while it is there
    others: tuple[str, ...] = ()  # forks that have all they need


def move_to_trash(root: Path, run: Path) -> Trashed:
    """Move a run below ``root`` into the trash, whole: by a rename, so within one file system.

    Raises:
        RunInUseError: a learner is at work in it, or on what needs it.
        StorageError: it is no run that can be moved.
    """
    _check_place(root, run)
    if readers := dependents(root, run).at_work:
        raise RunInUseError(
            f"{shown(run.name)} is being read by {shown(readers[0])}, which is at work; stop that first"
        )
    with claimed(RunPaths(run)) as free:
        _check_idle(run, free)
        place = run.relative_to(root)
        folder = _new_folder(root)
        try:
            write_json(folder / NOTE, {"place": os.fspath(place), "at": time.time()})
            run.rename(folder / run.name)
        except (OSError, ValueError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise refused(f"cannot move {shown(run.name)} to {folder.parent}", error) from None
            raise StorageError(f"cannot move {shown(run.name)}: its name is no text") from None
    return Trashed(folder, place, time.time(), read_about(RunPaths(folder / run.name)).title)


def trashed_below(root: Path) -> list[Trashed]:
    """Return the runs in the trash of ``root``, the last moved first."""
    try:
        folders = [path for path in (root / FOLDER).iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    found = [trashed for folder in folders if (trashed := _in_trash(folder)) is not None]
    return sorted(found, key=lambda trashed: (-trashed.at, trashed.folder.name))


def restore(root: Path, trashed: Trashed) -> Path:
    """Move a run back to where it was; return that place.

    Raises:
        StorageError: something else is there by now, or it cannot be moved.
    """
    target = root / trashed.place
    if os.path.lexists(target):
        raise StorageError(f"{shown(str(trashed.place))} is there again: move that away first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        trashed.run.rename(target)
    except OSError as error:
        raise refused(f"cannot restore {shown(str(trashed.place))}", error) from None
    shutil.rmtree(trashed.folder, ignore_errors=True)
    return target


def delete_for_good(trashed: Iterable[Trashed]) -> None:
    """Remove runs in the trash; no link is followed.

    Raises:
        RunInUseError: somebody went on with one where it lies.
        StorageError: one cannot be removed.
    """
    for each in trashed:
        with claimed(RunPaths(each.run)) as free:
            _check_idle(each.run, free)
        try:
            shutil.rmtree(each.folder)
        except OSError as error:
            raise refused(f"cannot remove {shown(str(each.folder))}", error) from None


def disk_size(folder: Path) -> tuple[int, int]:
    """Return how many bytes would be free without ``folder``, and how many others have under a second name."""
    found: dict[tuple[int, int], tuple[os.stat_result, int]] = {}  # each file, and how many names it has in here
    for path in _files(folder):
        try:
            facts = path.lstat()
        except OSError:
            continue  # gone since it was listed
        file = facts.st_dev, facts.st_ino
        found[file] = facts, found.get(file, (facts, 0))[1] + 1
    own = others = 0
    for facts, names in found.values():
        if stat.S_ISDIR(facts.st_mode) or names >= facts.st_nlink:
            own += facts.st_blocks * BLOCK
        else:
            others += facts.st_blocks * BLOCK
    return own, others


def dependents(root: Path, run: Path) -> Dependents:
    """Return the runs below ``root`` that branched off a run or repeat it, and what-ifs about it."""
    at_work, unbegun, others = list[str](), list[str](), list[str]()
    for path in _those_that_may_need(root, run):
        relation = _relation(RunPaths(path), run)
        if not relation:
            continue
        paths, status = RunPaths(path), read_status(RunPaths(path))
        begun = bool(checkpoint_steps(paths.checkpoints)) or bool(status and status.state in ("finished", "diverged"))
        if status is not None and status.live and (relation == "replay" or not begun):
            at_work.append(path.name)
        elif not begun:
            unbegun.append(path.name)
        elif relation == "fork":
            others.append(path.name)
    asking = WhatIfReader(run).poll().asking
    if asking is not None and asking.at_work:
        at_work.append(f"the what-if {asking.folder.name}")
    return Dependents(tuple(at_work), tuple(unbegun), tuple(others))


def _those_that_may_need(root: Path, run: Path) -> Iterator[Path]:
    yield from (path for path in runs_below(root).runs if path != run)
    for folder in (run.parent / WHAT_IFS).glob("*"):
        if folder.name.startswith(f"{run.name}@"):
            yield from runs_below(folder).runs


def _relation(paths: RunPaths, run: Path) -> str:
    """Return whether a run is a fork or a replay of another, or neither."""
    try:
        facts = read_manifest(paths.manifest).facts()
    except StorageError:
        return ""
    for key, relation in (("replay_dir", "replay"), ("parent_dir", "fork")):
        if key in facts and os.path.realpath(facts[key]) == os.path.realpath(run):
            return relation
    return ""


def _check_place(root: Path, run: Path) -> None:
    if run == root or not run.is_relative_to(root):
        raise StorageError(f"{shown(str(run))} is not in a folder of runs that could have a trash: delete it by hand")
    if run.is_symlink():
        raise StorageError(f"{shown(run.name)} is a link to {shown(os.path.realpath(run))}: delete it there")
    if not run.is_dir():
        raise StorageError(f"{shown(run.name)} is not there any more")


def _check_idle(run: Path, free: bool | None) -> None:
    status = read_status(RunPaths(run))
    if free is False or (status is not None and status.state not in ENDED and status.live):
        raise RunInUseError(f"a learner is at work in {shown(run.name)}: stop it first, s in the app")


def _new_folder(root: Path) -> Path:
    """Make a folder in the trash that nobody else has, whatever the time and the run's name."""
    trash = root / FOLDER
    try:
        trash.mkdir(mode=0o700, exist_ok=True)
        if trash.is_symlink():
            raise StorageError(f"{trash} is a link: remove it, so that a trash can be made there")
        begun = begun_now()
        for number in itertools.count():
            folder = trash / (f"{begun}-{number}" if number else begun)
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise refused(f"cannot make a trash in {root}", error) from None
    raise AssertionError


def _in_trash(folder: Path) -> Trashed | None:
    """Return the run in a folder of the trash, None where there is none that ours put there."""
    try:
        note = fitted(_Note, read_json(folder / NOTE))
        place = Path(note.place)
        inside = place.name and not place.is_absolute() and ".." not in place.parts
        run = folder / place.name
        if not inside or run.is_symlink() or not run.is_dir():
            return None
    except (RecordError, OSError, ValueError):
        return None
    return Trashed(folder, place, note.at, read_about(RunPaths(run)).title)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield Path(place)
        yield from (Path(place) / name for name in names)
