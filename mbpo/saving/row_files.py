"""Keep the real buffer's rows in files that are written once and shared by all checkpoints."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from mbpo.data.real_buffer import RealBuffer
from mbpo.errors import refused
from mbpo.runs.hashes import digest, read_verified
from mbpo.runs.layout import make_durably, sync_directory
from mbpo.saving.checkpoint import pack_tensors, unpack_tensors, write_durably

ROWS = 10_000  # of a segment
NAME = re.compile(r"[0-9]{12,18}-[0-9a-f]{16}\.safetensors\Z")


class Segments:
    """Write full segments to ``rows/``, named by their rows and hash; checkpoints list them.

    A checkpoint holds the rows since the last full segment itself, so that it costs the same
    however long the run.
    """

    def __init__(self, folder: Path, rows: int = ROWS) -> None:
        self.folder = folder
        self._rows = rows
        self._known: dict[int, tuple[str, str]] = {}  # first row -> name and hash

    def split(self, real: RealBuffer) -> tuple[dict[str, str], dict[str, bytes], dict[str, Tensor]]:
        """Return the hashes of the segments that ``real`` needs, those to write, and later rows."""
        oldest, new = real.added - len(real), dict[str, bytes]()
        full = real.added // self._rows * self._rows
        for first in range(oldest // self._rows * self._rows, full, self._rows):
            if first not in self._known:
                end = first + self._rows
                data = pack_tensors(real.recorded(max(first, oldest), end))
                sha256 = digest(data)
                name = f"{first:012d}-{sha256[:16]}.safetensors"
                new[name], self._known[first] = data, (name, sha256)
        needed = dict(found for first, found in self._known.items() if first + self._rows > oldest)
        return needed, new, real.recorded(max(full, oldest), real.added)

    def write(self, new: Mapping[str, bytes]) -> None:
        """Write segments that :meth:`split` asked for; where that fails it will ask again.

        Raises:
            StorageError: the disk refuses.
        """
        if not new:
            return
        try:
            make_durably(self.folder.parent, 0o700)
            make_durably(self.folder, 0o700)
            for name, data in new.items():
                building = self.folder / f".{name}.tmp"
                building.unlink(missing_ok=True)
                write_durably(building, data)
                building.rename(self.folder / name)
            sync_directory(self.folder)
        except OSError as error:
            for name in new:  # a part of one may have taken the last space there was
                (self.folder / f".{name}.tmp").unlink(missing_ok=True)
            self._known = {k: known for k, known in self._known.items() if known[0] not in new}
            raise refused(f"cannot write in {self.folder}", error) from None

    def load(self, hashes: Mapping[str, str], rest: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the rows of the segments, then ``rest``, oldest first.

        Raises:
            CheckpointError: a segment is missing or damaged.
        """
        parts: list[Mapping[str, Tensor]] = []
        for name in sorted(hashes):
            path = self.folder / name
            parts.append(unpack_tensors(path, read_verified(path, hashes[name])))
        parts.append(rest)
        return {key: torch.cat([part[key] for part in parts]) for key in ("rows", "behaviour")}

    def adopt(self, hashes: Mapping[str, str], folder: Path) -> None:
        """Take the segments of a checkpoint for written; those in the ``folder`` of another run are linked to.

        What cannot be linked will be written: over there it is never changed, only removed.
        """
        if hashes and folder != self.folder:
            hashes = self._linked(hashes, folder)
        self._known |= {int(name.split("-")[0]): (name, hashes[name]) for name in sorted(hashes)}

    def _linked(self, hashes: Mapping[str, str], folder: Path) -> dict[str, str]:
        """Return those of the segments in ``folder`` that could be linked to."""
        linked: dict[str, str] = {}
        with contextlib.suppress(OSError):  # a disk that refuses says so when they are written
            make_durably(self.folder.parent, 0o700)
            make_durably(self.folder, 0o700)
            for name in filter(NAME.match, hashes):
                with contextlib.suppress(OSError):
                    _link(folder / name, self.folder / name)
                    linked[name] = hashes[name]
            sync_directory(self.folder)
        return linked

    def forget_all_but(self, needed: Iterable[str]) -> None:
        """Remove the files of segments that no checkpoint lists any more."""
        kept = set(needed)
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """Make ``target`` another name of a file that only this user can change.

    Raises:
        OSError: it is not there, is another's, or lies on another file system.
    """
    facts = source.lstat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise PermissionError
    with contextlib.suppress(FileNotFoundError):
        if target.samefile(source):
            return
        target.unlink()
    target.hardlink_to(source)
