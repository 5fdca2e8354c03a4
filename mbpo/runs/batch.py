"""Name runs that begin together, so that no other run has one of their names, whoever else begins some at once."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mbpo.errors import StorageError
from mbpo.runs.layout import begun_now

LAUNCH = ".launch"  # the folder of what learners print


@dataclass(frozen=True)
class Batch:
    """Hold the name that those of all the runs begin with."""

    runs_root: Path
    name: str
    makes_root: bool = False  # whether there was no runs root before

    @property
    def outputs(self) -> Path:
        """Return the folder of what the learners print; while it exists the name is taken."""
        return self.runs_root / LAUNCH / self.name

    def run_id(self, end: str) -> str:
        """Return the name of a run."""
        return f"{self.name}-{end}"

    def output(self, end: str) -> Path:
        """Return where a learner prints."""
        return self.outputs / f"{end}.txt"

    def claim(self, ends: Iterable[str]) -> bool:
        """Take the name; return whether it was free.

        Raises:
            StorageError: the runs root cannot be written.
        """
        try:
            self.outputs.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.outputs.mkdir(mode=0o700)  # one process succeeds, whoever else tries
                if not any((self.runs_root / self.run_id(end)).exists() for end in ends):
                    return True
                self.outputs.rmdir()
            return False
        except OSError as error:
            raise StorageError(
                f"cannot write in {self.runs_root}: {error.strerror}; give a writable --runs-root"
            ) from None

    def release(self) -> None:
        """Remove the folders made here that hold nothing: without a run there is no trace."""
        made = (self.outputs.parent, self.runs_root) if self.makes_root else ()
        for folder in (self.outputs, *made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def claimed(runs_root: Path, preset: str, ends: Iterable[str]) -> Batch:
    """Return a batch whose name is taken for it: the preset and the time, and a number where that is needed.

    Raises:
        StorageError: the runs root cannot be written.
    """
    ends, makes_root, begun = tuple(ends), not runs_root.exists(), f"{preset}-{begun_now()}"
    for number in itertools.count(1):
        batch = Batch(runs_root, begun if number == 1 else f"{begun}-{number}", makes_root)
        if batch.claim(ends):
            break
    return batch
