"""Write reports in processes of their own, and say where they are: the app draws no page and waits for none."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.errors import StorageError
from mbpo.runs.layout import begun_now
from mbpo.runs.reader import last_words
from mbpo.settings.language import tr
from workbench.format import fitted
from workbench.spawn import spawn

REPORT = (sys.executable, "-m", "mbpo.report")
LONGEST_NAME = 40  # characters


@dataclass
class Writing:
    """Hold a report that is being written."""

    name: str  # of the run, or what is compared
    page: Path
    output: Path  # what the process prints
    process: subprocess.Popen[bytes] = field(repr=False)


class Reporter:
    """Start reports and keep their process handles."""

    def __init__(self, command: Sequence[str] = REPORT) -> None:
        self._command = tuple(command)
        self.writing: list[Writing] = []

    def start(self, runs: Sequence[Path], folder: Path | None) -> str:
        """Begin to write a report of a run, or of several side by side; return what is to be said of it.

        One of a run lies in the run, one of several in ``folder``.

        Raises:
            StorageError: there is no room for what it prints, or no Python to start.
        """
        several = len(runs) > 1
        name = tr("{n} runs", n=len(runs)) if several else fitted(runs[0].name, LONGEST_NAME)
        page = _page(runs, folder)
        if any(writing.page == page for writing in self.writing):
            return tr("The report of {name} is being written.", name=name)
        argv = [*self._command, *map(str, runs), "-o", str(page), *(["--archived"] if several else [])]
        try:
            handle, output = tempfile.mkstemp(prefix="mbpo-report-", suffix=".txt")
            os.close(handle)
            self.writing.append(Writing(name, page, Path(output), spawn(argv, Path(output))))
        except OSError as error:
            raise StorageError(tr("cannot start a report: {why}", why=error.strerror or error)) from None
        return tr("Writing a report of {name}.", name=name)

    def reap(self) -> Iterator[tuple[str, str]]:
        """Yield what is to be said of those that ended since the last call, each with how grave it is."""
        for writing in [each for each in self.writing if each.process.poll() is not None]:
            self.writing.remove(writing)
            code = writing.process.returncode
            words = last_words(writing.output).removeprefix("error: ") or tr("exit code {code}", code=code)
            with contextlib.suppress(OSError):
                writing.output.unlink()
            if code:
                yield tr("No report of {name}: {words}", name=writing.name, words=words), "error"
            else:
                yield tr("The report of {name} is {page}", name=writing.name, page=writing.page), "information"


def _page(runs: Sequence[Path], folder: Path | None) -> Path:
    if len(runs) == 1:
        return runs[0] / "report.html" if folder is None else folder / f"report-{runs[0].name}.html"
    return (folder or runs[0].parent) / f"comparison-{begun_now()}.html"
