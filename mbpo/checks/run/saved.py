"""Check every checkpoint of a run, file by file, and say where a resume would start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.run.plain_files import is_plain_file, is_plain_folder
from mbpo.checks.run.words import listed, many, note, ok, problem, quoted
from mbpo.errors import CheckpointError, NewerRecordError, RecordError
from mbpo.runs.hashes import CHECKPOINT, INDEX, MANIFEST, read_index, read_manifest, segments_in
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.json_text import MOST_BYTES, read_json
from mbpo.runs.records.loop import loop_facts
from mbpo.runs.status import RunStatus

ROWS = "rows"
HASHED_AT_ONCE = 1 << 20  # bytes
STEP = "step-"


def check_checkpoints(paths: RunPaths, status: RunStatus | None, live: bool) -> Iterator[Diagnostic]:
    """Name every damaged file, and the checkpoint that a resume would start from."""
    folder = paths.checkpoints
    if not is_plain_folder(folder):
        say = problem if folder.exists() or folder.is_symlink() else note
        yield say("checkpoints", f"no folder checkpoints/: {_start(None, status)}")
        return
    names = sorted(p.name for p in folder.iterdir() if CHECKPOINT.match(p.name))
    manifests: dict[str, Mapping[str, Any]] = {}
    damages: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        try:
            manifests[name] = _manifest(folder / name)
            damages[name] = list(_damages(folder / name, manifests[name]["sha256"]))
        except CheckpointError as error:
            damages[name] = [str(error).replace(f"{folder / name}", "").lstrip("/ ")]
    needed = _segments(manifests)
    bad_rows = dict(_bad_rows(folder / ROWS, needed))
    for name, wrong in damages.items():
        wrong += [text for text, users in bad_rows.items() if name in users]
    if live:  # what the learner removed meanwhile is no damage
        damages = {name: wrong for name, wrong in damages.items() if (folder / name).is_dir()}
    for name, wrong in damages.items():
        if wrong:
            yield problem("checkpoints", f"{name}: {listed(wrong, 20)}")
    yield from _check_index(folder)
    yield from _check_unused(folder / ROWS, needed, live)
    whole = [name for name, wrong in damages.items() if not wrong]
    newest = max((name for name in whole if name.startswith(STEP)), default=None, key=_env_steps)
    lost = newest is None and any(name.startswith(STEP) for name in damages)
    say = problem if lost else ok if newest else note
    yield say("checkpoints", f"{len(whole)} of {len(damages)} whole; {_start(newest, status)}")


def _env_steps(name: str) -> int:
    return int(name.removeprefix(STEP))


def _start(newest: str | None, status: RunStatus | None) -> str:
    if status is not None and status.state == "finished":
        return f"a fork would begin at {newest or 'its beginning'}"
    return f"a resume would start from {newest}" if newest else "a resume would begin anew"


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not is_plain_folder(folder) or (path.exists() and not is_plain_file(path)):
        raise CheckpointError(f"{folder} no plain folder with a plain {MANIFEST}")
    if path.exists() and path.stat().st_size > MOST_BYTES:
        raise CheckpointError(f"{path} is too large")
    return read_manifest(folder)


def _damages(folder: Path, hashes: Mapping[str, Any]) -> Iterator[str]:
    for name, expected in hashes.items():
        if wrong := _damage(folder / name, expected):
            yield f"{name} {wrong}"
    if folder.name.startswith(STEP):
        if "loop.json" not in hashes:
            yield "loop.json is missing"
        elif wrong := _loop_fault(folder / "loop.json"):
            yield wrong


def _damage(path: Path, expected: object) -> str:
    """Return what is wrong with a file whose SHA-256 should be ``expected``, or nothing."""
    if not path.exists():
        return "is missing"
    if not is_plain_file(path):
        return "is no plain file"
    try:
        found = hashlib.sha256()
        with path.open("rb") as file:
            while part := file.read(HASHED_AT_ONCE):
                found.update(part)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found.hexdigest() == expected else "is damaged"


def _loop_fault(path: Path) -> str:
    """Return why what the loop counted is of no use, or nothing."""
    try:
        if is_plain_file(path) and loop_facts(path, read_json(path)):
            return ""
    except NewerRecordError as error:
        return str(error).replace(f"{path.parent}/", "")
    except RecordError:
        pass
    return "loop.json is not readable"


def _segments(manifests: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Return which checkpoints need each file of rows, by its name and hash."""
    users: dict[tuple[str, str], list[str]] = {}
    for checkpoint, manifest in manifests.items():
        for segment in segments_in(manifest).items():
            users.setdefault(segment, []).append(checkpoint)
    return users


def _bad_rows(folder: Path, needed: Mapping[tuple[str, str], list[str]]) -> Iterator[tuple[str, list[str]]]:
    for (name, expected), users in needed.items():
        wrong = "names another folder" if "/" in name else _damage(folder / name, expected)
        if wrong:
            yield f"{ROWS}/{name} {wrong}", users


def _check_index(folder: Path) -> Iterator[Diagnostic]:
    path = folder / INDEX
    if not path.exists() and not path.is_symlink():
        return
    index = read_index(folder) if is_plain_file(path) else {}
    if not index:
        yield problem("checkpoints", f"{INDEX} cannot be read: no checkpoint is found by its label")
    for label, value in index.items():
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or not CHECKPOINT.match(name):
                text = f"names {quoted(repr(name), 40)}, which is no checkpoint"
            elif not (folder / name).is_dir():
                text = f"points at {name}, which is missing"
            else:
                continue
            yield problem("checkpoints", f"{INDEX}: {quoted(label, 40)} {text}")


def _check_unused(folder: Path, needed: Mapping[tuple[str, str], list[str]], live: bool) -> Iterator[Diagnostic]:
    used = {name for name, _ in needed}
    if live or not is_plain_folder(folder):
        return
    unused = sorted(path.name for path in folder.iterdir() if path.name not in used and not path.name.startswith("."))
    if unused:
        files = many(len(unused), "file")
        yield note("checkpoints", f"{files} in {ROWS}/ that no checkpoint names: {listed(unused)}")
