"""Know a run that this user began here, and let only its modules be found and its wrappers be constructed.

A run directory is data: one that was copied, or came from someone else, may name any module. A seal in manifest.json
binds where the run lies, its config and its import paths to a key that only this user can read.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.files import read_file
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import Config
from mbpo.settings.setting import shown
from mbpo.settings.typed_path import typed_path

KEY_BYTES = 32


def origin(paths: RunPaths, config_sha256: str, modules: Sequence[Path]) -> dict[str, Any]:
    """Return for the manifest where the run was started, where its modules are, and the seal."""
    facts = {"started_in": str(Path.cwd()), "module_path": [str(folder) for folder in modules]}
    return {**facts, "seal": seal(_bound(paths, config_sha256, facts), make=True)}


def is_ours(paths: RunPaths, manifest: Mapping[str, Any]) -> bool:
    """Return whether this user began the run where it lies, with this config and these import paths."""
    try:
        config_sha256 = hashlib.sha256(read_file(paths.config)).hexdigest()
    except OSError:
        return False
    return is_seal(manifest.get("seal"), _bound(paths, config_sha256, manifest))


def admit(paths: RunPaths, manifest: Mapping[str, Any], config: Config, given: Sequence[Path]) -> None:
    """Let the modules of a run be found: in ``given`` folders, and where it says if it is this user's own.

    Raises:
        ConfigError: the run came from elsewhere and names wrappers, or a module that lies in the run itself.
    """
    if not (is_ours(paths, manifest) or given):
        _refuse(paths, config)
    add_to_path([*given, *module_path_of(paths, manifest)])


def folders(given: Sequence[str] | None) -> tuple[Path, ...]:
    """Return the folders that ``--module-path`` names.

    Raises:
        ConfigError: one is no folder.
    """
    found = tuple(typed_path(text).absolute() for text in given or ())
    for folder in found:
        if not folder.is_dir():
            raise ConfigError(f"--module-path must name a folder, got {shown(str(folder))}")
    return found


def here_if_looked_in() -> list[Path]:
    """Return the current folder if Python finds modules there, as ``python -m`` does."""
    here = Path.cwd()
    return [here] if {"", str(here)} & {*sys.path} else []


def add_to_path(folders: Sequence[str | Path]) -> None:
    """Let modules be found in ``folders`` too, after those where Python looks already."""
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]


@contextlib.contextmanager
def where_started(paths: RunPaths, manifest: Mapping[str, Any]) -> Iterator[None]:
    """Work where a run of this user's own was started, as its environment may read files by relative paths."""
    before = Path.cwd()
    if is_ours(paths, manifest):
        with contextlib.suppress(OSError):
            os.chdir(manifest["started_in"])
    try:
        yield
    finally:
        os.chdir(before)


def module_path_of(paths: RunPaths, manifest: Mapping[str, Any]) -> list[Path]:
    """Return the folders where a run of this user's own finds its modules; none of another's."""
    return [Path(folder) for folder in manifest["module_path"]] if is_ours(paths, manifest) else []


def _refuse(paths: RunPaths, config: Config) -> None:
    """Refuse what a run that came from elsewhere would have imported and constructed."""
    flag = "if you trust it give --module-path DIR, where its modules lie"
    if config.wrappers:
        wrapper = config.wrappers[0] if len(config.wrappers[0]) <= 50 else f"{config.wrappers[0][:49]}…"
        raise ConfigError(f"{paths.run_id} was not begun here by you, and wraps its environment in {wrapper}; {flag}")
    module = config.env_id.rpartition(":")[0]
    if module and any(_lies_in(paths.root, module, folder) for folder in sys.path):
        raise ConfigError(f"{paths.run_id} was not begun here by you, and module {module[:40]} lies in it; {flag}")


def _lies_in(root: Path, module: str, folder: str) -> bool:
    found = Path(os.path.realpath(folder or ".")) / module.split(".")[0]
    here = Path(os.path.realpath(root))
    return here in found.parents and (found.is_dir() or found.with_suffix(".py").exists())


def seal(bound: object, *, make: bool = False) -> str:
    """Return what only this user can make of ``bound``; nothing where the user has no key, unless one is to be made."""
    key = _key(make)
    return hmac.new(key, json.dumps(bound).encode(), hashlib.sha256).hexdigest() if key else ""


def is_seal(given: object, bound: object) -> bool:
    """Return whether this user sealed ``bound``."""
    wanted = seal(bound)
    return bool(wanted) and isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _bound(paths: RunPaths, config_sha256: str, facts: Mapping[str, Any]) -> list[Any]:
    return [os.path.realpath(paths.root), config_sha256, facts.get("started_in"), facts.get("module_path")]


def _key(make: bool) -> bytes:
    """Return this user's key; nothing where there is none, or none that only the user may read."""
    with contextlib.suppress(OSError, RuntimeError):
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        path = Path(home) / "mbpo-workbench" / "key"
        if make and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_once(path, secrets.token_bytes(KEY_BYTES))
        facts = path.stat()
        if facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
            return path.read_bytes()[:KEY_BYTES]
    return b""


def _write_once(path: Path, key: bytes) -> None:
    """Write the key whole; of two runs that begin at once, the first's stays."""
    temporary = path.with_name(f".key.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
