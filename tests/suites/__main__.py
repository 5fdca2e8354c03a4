"""Train on the suites people use, each in a virtual environment of its own: ``make suites``, or ``SUITES=dmc``.

Every task must install, check, train, resume and replay; one that does not fails the whole. Where each has done so, the
table of docs/environments.md is written anew. The pins are for Python 3.11.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib
from table import write_table
from trial import Failed, Outcome, Task, outcome, trial
from venvs import BUILD, python_of

SUITES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("suites.toml").read_text())


def main(asked: list[str]) -> int:
    """Run the suites named, or all; return the exit code."""
    if unknown := {*asked} - SUITES.keys():
        print(f"error: suites are {', '.join(SUITES)}, got {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    failed = [name for suite in asked or SUITES for name in _failures(suite)]
    print(f"{len(failed)} failed: {', '.join(failed)}" if failed else "all went well")
    try:
        write_table(
            [(SUITES[suite], task, outcome(folder, task)) for suite in SUITES for task, folder in _tasks(suite)]
        )
    except Failed as missing:
        print(f"docs/environments.md stays as it is: {missing}")
    return 1 if failed else 0


def _tasks(suite: str) -> Iterator[tuple[Task, Path]]:
    """Yield the tasks of a suite, and where the trial of each is kept."""
    for number, given in enumerate(SUITES[suite]["tasks"]):
        yield Task(**{**given, "flags": tuple(given["flags"])}), BUILD / "trials" / f"{suite}-{number}"


def _failures(suite: str) -> Iterator[str]:
    """Try a suite's tasks; yield the folders of those that fail."""
    for task, folder in _tasks(suite):
        began, found = time.monotonic(), _tried(suite, task, folder)
        verdict = found.verdict if isinstance(found, Outcome) else f"FAILED: {found}"
        print(f"{suite}: {task.line}\n    {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
        if not isinstance(found, Outcome):
            yield folder.name


def _tried(suite: str, task: Task, folder: Path) -> Outcome | str:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        return trial(python_of(suite), task, SUITES[suite]["made_of"], folder)
    except Exception as error:  # whatever it is, a suite is not passed over
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
