"""Read and write TensorBoard's event files with its own package, a record at a time.

A record is written by one call and has a checksum, so it is there whole or not at all. What a kill or a full disk cut
off stays where it is, at the end of its file: the next record begins a new file, as TensorBoard reads on only there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mbpo.errors import refused

WRITER = "mbpo.follow "  # and the run's identity, in the first record of each of our files
_NAME = re.compile(r"events\.out\.tfevents\.\d{10}\.mbpo\.(\d{6})\Z")


def our_files(folder: Path) -> list[Path]:
    """Return the files in ``folder`` that have our names, in TensorBoard's order."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.match(path.name))
    except OSError:
        return []


def owner_of(folder: Path) -> str:
    """Return the identity of the run whose event files are in ``folder``; nothing where none are ours."""
    for path in our_files(folder):
        for event, _ in events_in(path):
            writer = event.source_metadata.writer
            return writer.removeprefix(WRITER) if writer.startswith(WRITER) else ""
    return ""


def events_in(path: Path) -> Iterator[tuple[Any, int]]:
    """Yield each whole record with where it ends, up to the first that is not whole."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader, end = PyRecordReader_New(str(path)), 0
    while True:
        try:
            reader.GetNext()
            record = reader.record()
            event = Event.FromString(record)
        except (errors.OutOfRangeError, errors.DataLossError, ValueError):
            return
        end += len(record) + 16  # its length and two checksums
        yield event, end


class EventFiles:
    """Append records to the last of a run's event files."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity
        self._writer: Any = None
        self._anew = False  # whether the next record begins a new file

    def events(self) -> Iterator[Any]:
        """Yield every whole record, in TensorBoard's order; the next is written after them."""
        self.close()
        self._anew = False
        for path in our_files(self._folder):
            end = 0
            for event, end in events_in(path):  # noqa: B007  the last is needed
                yield event
            self._anew = not 0 < end == path.stat().st_size

    def write(self, **content: Any) -> None:
        """Write one record.

        Raises:
            StorageError: the folder refuses.
        """
        from tensorboard.compat.proto.event_pb2 import Event

        if self._writer is None:
            self._open()
        data = Event(**content).SerializeToString()
        try:
            self._writer.write(data)
        except OSError as error:
            raise refused(f"cannot write in {self._folder}", error) from None

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self) -> None:
        from tensorboard.compat.proto.event_pb2 import SourceMetadata
        from tensorboard.summary.writer.record_writer import RecordWriter

        files = our_files(self._folder)
        if files and not self._anew:
            path = files[-1]
        else:
            number = 1 + (int(_NAME.match(files[-1].name)[1]) if files else 0)  # type: ignore[index]
            path = self._folder / f"events.out.tfevents.{_later(files):010d}.mbpo.{number:06d}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            begins, self._anew = not path.exists(), False
            self._writer = RecordWriter(path.open("ab", buffering=0))
        except OSError as error:
            raise refused(f"cannot write in {self._folder}", error) from None
        if begins:
            origin = SourceMetadata(writer=WRITER + self._identity)
            self.write(wall_time=time.time(), file_version="brain.Event:2", source_metadata=origin)


def _later(files: list[Path]) -> int:
    """Return a time for a name that comes after those of ``files``, also where the clock was set back."""
    last = int(files[-1].name.split(".")[3]) if files else 0
    return max(int(time.time()), last)
