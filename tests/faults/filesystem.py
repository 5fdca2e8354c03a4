"""Record every call that changes a folder, die at one of them, or lose power after it.

A kill leaves all that was called; a power cut only what was synced, and of the rest any part.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pytest


@dataclass(frozen=True)
class Operation:
    """Hold one call; paths are relative to the recorder's folder."""

    kind: str  # create, truncate, write, sync, mkdir, rename, unlink or rmdir
    path: str
    data: bytes = b""  # written
    to: str = ""  # renamed
    site: str = ""  # of a sync: where in mbpo it is called


@dataclass
class Recorder:
    """Record what this process does to ``root``; with a ``fate`` it dies at that call."""

    root: Path
    fate: tuple[int, str] | None = None  # number of the call; before, half or after
    operations: list[Operation] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.RLock)
    _patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    def __enter__(self) -> Recorder:
        real = {name: getattr(os, name) for name in ("open", "write", "fdopen")}

        def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            where = self._where(path, dir_fd)
            there = os.path.lexists(path) if dir_fd is None else True
            kind = "truncate" if there and flags & os.O_TRUNC else ""
            kind = "create" if flags & os.O_CREAT and not there else kind
            return int(
                self._do(
                    Operation(kind, where) if kind and where else None,
                    lambda: real["open"](path, flags, mode, dir_fd=dir_fd),
                )
            )

        def write(descriptor: int, data: Any) -> int:
            data = bytes(data)
            where, half = self._where("", descriptor), data[: len(data) // 2]
            return int(
                self._do(
                    Operation("write", where, data) if where else None,
                    lambda: real["write"](descriptor, data),
                    lambda: real["write"](descriptor, half),
                )
            )

        def fdopen(descriptor: int, mode: str = "r", *others: Any, **named: Any) -> Any:
            if mode == "wb" and self._where("", descriptor):
                return _Unbuffered(descriptor)
            return real["fdopen"](descriptor, mode, *others, **named)

        for name, replacement in (("open", open_), ("write", write), ("fdopen", fdopen)):
            self._patch.setattr(os, name, replacement)
        for name in ("fsync", "fdatasync"):
            self._patch.setattr(os, name, self._recorded_sync(getattr(os, name)))
        for name in ("mkdir", "rmdir", "unlink", "remove"):
            kind = "unlink" if name == "remove" else name
            self._patch.setattr(os, name, self._recorded(kind, getattr(os, name)))
        for name in ("rename", "replace"):
            self._patch.setattr(os, name, self._recorded_rename(getattr(os, name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.undo()

    def _recorded(self, kind: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *others: Any, dir_fd: int | None = None) -> None:
            where = self._where(path, dir_fd)
            operation = Operation(kind, where) if where else None
            self._do(operation, lambda: real(path, *others, dir_fd=dir_fd))

        return call

    def _recorded_rename(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, to: Any) -> None:
            where = self._where(path, None)
            operation = Operation("rename", where, to=self._where(to, None)) if where else None
            self._do(operation, lambda: real(path, to))

        return call

    def _recorded_sync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            where = self._where("", descriptor)
            operation = Operation("sync", where, site=_site(sys._getframe(1))) if where else None
            self._do(operation, lambda: real(descriptor))

        return call

    def _do(self, operation: Operation | None, act: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        if operation is None:
            return act()
        with self._lock:
            number = len(self.operations)
            self._die_at(number, "before")
            if half is not None and self.fate == (number, "half"):
                half()
                self._die_at(number, "half")
            result = act()
            self.operations.append(operation)
            self._die_at(number, "after")
            return result

    def _die_at(self, number: int, when: str) -> None:
        if self.fate == (number, when):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    def _where(self, path: Any, descriptor: int | None) -> str:
        """Return a path below the root, or nothing for what is not there."""
        base = Path.cwd() if descriptor is None else Path(f"/proc/self/fd/{descriptor}").readlink()
        below = os.path.relpath(base / path, self.root)
        return "" if below.startswith("..") or "(deleted)" in below else below


class _Unbuffered:
    """Write like a file object, each time with one call that the recorder sees."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def flush(self) -> None:
        pass

    def fileno(self) -> int:
        return self._descriptor

    def __enter__(self) -> _Unbuffered:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _site(frame: FrameType | None) -> str:
    """Return the innermost two lines of mbpo that led to a call."""
    found: list[str] = []
    while frame is not None and len(found) < 2:
        if frame.f_globals.get("__name__", "").startswith("mbpo."):
            name = Path(frame.f_code.co_filename).stem
            found.append(f"{name}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(found)


# What a power cut leaves


class _Node:
    """Hold a file or a folder as it is, and as the disk has it."""

    def __init__(self, folder: bool) -> None:
        self.folder = folder
        self.content, self.durable = b"", b""
        self.names: dict[str, _Node] = {}
        self.durable_names: dict[str, _Node] = {}
        self.pending: list[dict[str, _Node | None]] = []  # changes of names since the last sync

    def name(self, changes: dict[str, _Node | None]) -> None:
        _change(self.names, changes)
        self.pending.append(changes)

    def sync(self) -> None:
        self.durable, self.durable_names = self.content, dict(self.names)
        self.pending.clear()


def _change(names: dict[str, _Node], changes: dict[str, _Node | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


@dataclass(frozen=True)
class Loss:
    """Choose what of the unsynced is left: each change of names or not, each content how far."""

    name: Callable[[], bool]
    content: Callable[[], str]  # durable, current, half


def losses(draws: int, seed: int) -> Iterator[Loss]:
    """Yield the extremes, of which the first is a kill, then ``draws`` random combinations."""
    for names in (True, False):
        for content in ("current", "durable"):
            yield Loss(lambda n=names: n, lambda c=content: c)  # type: ignore[misc]
    rng = random.Random(seed)
    for _ in range(draws):
        yield Loss(lambda: rng.random() < 0.5, lambda: rng.choice(("durable", "current", "half")))


class Disk:
    """Follow recorded operations as a file system that keeps nothing it was not told to."""

    def __init__(self, start: Path | None = None) -> None:
        self._root = _Node(folder=True)
        if start is not None:
            self._take(self._root, start)

    def apply(self, operations: Sequence[Operation]) -> None:
        """Do what was recorded."""
        for operation in operations:
            self._apply(operation)

    def leave(self, loss: Loss, folder: Path) -> None:
        """Make ``folder`` what is left after a power cut now."""
        folder.mkdir()
        self._leave(self._root, loss, folder)

    def _take(self, node: _Node, path: Path) -> None:
        for entry in path.iterdir():
            child = node.names[entry.name] = _Node(entry.is_dir())
            if child.folder:
                self._take(child, entry)
            else:
                child.content = entry.read_bytes()
            child.sync()
        node.sync()

    def _apply(self, operation: Operation) -> None:
        parent, name = self._find(str(Path(operation.path).parent)), Path(operation.path).name
        if operation.kind in ("create", "mkdir"):
            parent.name({name: _Node(operation.kind == "mkdir")})
        elif operation.kind == "truncate":
            parent.names[name].content = b""
        elif operation.kind == "write":
            parent.names[name].content += operation.data
        elif operation.kind == "sync":
            self._find(operation.path).sync()
        elif operation.kind == "rename":
            assert Path(operation.to).parent == Path(operation.path).parent
            parent.name({name: None, Path(operation.to).name: parent.names[name]})
        else:
            parent.name({name: None})

    def _find(self, path: str) -> _Node:
        node = self._root
        for part in Path(path).parts:
            node = node.names[part]
        return node

    def _leave(self, node: _Node, loss: Loss, path: Path) -> None:
        names = dict(node.durable_names)
        for changes in node.pending:
            if loss.name():
                _change(names, changes)
        for name, child in names.items():
            if child.folder:
                (path / name).mkdir()
                self._leave(child, loss, path / name)
            else:
                (path / name).write_bytes(_left(child, loss.content()))


def _left(node: _Node, how: str) -> bytes:
    if node.content == node.durable or how == "durable":
        return node.durable
    if how == "current":
        return node.content
    kept = len(node.durable) if node.content.startswith(node.durable) else 0
    return node.content[: kept + (len(node.content) - kept) // 2]


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return the bytes of every file below ``folder``, and None for every folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
