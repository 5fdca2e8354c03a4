"""Check the files of a run directory: there, readable, private, whole, none left over."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.run.words import listed, many, note, ok, problem, quoted
from mbpo.errors import ConfigError, RecordError
from mbpo.runs.config_file import read_settings
from mbpo.runs.files import read_file
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import read_text_tail
from mbpo.runs.records.json_text import read_json
from mbpo.runs.records.manifest import SCHEMA

FREE_BYTES = 512 << 20  # a few checkpoints of the larger presets
LOG_BYTES = 1 << 20
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_plain_file(path: Path) -> bool:
    """Return whether ``path`` can be opened safely: a file, no link, no pipe, no device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def is_plain_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder and no link to one."""
    return path.is_dir() and not path.is_symlink()


def check_files(paths: RunPaths) -> Iterator[Diagnostic]:
    """Say which files of the contract are missing or cannot be read."""
    every = (paths.config, paths.manifest, paths.status, paths.metrics, paths.events, paths.log)
    missing = [p.name for p in every if not p.exists() and not p.is_symlink()]
    odd = [p.name for p in every if p.name not in missing and not is_plain_file(p)]
    if not is_plain_folder(paths.inbox):
        (odd if paths.inbox.exists() else missing).append("control/")
    closed = [p.name for p in every if is_plain_file(p) and not os.access(p, os.R_OK)]
    if missing:
        yield problem("files", f"missing: {listed(missing)}")
    if odd:
        yield problem("files", f"not a plain file or folder, so not read: {listed(odd)}")
    if closed:
        yield problem("files", f"not readable by you: {listed(closed)}")
    if not (missing or odd or closed):
        yield ok("files", f"all {len(every) + 1} are there")


def check_modes(paths: RunPaths) -> Iterator[Diagnostic]:
    """Say what others may read, and what they may change."""
    open_to: dict[str, list[str]] = {"change": [], "read": []}
    for path in _everything(paths.root):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue  # gone since it was listed
        if mode & OTHERS and not stat.S_ISLNK(mode):
            name = "the folder itself" if path == paths.root else str(path.relative_to(paths.root))
            open_to["change" if mode & OTHERS_WRITE else "read"].append(name)
    mend = f"; mend: chmod -R go= {quoted(str(paths.root))}"
    if found := open_to["change"]:
        yield problem("modes", f"others may change {listed(found)}{mend}")
    if found := open_to["read"]:
        yield note("modes", f"others may read {listed(found)}{mend}")
    if not any(open_to.values()):
        yield ok("modes", "folders 0700, files 0600: for you alone")


def check_config(paths: RunPaths) -> Iterator[Diagnostic]:
    """Say whether the settings are those that the run began with, and of use today."""
    manifest = _read_object(paths.manifest)
    if manifest is None:
        yield problem("manifest", "manifest.json cannot be read: the run cannot be resumed")
    elif manifest.get("schema") != SCHEMA:
        had = quoted(repr(manifest.get("schema")), 40)
        yield problem("manifest", f"expected schema {SCHEMA}, got {had}: of another version")
    if not is_plain_file(paths.config):
        return
    try:
        read_settings(paths)
        data = read_file(paths.config)
    except ConfigError as error:
        yield problem("config", str(error))
        return
    except OSError as error:
        yield problem("config", f"cannot read config.toml: {error.strerror}")
        return
    if manifest is None:
        return
    if hashlib.sha256(data).hexdigest() == manifest.get("config_sha256"):
        yield ok("config", "config.toml is the one the run began with")
    else:
        yield problem(
            "config",
            "config.toml is not the one the run began with: its hash is not manifest.json's, so "
            "the run cannot be resumed",
        )


def check_leftovers(paths: RunPaths, live: bool) -> Iterator[Diagnostic]:
    """Say what a kill in the middle of a write has left."""
    found = [
        str(path.relative_to(paths.root))
        for path in _everything(paths.root)
        if path.name.startswith(".") and path.name.endswith(".tmp")
    ]
    if found and live:
        yield ok("leftovers", f"being written, or left by a kill: {listed(found)}")
    elif found:
        yield note("leftovers", f"left by a kill, of no use any more: {listed(found)}")


def check_disk(paths: RunPaths, live: bool) -> Iterator[Diagnostic]:
    """Say how much room there is for the next checkpoint."""
    try:
        free = shutil.disk_usage(paths.root).free
    except OSError:
        return
    text = f"{free / 1e9:,.1f} GB free"
    if free >= FREE_BYTES:
        yield ok("disk", text)
    else:
        say = problem if live else note
        yield say("disk", f"{text}: little room for checkpoints")


def check_log(paths: RunPaths) -> Iterator[Diagnostic]:
    """Say with which error the last traceback in log.txt ends."""
    lines = read_text_tail(paths.log, LOG_BYTES) if is_plain_file(paths.log) else []
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent call")]
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    if starts:
        after = lines[starts[-1] + 1 :]
        last = next((line for line in after if line and not line.startswith(" ")), "cut off")
        yield note("log", f"log.txt has {many(len(starts), 'traceback')}, the last: {quoted(last)}")
    if fatal:
        yield note("log", f"log.txt says: {quoted(fatal[-1])}")


def _everything(root: Path) -> Iterator[Path]:
    yield root
    for folder, below, files in os.walk(root):  # goes into no link
        for name in sorted(below + files):
            yield Path(folder, name)


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path) if is_plain_file(path) else None
    except RecordError:
        return None
